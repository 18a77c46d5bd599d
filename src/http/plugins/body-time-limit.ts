import type { IncomingMessage } from 'node:http'
import { PassThrough } from 'node:stream'
import { StrongroomError } from '../../errors/strongroom-error.js'
import type { App } from '../app-type.js'
import { isParsedForUs } from './expect-continue.js'

/**
 * Bodies that Fastify parses are small: one that is not there after `limitMs` holds a connection for
 * nothing, and is answered 408 `request_timeout`. Uploads have limits of their own where they are read.
 */
export function registerBodyTimeLimit(app: App, limitMs: number): void {
  app.addHook('preParsing', (request, _reply, payload, done) => {
    const isRead = request.method !== 'GET' && request.method !== 'HEAD' && isParsedForUs(request)
    done(null, isRead ? limited(request.raw, limitMs) : payload)
  })
}

/** The body at one remove: what fails is not the connection, on which the answer has to be sent. */
function limited(body: IncomingMessage, limitMs: number): PassThrough {
  const taken = new PassThrough()
  // The parser hears of it; where the request was answered before it was read, nobody has to.
  taken.on('error', () => undefined)
  const timer = setTimeout(() => {
    body.unpipe(taken)
    taken.destroy(new StrongroomError('request_timeout'))
  }, limitMs)
  const broken = () => {
    clearTimeout(timer)
    if (!body.readableEnded) taken.destroy(new StrongroomError('body_incomplete'))
  }
  // The body may be in, or gone, where nobody reads what was taken of it.
  body.once('end', () => {
    clearTimeout(timer)
  })
  body.once('close', broken)
  return body.pipe(taken)
}
