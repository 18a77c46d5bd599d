import { FernetKey } from '../crypto/fernet-key.js'
import type { MasterClaims } from './key-provider.js'

/** What the claims are bound by where someone else wraps: names sorted, no white space (docs/FORMAT.md). */
export function claimsText(claims: MasterClaims): string {
  return JSON.stringify(claims, Object.keys(claims).sort())
}

/** The claims as names and texts; a number is its decimal digits. */
export function claimsContext(claims: MasterClaims): Record<string, string> {
  return Object.fromEntries(Object.entries(claims).map(([name, value]) => [name, String(value)]))
}

/** Hands the 32 bytes of a key to `use`, and overwrites them afterwards. */
export async function withKeyBytes<T>(
  key: FernetKey,
  use: (bytes: Buffer) => Promise<T>,
): Promise<T> {
  const bytes = Buffer.concat([key.signingKey, key.encryptionKey])
  try {
    return await use(bytes)
  } finally {
    bytes.fill(0)
  }
}

/**
 * Takes the bytes over as a key, and overwrites them.
 * @throws CryptoError `malformed` where they are no key
 */
export function takeKeyBytes(bytes: Uint8Array): FernetKey {
  try {
    return FernetKey.fromBytes(bytes)
  } finally {
    bytes.fill(0)
  }
}
