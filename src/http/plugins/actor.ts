import type { FastifyRequest } from 'fastify'
import type { Actor } from '../../audit/audit-events.js'
import { asUser } from '../../log-context.js'
import type { App } from '../app-type.js'
import { clientAddress } from '../client-address.js'
import type { VerifiedToken } from './verify-token.js'

declare module 'fastify' {
  interface FastifyRequest {
    /** Who is calling, and from where. Throws outside of the authenticated scope. */
    readonly actor: Actor
  }
}

const actors = new WeakMap<FastifyRequest, Actor>()
const tokens = new WeakMap<FastifyRequest, VerifiedToken>()

/** Decorates requests with `actor`. */
export function registerActor(app: App): void {
  app.decorateRequest('actor', {
    getter() {
      const actor = actors.get(this)
      if (actor === undefined) throw new Error('This route is not in the authenticated scope')
      return actor
    },
  })
}

export function actorOf(request: FastifyRequest): Actor | undefined {
  return actors.get(request)
}

/** Whom the request comes from, from now on, and by which token. */
export function setActor(
  request: FastifyRequest,
  who: Pick<Actor, 'userId' | 'service' | 'roles'>,
  token: VerifiedToken,
): void {
  actors.set(request, { ...callerOf(request), ...who })
  tokens.set(request, token)
  asUser(who.userId)
}

/** The token a request was let in by; undefined outside of the authenticated scope. */
export function tokenOf(request: FastifyRequest): VerifiedToken | undefined {
  return tokens.get(request)
}

const maxUserAgent = 256

/** Someone of whom only the connection is known. */
export function callerOf(request: FastifyRequest): Actor {
  return {
    userId: '-',
    roles: [],
    ip: clientAddress(request),
    userAgent: (request.headers['user-agent'] ?? '')
      .replaceAll(/\p{Cc}/gu, '')
      .slice(0, maxUserAgent),
    requestId: request.id,
  }
}
