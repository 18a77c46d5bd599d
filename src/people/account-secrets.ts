import { randomUUID } from 'node:crypto'
import { CryptoError } from '../crypto/crypto-error.js'
import { StrongroomError } from '../errors/strongroom-error.js'
import type { KeyRing } from '../keys/key-ring.js'
import type { AccountRow, StoredNote } from './account-ports.js'
import { roles as allRoles, type Role } from './roles.js'

/** What an account says of a person. Only ever stored sealed. */
export interface AccountFacts {
  readonly email: string
  readonly fullName: string | null
  readonly roles: readonly Role[]
  readonly isActive: boolean
  readonly passwordHash: string
  /** Of the second factor, in base32; absent: none. */
  readonly totpSecret: string | null
  /** One that was begun and not yet confirmed. */
  readonly totpBegun: string | null
}

/** Seals what an account says under its person's key; a note is bound to its account. */
export interface AccountSecrets {
  seal(userId: string, facts: AccountFacts): Promise<StoredNote>
  /** @throws StrongroomError `damaged` where the note is not one of this account, `keys_unavailable` */
  open(row: Pick<AccountRow, 'userId' | 'note'>): Promise<AccountFacts>
}

const about = (noteId: string) => `account:${noteId}`

export function accountSecrets(keyRing: Pick<KeyRing, 'sealNote' | 'openNote'>): AccountSecrets {
  return {
    seal: async (userId, facts) => {
      const noteId = randomUUID()
      return { noteId, ...(await keyRing.sealNote(userId, about(noteId), JSON.stringify(facts))) }
    },
    open: async ({ userId, note }) => {
      try {
        return factsIn(await keyRing.openNote(userId, about(note.noteId), note))
      } catch (cause) {
        if (!(cause instanceof CryptoError)) throw cause
        throw new StrongroomError('damaged', { cause })
      }
    },
  }
}

function factsIn(text: string): AccountFacts {
  const facts = JSON.parse(text) as AccountFacts
  // A role that is none any more gives nothing.
  return { ...facts, roles: allRoles.filter((role) => facts.roles.includes(role)) }
}
