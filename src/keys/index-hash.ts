import { createHmac } from 'node:crypto'
import type { FernetKey } from '../crypto/fernet-key.js'

/**
 * Keyed hashes for finding things without knowing them, under the deployment's index key
 * (HMAC-SHA256, 32 bytes). Who has only the database cannot test a guess.
 */
export interface IndexHash {
  /** Dedup fingerprint: SHA-256 as 32 raw bytes, then the owner id in UTF-8 (docs/FORMAT.md). */
  fingerprint(sha256: Uint8Array, ownerId: string): Buffer
  /** Hash of `parts` for `use`; lengths are part of it, so that parts cannot be shifted. */
  of(use: string, ...parts: string[]): Buffer
}

export function indexHash(indexKey: FernetKey): IndexHash {
  const key = Buffer.from(indexKey.exportText(), 'base64url')
  return {
    fingerprint: (sha256, ownerId) =>
      createHmac('sha256', key).update(sha256).update(ownerId, 'utf8').digest(),
    of: (use, ...parts) =>
      createHmac('sha256', key)
        .update(JSON.stringify([use, ...parts]))
        .digest(),
  }
}
