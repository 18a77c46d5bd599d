import { randomUUID } from 'node:crypto'
import { isStrongroomError } from '../errors/strongroom-error.js'
import type { IndexHash } from '../keys/index-hash.js'
import type { AccountStore } from './account-ports.js'
import type { AccountSecrets } from './account-secrets.js'
import type { Claims } from './identity.js'
import type { TokenSource } from './token-source.js'

/** Issuer and audience of our own tokens: whoever signs with the portal's secret cannot make one. */
export const LOCAL_ISSUER = 'urn:strongroom:accounts'

/** Seconds a token is good for, and a login, by renewing it. */
export const TOKEN_SECONDS = 1_800
export const LOGIN_SECONDS = 12 * 3_600

/** What one of our own tokens says. */
export interface LocalClaims {
  readonly iss: string
  readonly aud: string
  readonly sub: string
  readonly jti: string
  readonly iat: number
  readonly exp: number
  /** When the password was given. */
  readonly auth_time: number
  /** RFC 8176: `pwd`, and `otp` where there was a second factor. */
  readonly amr: readonly string[]
  /** The account's at the time: when it goes on, all tokens of before have ended. */
  readonly epoch: number
}

export interface Login {
  readonly userId: string
  readonly epoch: number
  readonly methods: readonly string[]
  readonly authTime: number
}

/** Of a login, now; undefined where the login is over. */
export function localClaims(login: Login, now = new Date()): LocalClaims | undefined {
  const iat = Math.floor(now.getTime() / 1_000)
  const exp = Math.min(iat + TOKEN_SECONDS, login.authTime + LOGIN_SECONDS)
  if (exp <= iat) return undefined
  return {
    ...{ iss: LOCAL_ISSUER, aud: LOCAL_ISSUER, sub: login.userId, jti: randomUUID() },
    ...{ iat, exp, auth_time: login.authTime, amr: login.methods, epoch: login.epoch },
  }
}

/** The key of our own tokens (HS256): the deployment's, so that every node takes every node's. */
export function localTokenKey(hash: Pick<IndexHash, 'of'>): string {
  return hash.of('local-token-key', '1').toString('base64url')
}

export interface LocalTokensOptions {
  readonly key: string
  readonly db: { readonly stores: { readonly accounts: AccountStore } }
  readonly secrets: AccountSecrets
}

/** Tokens of accounts of our own: what the account says now counts, not what it said at the login. */
export function localTokens({ key, db, secrets }: LocalTokensOptions): TokenSource {
  return {
    ...{ issuer: LOCAL_ISSUER, audience: LOCAL_ISSUER, needsExpiry: true },
    judges: ({ alg }, { iss }) => alg === 'HS256' && iss === LOCAL_ISSUER,
    keyFor: () => ({ key, algorithms: ['HS256'] }),
    identify: async (claims) => {
      const { sub, jti, epoch } = localClaimsIn(claims)
      if (sub === undefined || jti === undefined) return undefined
      const row = await db.stores.accounts.findForToken(sub, jti)
      if (row?.tokenEpoch !== epoch || row === undefined) return undefined
      const facts = await secrets.open(row).catch((error: unknown) => {
        // A spoiled account lets nobody in.
        if (isStrongroomError(error, 'damaged')) return undefined
        throw error
      })
      if (facts?.isActive !== true) return undefined
      const methods = Array.isArray(claims['amr']) ? claims['amr'].map(String) : []
      return { source: 'local', userId: sub, roles: facts.roles, clientId: undefined, methods }
    },
  }
}

function localClaimsIn({ sub, jti, epoch }: Claims) {
  return {
    sub: typeof sub === 'string' ? sub : undefined,
    jti: typeof jti === 'string' && /^[\da-f-]{36}$/.test(jti) ? jti : undefined,
    epoch,
  }
}
