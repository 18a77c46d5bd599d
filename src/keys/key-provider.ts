import type { FernetKey } from '../crypto/fernet-key.js'
import type { WrappingClaims } from './wrapping.js'

/** Claims of the keys that lie directly under the master key. */
export type MasterClaims = Exclude<WrappingClaims, { use: 'file-key' }>

/**
 * Holds the master keys (KEK) and wraps with them. `keys_unavailable` where they cannot be used now,
 * `damaged` (CryptoError) where a wrapping fits none of them or says something else of itself.
 */
export interface KeyProvider {
  /** Stable ids of the master keys, the one that wraps first; nothing of a key can be told from them. */
  readonly masterKeyIds: readonly [string, ...string[]]
  wrap(key: FernetKey, claims: MasterClaims): Promise<string>
  /** As `wrap`, with a named master key: for its check value. */
  wrapWith(masterKeyId: string, key: FernetKey, claims: MasterClaims): Promise<string>
  unwrap(text: string, claims: MasterClaims): Promise<FernetKey>
  /** As `unwrap`, and which of the master keys it was wrapped with. */
  unwrapNamed(text: string, claims: MasterClaims): Promise<NamedUnwrapping>
}

export interface NamedUnwrapping {
  readonly key: FernetKey
  readonly masterKeyId: string
}
