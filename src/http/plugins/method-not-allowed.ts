import { StrongroomError } from '../../errors/strongroom-error.js'
import type { App } from '../app-type.js'

const methods = ['DELETE', 'GET', 'HEAD', 'OPTIONS', 'PATCH', 'POST', 'PUT'] as const

interface Path {
  readonly url: string
  readonly allowed: Set<string>
}

/**
 * Answers 405 with `Allow` where a path is there but not with this method (RFC 9110 section 15.5.6),
 * before the body is read. Each path gets routes of its own for the methods it lacks: else the
 * router would take its last word for an id of a path beside it. Call it before the first
 * route; the function it returns after the last.
 */
export function registerMethodNotAllowed(app: App): () => void {
  const paths = new Map<string, Path>()
  let collecting = true
  app.addHook('onRoute', ({ url, method }) => {
    if (!collecting || !url.startsWith('/')) return
    const shape = shapeOf(url)
    const path = paths.get(shape) ?? { url, allowed: new Set() }
    for (const each of [method].flat()) path.allowed.add(each)
    paths.set(shape, path)
  })
  return () => {
    app.register((scope, _options, done) => {
      collecting = false
      for (const path of paths.values()) refuseOthers(scope, path)
      done()
    })
  }
}

// A parameter's name makes no difference, nor does a trailing slash.
function shapeOf(url: string): string {
  return url.replaceAll(/:[^/]+/g, ':').replace(/(?<=.)\/$/, '')
}

function refuseOthers(scope: Pick<App, 'route'>, { url, allowed }: Path): void {
  const refused = methods.filter((method) => !allowed.has(method))
  if (refused.length === 0) return
  const allow = [...allowed].sort().join(', ')
  scope.route({
    method: refused,
    url,
    exposeHeadRoute: false,
    schema: { hide: true },
    onRequest: (_request, reply, done) => {
      reply.header('allow', allow)
      done(new StrongroomError('method_not_allowed'))
    },
    handler: () => {
      throw new StrongroomError('method_not_allowed')
    },
  })
}
