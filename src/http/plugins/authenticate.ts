import fastifyJwt from '@fastify/jwt'
import type { FastifyRequest, onRequestAsyncHookHandler } from 'fastify'
import type { AuditLog } from '../../audit/audit-log.js'
import { isStrongroomError, StrongroomError } from '../../errors/strongroom-error.js'
import { type RoleClaims, rolesOf } from '../../people/roles.js'
import type { App } from '../app-type.js'
import { callerOf, registerActor, setActor } from './actor.js'
import { refusals } from './refusals.js'

export interface AuthenticateOptions {
  /** Shared secrets; `kid` is the header that names one of several. At least one. */
  readonly secrets: readonly { readonly kid: string | undefined; readonly secret: string }[]
  /** Claim of the user id; absent: `sub`, else `user_id`. */
  readonly userClaim: string | undefined
  readonly issuer: string | undefined
  readonly audience: string | undefined
  readonly clockToleranceSeconds: number
  readonly roleMap: ReadonlyMap<string, readonly string[]>
  readonly audit: AuditLog
}

type Claims = RoleClaims & Readonly<Record<string, unknown>>

const maxTokenLength = 8_192
const maxUserIdLength = 128
const bearer = /^Bearer +([\w-]+\.[\w-]+\.[\w-]+)$/i

/**
 * Prepares the hook of the authenticated scope: it lets a request pass whose bearer token
 * proves who is calling (RFC 6750, JWT under HS256), before any byte of its body is read, and puts
 * the others on record. It throws `unauthenticated`, `token_expired` and `audit_unavailable`.
 */
export function registerAuthentication(
  app: App,
  options: AuthenticateOptions,
): onRequestAsyncHookHandler {
  const { issuer, audience, clockToleranceSeconds, secrets } = options
  registerActor(app)
  app.register(fastifyJwt, {
    secret: { public: secrets[0]?.secret ?? '' },
    verify: { algorithms: ['HS256'] },
  })
  const rules = {
    algorithms: ['HS256' as const],
    clockTolerance: clockToleranceSeconds * 1_000,
    ...(issuer === undefined ? {} : { allowedIss: issuer }),
    ...(audience === undefined ? {} : { allowedAud: audience }),
    // Without this a token that names no issuer would pass for one of any.
    requiredClaims: [
      ...(issuer === undefined ? [] : ['iss']),
      ...(audience === undefined ? [] : ['aud']),
    ],
  }
  const record = refusals({
    audit: options.audit,
    onProblem: (error) => {
      app.log.error({ err: error }, 'summary of refused requests not written')
    },
  })
  app.addHook('onClose', () => record.close())

  function claimsOf(token: string): Claims {
    const key = secretFor(token, secrets)
    try {
      return app.jwt.verify<Claims>(token, { ...rules, key })
    } catch (cause) {
      const expired = cause instanceof Error && 'code' in cause && cause.code === 'FAST_JWT_EXPIRED'
      throw new StrongroomError(expired ? 'token_expired' : 'unauthenticated')
    }
  }

  return async (request) => {
    try {
      const claims = claimsOf(tokenIn(request))
      const userId = userIdOf(claims, options.userClaim)
      setActor(request, { userId, roles: rolesOf(claims, options.roleMap) })
    } catch (error) {
      if (!isStrongroomError(error, 'unauthenticated', 'token_expired')) throw error
      await record.note(callerOf(request), error.code)
      throw error
    }
  }
}

function unauthenticated(): StrongroomError {
  return new StrongroomError('unauthenticated')
}

function tokenIn({ headers }: FastifyRequest): string {
  const token = bearer.exec(headers.authorization ?? '')?.[1]
  if (token === undefined || token.length > maxTokenLength) throw unauthenticated()
  return token
}

/** By the header's `kid` where it has one; else the secret without a name, or the first. */
function secretFor(token: string, secrets: AuthenticateOptions['secrets']): string {
  const kid = kidOf(token)
  const found =
    secrets.find((each) => each.kid === kid) ?? (kid === undefined ? secrets[0] : undefined)
  if (found === undefined) throw unauthenticated()
  return found.secret
}

function kidOf(token: string): string | undefined {
  const header = parseHeader(token)
  if (typeof header !== 'object' || header === null) throw unauthenticated()
  const { kid } = header as { kid?: unknown }
  if (kid !== undefined && typeof kid !== 'string') throw unauthenticated()
  return kid
}

function parseHeader(token: string): unknown {
  try {
    return JSON.parse(Buffer.from(token.split('.', 1)[0] ?? '', 'base64url').toString())
  } catch {
    throw unauthenticated()
  }
}

/** A number is its decimal string. */
function userIdOf(claims: Claims, userClaim: string | undefined): string {
  const claim = userClaim === undefined ? (claims['sub'] ?? claims['user_id']) : claims[userClaim]
  const id = Number.isSafeInteger(claim) ? String(claim) : claim
  if (typeof id !== 'string' || id === '' || id.length > maxUserIdLength) throw unauthenticated()
  // Half a character would be stored as another one, and so make two people one.
  if (/[\p{Cc}\p{Cs}]/u.test(id)) throw unauthenticated()
  return id
}
