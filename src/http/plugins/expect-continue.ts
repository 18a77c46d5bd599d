import type { IncomingMessage, ServerResponse } from 'node:http'
import type { FastifyInstance, FastifyRequest } from 'fastify'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The route takes bytes of any type and reads them itself: nobody else may touch them. */
    readonly readsBody?: true
  }
}

const waiting = new WeakMap<IncomingMessage, ServerResponse>()

/**
 * Keeps Node from answering `Expect: 100-continue` by itself, so that a request that is refused
 * gets its final status before its body is sent (RFC 9110 section 10.1.1). Bodies that Fastify parses
 * are asked for when the hooks before parsing have passed; whoever reads a body itself calls
 * `sendContinue`. Covers `app.server` only: listen on one address, not on a name with several.
 */
export function registerExpectContinue(app: FastifyInstance): void {
  app.server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    waiting.set(request, response)
    app.server.emit('request', request, response)
  })
  app.addHook('preParsing', (request, _reply, payload, done) => {
    if (isParsedForUs(request)) sendContinue(request)
    done(null, payload)
  })
}

/** Asks a client that waits for it to send the body: once, just before the body is read. */
export function sendContinue(request: FastifyRequest): void {
  const response = waiting.get(request.raw)
  if (response === undefined) return
  waiting.delete(request.raw)
  response.writeContinue()
}

/** Whether the client holds its body back until it is asked for it. */
export function awaitsContinue(request: FastifyRequest): boolean {
  return waiting.has(request.raw)
}

/** Whether the request has a body that Fastify reads and parses. */
export function isParsedForUs(request: FastifyRequest): boolean {
  if (request.routeOptions.config.readsBody === true) return false
  return /^application\/(?:json|x-www-form-urlencoded)\b/i.test(
    request.headers['content-type'] ?? '',
  )
}
