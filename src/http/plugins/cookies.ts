import fastifyCookie from '@fastify/cookie'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { StrongroomError } from '../../errors/strongroom-error.js'
import type { App } from '../app-type.js'

// Registered where COOKIE_AUTH is set: pages of the portal's that keep no token themselves.

const names = { access: 'access_token', refresh: 'refresh_token' } as const

/** Seconds a refresh token is kept by a browser: the provider says when it ends. */
const REFRESH_SECONDS = 30 * 86_400

export function registerCookies(app: App): void {
  app.register(fastifyCookie)
}

/** A browser's session as its cookies tell it. */
export function sessionIn(request: FastifyRequest) {
  return {
    accessToken: request.cookies[names.access],
    refreshToken: request.cookies[names.refresh],
  }
}

export interface SessionTokens {
  readonly accessToken: string
  readonly refreshToken?: string | undefined
  /** Seconds; absent: until the browser is closed. */
  readonly expiresIn?: number | undefined
}

/** Out of reach of a page's scripts, sent over TLS, and not along with what other sites post. */
const flags = { httpOnly: true, secure: true, sameSite: 'lax', path: '/' } as const

export function setSession(reply: FastifyReply, tokens: SessionTokens): void {
  const { accessToken, refreshToken, expiresIn } = tokens
  const lifetime = expiresIn === undefined ? {} : { maxAge: expiresIn }
  reply.setCookie(names.access, accessToken, { ...flags, ...lifetime })
  if (refreshToken === undefined) return
  reply.setCookie(names.refresh, refreshToken, { ...flags, maxAge: REFRESH_SECONDS })
}

export function clearSession(reply: FastifyReply): void {
  reply.clearCookie(names.access, flags).clearCookie(names.refresh, flags)
}

const safeMethods = new Set(['GET', 'HEAD', 'OPTIONS'])

/**
 * A browser sends its cookies along with what another site's page makes it send: what changes anything
 * has to come from a page of ours (`Origin`, RFC 6454), and a browser that does not say so gets nowhere.
 * @throws StrongroomError `cross_origin`
 */
export function assertSameOrigin(request: FastifyRequest): void {
  if (safeMethods.has(request.method)) return
  const { origin } = request.headers
  if (origin === undefined || origin !== `${request.protocol}://${request.host}`) {
    throw new StrongroomError('cross_origin')
  }
}
