import { type IdentityRules, identityOf } from './identity.js'
import type { TokenSource } from './token-source.js'

export interface SharedTokensOptions {
  readonly identity: IdentityRules
  /** `kid` is the header that names one of several. */
  readonly secrets: readonly { readonly kid: string | undefined; readonly secret: string }[]
  readonly issuer: string | undefined
  readonly audience: string | undefined
}

/** Tokens that the portal signs with a secret it shares with this service (HS256). */
export function sharedTokens(options: SharedTokensOptions): TokenSource {
  const { identity, secrets, issuer, audience } = options
  return {
    ...{ issuer, audience },
    // Portals issue some for good to services of their own.
    needsExpiry: false,
    judges: ({ alg }) => alg === 'HS256',
    // By the header's `kid` where it has one; else the secret without a name, or the first.
    keyFor: ({ kid }) => {
      const found =
        secrets.find((each) => each.kid === kid) ?? (kid === undefined ? secrets[0] : undefined)
      return found === undefined ? undefined : { key: found.secret, algorithms: ['HS256'] }
    },
    // A refresh token (as SimpleJWT's) is for its issuer alone.
    identify: (claims) =>
      claims['token_type'] === 'refresh' ? undefined : identityOf(claims, identity),
  }
}
