import type { Claims, Identity } from './identity.js'
import type { VerificationKey } from './ports.js'

/** The protected header of a JWT (RFC 7515), not yet verified. */
export interface TokenHeader {
  readonly alg: string
  readonly kid: string | undefined
}

/** A place that tokens come from, and what holds for its tokens. */
export interface TokenSource {
  /** Exact; absent: it is not looked at. */
  readonly issuer: string | undefined
  /** One of the token's audiences; absent: they are not looked at. */
  readonly audience: string | undefined
  /** Whether a token that never ends is refused. */
  readonly needsExpiry: boolean
  /** Whether it falls to this source to judge a token of which nothing is verified yet. */
  judges(header: TokenHeader, claims: Claims): boolean
  /**
   * Undefined: no key of that name.
   * @throws StrongroomError `identity_unavailable` where that cannot be known
   */
  keyFor(header: TokenHeader): VerificationKey | undefined | Promise<VerificationKey | undefined>
  /**
   * Who claims whose signature, issuer, audience and times hold say is calling; undefined: nobody, as
   * something else that has to hold does not.
   * @throws StrongroomError `database_unavailable`, `keys_unavailable`
   */
  identify(claims: Claims): Identity | undefined | Promise<Identity | undefined>
}
