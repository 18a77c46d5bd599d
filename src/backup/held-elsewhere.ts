import { CryptoError } from '../crypto/crypto-error.js'
import type { KeyProvider } from '../keys/key-provider.js'
import { localKeyProvider } from '../keys/local-key-provider.js'
import { remoteKeyNamed } from '../keys/remote-key-provider.js'
import type { OpenedBackup } from './open-backup.js'

/** Ids of the master keys that a backup names and does not hold: KMS or Vault never gives them out. */
export function keysElsewhere({ header, content }: OpenedBackup): string[] {
  const here = new Set(content.master_keys.map(({ id }) => id))
  return header.master_key_ids.filter((id) => !here.has(id))
}

/** Whether one of these wrapped it, by what the wrapping says: a row's column may lag behind or be empty. */
export function isUnder(ids: readonly string[], wrapped: string): boolean {
  const named = remoteKeyNamed(wrapped)
  return named !== undefined && ids.includes(named)
}

/** Opens with the keys that a backup holds; there may be none. */
export function heldKeys({ content }: OpenedBackup): Pick<KeyProvider, 'unwrap'> {
  if (content.master_keys.length > 0) {
    return localKeyProvider(content.master_keys.map(({ key }) => key))
  }
  return { unwrap: () => Promise.reject(new CryptoError('unauthentic')) }
}
