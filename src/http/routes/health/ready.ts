import type { App } from '../../app-type.js'
import { isOperator } from '../../operator.js'
import { Readiness } from '../../schemas/health.js'

export type Components = Readonly<Record<string, boolean>>

interface Use {
  /** Asks each component; never cached. */
  readonly ready: () => Promise<Components>
  /** Told beside: the service serves without it. */
  readonly beside?: () => Components
  readonly metricsToken: string | undefined
}

/** `GET /health/ready`: 200 where all it takes to serve is there, else 503. */
export function readyRoute(app: App, { ready, beside, metricsToken }: Use): void {
  const ask = shared(ready)
  const response = { 200: Readiness, 503: Readiness }
  const schema = { tags: ['health'], security: [], response }
  app.get('/health/ready', { schema, config: { isHealth: true } }, async (request, reply) => {
    const components = await ask()
    const isReady = Object.values(components).every(Boolean)
    if (!isReady) reply.header('retry-after', 5)
    return reply.code(isReady ? 200 : 503).send({
      status: isReady ? 'ready' : 'unavailable',
      ...(isOperator(request, metricsToken)
        ? { components: { ...components, ...beside?.() } }
        : {}),
    })
  })
}

/** Callers at the same time share one question: anyone may ask, and asking is work. */
function shared(ready: Use['ready']): Use['ready'] {
  let asked: Promise<Components> | undefined
  return () => {
    asked ??= ready().finally(() => {
      asked = undefined
    })
    return asked
  }
}
