import { CryptoError } from '../crypto/crypto-error.js'
import { openText, sealText } from '../crypto/fernet.js'
import type { FernetKey } from '../crypto/fernet-key.js'
import type { UserKey, UserKeys } from './user-keys.js'
import { type GrantBasis, unwrapKey, wrapKey } from './wrapping.js'

/** For whom, and on what terms, a file key is wrapped: bound into the wrapping. */
export interface FileKeyTerms {
  readonly userId: string
  readonly basis: GrantBasis
  readonly expiresAt: Date | null
}

export interface WrappedFileKey {
  readonly userKeyVersion: number
  readonly wrapped: string
}

/** A text of a few words sealed under one person's key, bound to the thing it belongs to. */
export interface SealedNote {
  readonly sealed: string
  readonly userKeyVersion: number
}

/** Envelope encryption: file keys wrapped for people, people's keys wrapped by the master key. */
export interface KeyRing {
  /** Wraps the key of one sealing for a person. May reach the key provider: never in a transaction. */
  wrapFileKey(fileKey: FernetKey, sealedId: string, terms: FileKeyTerms): Promise<WrappedFileKey>
  /** @throws CryptoError where the wrapping is another's, another file's or on other terms */
  unwrapFileKey(row: WrappedFileKey, sealedId: string, terms: FileKeyTerms): Promise<FernetKey>
  /** Seals a short text, such as a grant's purpose, for `userId`; `about` is the thing's id. */
  sealNote(userId: string, about: string, text: string): Promise<SealedNote>
  openNote(userId: string, about: string, note: SealedNote): Promise<string>
}

export function keyRing(users: UserKeys): KeyRing {
  return {
    wrapFileKey: async (fileKey, sealedId, terms) => {
      const user = await users.forWrapping(terms.userId)
      const wrapped = wrapKey(user.key, fileKey, fileKeyClaims(user, sealedId, terms))
      return { userKeyVersion: user.version, wrapped }
    },
    unwrapFileKey: async (row, sealedId, terms) => {
      const user = await users.forOpening(terms.userId, row.userKeyVersion)
      return unwrapKey(user.key, row.wrapped, fileKeyClaims(user, sealedId, terms))
    },
    sealNote: async (userId, about, text) => {
      const user = await users.forWrapping(userId)
      const plaintext = JSON.stringify([...noteLabel(user, about), text])
      return { sealed: sealText(user.key, Buffer.from(plaintext)), userKeyVersion: user.version }
    },
    openNote: async (userId, about, note) => {
      const user = await users.forOpening(userId, note.userKeyVersion)
      const found = parseNote(openText(user.key, note.sealed))
      const label = noteLabel(user, about)
      const text: unknown = found[label.length]
      const fits =
        found.length === label.length + 1 && label.every((word, at) => found[at] === word)
      if (!fits || typeof text !== 'string') throw new CryptoError('label')
      return text
    },
  }
}

function fileKeyClaims(user: UserKey, sealedId: string, terms: FileKeyTerms) {
  return {
    use: 'file-key',
    sealed_id: sealedId,
    format: 1,
    user: terms.userId,
    user_key_version: user.version,
    basis: terms.basis,
    expires_at: terms.expiresAt?.toISOString() ?? null,
  } as const
}

/** What is no JSON was sealed as something else; the parser's error would repeat its beginning. */
function parseNote(plaintext: Buffer): readonly unknown[] {
  try {
    const found: unknown = JSON.parse(plaintext.toString('utf8'))
    return Array.isArray(found) ? found : []
  } catch {
    return []
  } finally {
    plaintext.fill(0)
  }
}

/** A note is never taken for a wrapping: those begin with a key, this with a bracket. */
function noteLabel(user: UserKey, about: string): readonly (string | number)[] {
  return ['note', user.userId, user.version, about]
}
