import type { FastifyReply, FastifyRequest, onRequestAsyncHookHandler } from 'fastify'
import { isStrongroomError, StrongroomError } from '../../errors/strongroom-error.js'
import type { SessionRefresh } from '../../people/ports.js'
import type { ServiceClients } from '../../people/service-clients.js'
import type { App } from '../app-type.js'
import { actingFor } from './acting-for.js'
import { callerOf, registerActor, setActor } from './actor.js'
import { assertSameOrigin, registerCookies, sessionIn, setSession } from './cookies.js'
import type { Refusals } from './refusals.js'
import { tokenVerifier, type VerifiedToken, type VerifyTokenOptions } from './verify-token.js'

export interface AuthenticateOptions extends VerifyTokenOptions {
  readonly refusals: Refusals
  /** Whether the `access_token` cookie is believed too. */
  readonly cookieAuth: boolean
  /** Where a session whose token has expired is kept going; absent: nowhere. */
  readonly session: SessionRefresh | undefined
  readonly serviceClients: ServiceClients
}

const bearer = /^Bearer +([\w-]+\.[\w-]+\.[\w-]+)$/i

/**
 * Prepares the hook of the authenticated scope: it lets a request pass whose token proves who is calling
 * (RFC 6750; or a cookie, where COOKIE_AUTH is set), before any byte of its body is read, and puts the
 * others on record. It throws `unauthenticated`, `token_expired`, `cross_origin`, `not_acted_for`, and
 * `identity_unavailable`, `database_unavailable`, `audit_unavailable` where that cannot be known.
 */
export function registerAuthentication(
  app: App,
  options: AuthenticateOptions,
): onRequestAsyncHookHandler {
  registerActor(app)
  if (options.cookieAuth) registerCookies(app)
  const verify = tokenVerifier(app, options)

  const fromCookie = async (request: FastifyRequest, reply: FastifyReply) => {
    const { accessToken, refreshToken } = sessionIn(request)
    if (accessToken === undefined && refreshToken === undefined) throw unauthenticated()
    assertSameOrigin(request)
    try {
      if (accessToken === undefined) throw new StrongroomError('token_expired')
      return await verify(accessToken)
    } catch (error) {
      const { session } = options
      const isOver = isStrongroomError(error, 'token_expired')
      if (!isOver || refreshToken === undefined || session === undefined) throw error
      const tokens = await session.exchange(refreshToken)
      if (tokens === undefined) throw error
      const verified = await verify(tokens.accessToken)
      setSession(reply, tokens)
      return verified
    }
  }
  const verified = async (request: FastifyRequest, reply: FastifyReply): Promise<VerifiedToken> => {
    const { authorization } = request.headers
    if (authorization === undefined && options.cookieAuth) return await fromCookie(request, reply)
    const token = bearer.exec(authorization ?? '')?.[1]
    if (token === undefined) throw unauthenticated()
    return await verify(token)
  }

  return async (request, reply) => {
    let caller = callerOf(request)
    try {
      const token = await verified(request, reply)
      const { userId, roles } = token.identity
      caller = { ...caller, userId, roles }
      setActor(request, actingFor(request, token.identity, options.serviceClients), token)
    } catch (error) {
      if (
        isStrongroomError(
          error,
          'unauthenticated',
          'token_expired',
          'cross_origin',
          'not_acted_for',
        )
      ) {
        await options.refusals.note(caller, error.code)
      }
      throw error
    }
  }
}

function unauthenticated(): StrongroomError {
  return new StrongroomError('unauthenticated')
}
