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
  /** The same as a UUID of version 8 (RFC 9562). */
  uuid(use: string, ...parts: string[]): string
}

export function indexHash(indexKey: FernetKey): IndexHash {
  const key = Buffer.from(indexKey.exportText(), 'base64url')
  const of = (use: string, ...parts: string[]) =>
    createHmac('sha256', key)
      .update(JSON.stringify([use, ...parts]))
      .digest()
  return {
    fingerprint: (sha256, ownerId) =>
      createHmac('sha256', key).update(sha256).update(ownerId, 'utf8').digest(),
    of,
    uuid: (use, ...parts) => uuidOf(of(use, ...parts)),
  }
}

function uuidOf(digest: Buffer): string {
  digest[6] = ((digest[6] ?? 0) & 0x0f) | 0x80
  digest[8] = ((digest[8] ?? 0) & 0x3f) | 0x80
  const hex = digest.toString('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20, 32)}`
}
