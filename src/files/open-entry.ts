import type { FernetKey } from '../crypto/fernet-key.js'
import type { KeyRing } from '../keys/key-ring.js'
import { type FileMetadata, openFileMetadata } from './file-metadata.js'
import type { FileEntry, HeldGrant, StandingEmergency } from './ports.js'

/** A file whose key was unwrapped by a grant and whose metadata was verified against its rows. */
export interface OpenedEntry {
  readonly entry: FileEntry
  /** Whose key opened it; in an emergency the patient's own. */
  readonly grant: HeldGrant
  readonly emergency?: StandingEmergency | undefined
  readonly metadata: FileMetadata
  /** The file's key; overwritten by `close`. */
  readonly key: FernetKey
  close(): void
}

/** What an access is put on record as resting on: the emergency, or the grant. */
export function basisOf({ grant, emergency }: Pick<OpenedEntry, 'grant' | 'emergency'>) {
  return emergency === undefined
    ? { grantId: grant.grantId }
    : { emergencyId: emergency.emergencyId }
}

export type OpenEntry = (entry: FileEntry, grant: HeldGrant) => Promise<OpenedEntry>

/** @throws CryptoError where key, rows and metadata do not belong together */
export function openEntry({ keyRing }: { keyRing: Pick<KeyRing, 'unwrapFileKey'> }): OpenEntry {
  return async (entry, grant) => {
    const key = await keyRing.unwrapFileKey(grant.key, entry.version.sealedId, grant)
    try {
      const metadata = openFileMetadata(key, entry.file, entry.version)
      return {
        entry,
        grant,
        metadata,
        key,
        close: () => {
          key.destroy()
        },
      }
    } catch (error) {
      key.destroy()
      throw error
    }
  }
}

/** Opens, hands to `use` and overwrites the key however it ends. */
export async function withOpened<T>(
  opened: OpenedEntry,
  use: (opened: OpenedEntry) => T | Promise<T>,
): Promise<T> {
  try {
    return await use(opened)
  } finally {
    opened.close()
  }
}
