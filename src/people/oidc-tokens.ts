import { type Claims, type IdentityRules, identityOf } from './identity.js'
import type { ProviderKeys } from './ports.js'
import type { TokenSource } from './token-source.js'

export interface OidcTokensOptions {
  readonly identity: IdentityRules
  readonly issuer: string
  readonly audience: string | undefined
  /** Our client there: where no audience is configured, tokens have to be for it or issued to it. */
  readonly clientId: string | undefined
  readonly keys: Pick<ProviderKeys, 'find'>
}

/** Kinds of token by which a provider says something else than "let the bearer in" (Keycloak's `typ`). */
const otherKinds = new Set(['id', 'refresh', 'offline', 'logout'])

/** Access tokens of an OpenID provider, as Keycloak, verified with the keys it publishes. */
export function oidcTokens(options: OidcTokensOptions): TokenSource {
  const { identity, issuer, audience, clientId, keys } = options
  return {
    ...{ issuer, audience, needsExpiry: true },
    judges: ({ alg }) => !alg.startsWith('HS'),
    keyFor: ({ kid, alg }) => keys.find(kid, alg),
    identify: (claims) =>
      isAccessToken(claims) && (audience !== undefined || isFor(clientId, claims))
        ? identityOf(claims, identity)
        : undefined,
  }
}

function isFor(clientId: string | undefined, { aud, azp }: Claims): boolean {
  if (clientId === undefined) return false
  return azp === clientId || [aud].flat().includes(clientId)
}

/** An ID token tells a client who somebody is; whoever sees it must not get in with it. */
function isAccessToken(claims: Claims): boolean {
  const { typ } = claims
  const isOther = typeof typ === 'string' && otherKinds.has(typ.toLowerCase())
  return !isOther && claims['at_hash'] === undefined && claims['c_hash'] === undefined
}
