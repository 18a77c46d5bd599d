import type { FastifyReply, FastifyRequest } from 'fastify'
import type { LocalClaims } from '../../people/local-tokens.js'
import { setSession } from './cookies.js'

export interface IssueTokenOptions {
  /** Our own tokens are signed with it. */
  readonly key: string
  readonly cookieAuth: boolean
}

/** Answers a login with its token (RFC 6749 section 5.1), and, where COOKIE_AUTH is set, the cookie. */
export type IssueToken = (
  request: FastifyRequest,
  reply: FastifyReply,
  claims: LocalClaims,
) => { access_token: string; token_type: 'bearer'; expires_in: number }

export function issueToken({ key, cookieAuth }: IssueTokenOptions): IssueToken {
  return (request, reply, claims) => {
    const token = request.server.jwt.sign({ ...claims }, { key, algorithm: 'HS256' })
    const expiresIn = claims.exp - claims.iat
    // Another site's page must not log a browser in as somebody else.
    if (cookieAuth && isSameOrigin(request)) {
      setSession(reply, { accessToken: token, expiresIn })
    }
    return { access_token: token, token_type: 'bearer', expires_in: expiresIn }
  }
}

function isSameOrigin({ headers, protocol, host }: FastifyRequest): boolean {
  return headers.origin === undefined || headers.origin === `${protocol}://${host}`
}
