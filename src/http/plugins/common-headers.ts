import type { FastifyReply, FastifyRequest } from 'fastify'
import type { App } from '../app-type.js'

/** Headers of every answer; a route may put another value in a place. */
export function registerCommonHeaders(app: App): void {
  app.addHook('onRequest', (request, reply, done) => {
    setCommonHeaders(request, reply)
    done()
  })
}

export function setCommonHeaders(request: FastifyRequest, reply: FastifyReply): void {
  reply.headers({ ...commonHeaders, 'x-request-id': request.id })
}

export const commonHeaders = {
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
} as const
