import { randomUUID } from 'node:crypto'
import { CryptoError } from '../crypto/crypto-error.js'
import { StrongroomError } from '../errors/strongroom-error.js'
import type { KeyRing } from '../keys/key-ring.js'
import type { StoredNote } from '../people/account-ports.js'
import type { DocumentRow } from './ports.js'

/** What was said of a document beforehand, and its bytes have to be. Only ever stored sealed. */
export interface DocumentFacts {
  /** Of an object in a bucket its whole key. */
  readonly filename: string
  /** Empty: not said, of an object in a bucket. */
  readonly contentType: string
  /** Bytes; null: not said. */
  readonly size: number | null
  /** 64 hexadecimal digits; null: not said. */
  readonly sha256: string | null
}

export interface DocumentNotes {
  seal(ownerId: string, facts: DocumentFacts): Promise<StoredNote>
  /** @throws StrongroomError `damaged` where the note is not this document's, `not_found` where it is gone */
  open(row: Pick<DocumentRow, 'ownerId' | 'note'>): Promise<DocumentFacts>
}

const about = (noteId: string) => `document:${noteId}`

/** Seals it under the key of the document's owner. */
export function documentNotes(keyRing: Pick<KeyRing, 'sealNote' | 'openNote'>): DocumentNotes {
  return {
    seal: async (ownerId, facts) => {
      const noteId = randomUUID()
      return { noteId, ...(await keyRing.sealNote(ownerId, about(noteId), JSON.stringify(facts))) }
    },
    open: async ({ ownerId, note }) => {
      if (note === null) throw new StrongroomError('not_found')
      try {
        const text = await keyRing.openNote(ownerId, about(note.noteId), note)
        return JSON.parse(text) as DocumentFacts
      } catch (cause) {
        if (!(cause instanceof CryptoError)) throw cause
        throw new StrongroomError('damaged', { cause })
      }
    },
  }
}
