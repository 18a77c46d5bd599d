import { createHash, timingSafeEqual } from 'node:crypto'
import type { FastifyRequest } from 'fastify'
import type { App } from '../../app-type.js'
import { isLocal } from '../../client-address.js'
import { Readiness } from '../../schemas/health.js'

export type Components = Readonly<Record<string, boolean>>

interface Use {
  /** Asks each component; never cached. */
  readonly ready: () => Promise<Components>
  readonly metricsToken: string | undefined
}

/** `GET /health/ready`: 200 where all it takes to serve is there, else 503. */
export function readyRoute(app: App, { ready, metricsToken }: Use): void {
  const ask = shared(ready)
  const response = { 200: Readiness, 503: Readiness }
  const schema = { tags: ['health'], security: [], response }
  app.get('/health/ready', { schema }, async (request, reply) => {
    const components = await ask()
    const isReady = Object.values(components).every(Boolean)
    if (!isReady) reply.header('retry-after', 5)
    return reply.code(isReady ? 200 : 503).send({
      status: isReady ? 'ready' : 'unavailable',
      ...(mayKnow(request, metricsToken) ? { components } : {}),
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

function mayKnow(request: FastifyRequest, token: string | undefined): boolean {
  if (isLocal(request)) return true
  const given = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '')?.[1]
  if (token === undefined || given === undefined) return false
  return timingSafeEqual(sha256(given), sha256(token))
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
