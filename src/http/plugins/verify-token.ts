import { randomBytes } from 'node:crypto'
import fastifyJwt from '@fastify/jwt'
import { StrongroomError } from '../../errors/strongroom-error.js'
import type { Claims, Identity } from '../../people/identity.js'
import type { VerificationKey } from '../../people/ports.js'
import type { TokenHeader, TokenSource } from '../../people/token-source.js'
import type { App } from '../app-type.js'

export interface VerifyTokenOptions {
  /** Asked in this order whose a token is. */
  readonly sources: readonly TokenSource[]
  readonly clockToleranceSeconds: number
}

/** A verified token. */
export interface VerifiedToken {
  readonly identity: Identity
  readonly claims: Claims
}

/**
 * Says who a token (JWT, RFC 7519) proves to be calling.
 * @throws StrongroomError `unauthenticated`, `token_expired`; `identity_unavailable` and
 *   `database_unavailable` where that cannot be known
 */
export type VerifyToken = (token: string) => Promise<VerifiedToken>

const maxTokenLength = 8_192
const compact = /^[\w-]+\.[\w-]+\.[\w-]+$/
// RFC 9068 section 2.1; before it, "JWT" or nothing.
const types = new Set([undefined, 'jwt', 'at+jwt', 'application/at+jwt'])

/** Registers @fastify/jwt, by which signatures and times are verified. */
export function tokenVerifier(app: App, options: VerifyTokenOptions): VerifyToken {
  const { sources, clockToleranceSeconds } = options
  app.register(fastifyJwt, {
    // Every token is signed and verified with the key of its source: this one is nobody's.
    secret: randomBytes(32).toString('base64'),
    verify: { algorithms: ['HS256'] },
  })
  const verify = (token: string, source: TokenSource, { key, algorithms }: VerificationKey) => {
    const { issuer, audience, needsExpiry } = source
    try {
      return app.jwt.verify<Claims>(token, {
        key,
        algorithms: [...algorithms],
        clockTolerance: clockToleranceSeconds * 1_000,
        ...(issuer === undefined ? {} : { allowedIss: issuer }),
        ...(audience === undefined ? {} : { allowedAud: audience }),
        // Without this a token that names no issuer would pass for one of any.
        requiredClaims: [
          ...(issuer === undefined ? [] : ['iss']),
          ...(audience === undefined ? [] : ['aud']),
          ...(needsExpiry ? ['exp'] : []),
        ],
      })
    } catch (cause) {
      const expired = cause instanceof Error && 'code' in cause && cause.code === 'FAST_JWT_EXPIRED'
      throw new StrongroomError(expired ? 'token_expired' : 'unauthenticated')
    }
  }

  return async (token) => {
    if (token.length > maxTokenLength || !compact.test(token)) throw unauthenticated()
    const [header, unverified] = [headerOf(token), unverifiedClaims(token)]
    const source = sources.find((each) => each.judges(header, unverified))
    const key = await source?.keyFor(header)
    if (
      source === undefined ||
      key === undefined ||
      !key.algorithms.some((each) => each === header.alg)
    ) {
      throw unauthenticated()
    }
    const claims = verify(token, source, key)
    const identity = await source.identify(claims)
    if (identity === undefined) throw unauthenticated()
    return { identity, claims }
  }
}

function unauthenticated(): StrongroomError {
  return new StrongroomError('unauthenticated')
}

function headerOf(token: string): TokenHeader {
  const { alg, kid, typ } = objectIn(token, 0)
  if (typeof alg !== 'string' || (kid !== undefined && typeof kid !== 'string')) {
    throw unauthenticated()
  }
  const type = typeof typ === 'string' ? typ.toLowerCase() : typ
  if (type !== undefined && typeof type !== 'string') throw unauthenticated()
  if (!types.has(type)) throw unauthenticated()
  return { alg, kid }
}

function unverifiedClaims(token: string): Claims {
  return objectIn(token, 1)
}

function objectIn(token: string, part: 0 | 1): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(
      Buffer.from(token.split('.')[part] ?? '', 'base64url').toString(),
    )
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ...value }
  } catch {
    // Not JSON: what it is instead is nobody's business.
  }
  throw unauthenticated()
}
