import { randomUUID } from 'node:crypto'
import { CryptoError } from '../crypto/crypto-error.js'
import { StrongroomError } from '../errors/strongroom-error.js'
import type { KeyRing } from '../keys/key-ring.js'
import { spaceIdOf } from '../people/spaces.js'
import type { ObjectHashes } from './object-hashes.js'
import { parentOf } from './object-key.js'
import type { FolderRow, SealedPath } from './ports.js'

/** Folders' paths, under the key of their bucket. */
export interface FolderNotes {
  /** The row of a folder that is not there yet. May reach the key provider: never in a transaction. */
  seal(bucket: string, folder: string): Promise<FolderRow>
  /** @throws StrongroomError `damaged` where the note is another folder's */
  open(row: SealedPath): Promise<string>
}

const about = (noteId: string) => `folder:${noteId}`

export function folderNotes(
  keyRing: Pick<KeyRing, 'sealNote' | 'openNote'>,
  hashes: ObjectHashes,
): FolderNotes {
  return {
    seal: async (bucket, folder) => {
      const noteId = randomUUID()
      const note = await keyRing.sealNote(spaceOf(bucket), about(noteId), folder)
      return {
        ...{ folderId: randomUUID(), bucket, note: { noteId, ...note } },
        folderHash: hashes.ofFolder(bucket, folder),
        parentHash: hashes.ofFolder(bucket, parentOf(folder)),
        createdAt: new Date(),
      }
    },
    open: async ({ bucket, folderHash, note }) => {
      try {
        const folder = await keyRing.openNote(spaceOf(bucket), about(note.noteId), note)
        if (hashes.ofFolder(bucket, folder).equals(folderHash)) return folder
      } catch (cause) {
        if (!(cause instanceof CryptoError)) throw cause
        throw new StrongroomError('damaged', { cause })
      }
      throw new StrongroomError('damaged', { context: { reason: 'folder' } })
    },
  }
}

/** The principal whose key opens what is in a bucket. */
export const spaceOf = (bucket: string) => spaceIdOf({ kind: 'bucket', name: bucket })
