import { randomBytes } from 'node:crypto'
import { hashRaw } from '@node-rs/argon2'
import { encodeBase64Url } from '../crypto/base64url.js'
import { FernetKey } from '../crypto/fernet-key.js'
import { StrongroomError } from '../errors/strongroom-error.js'

/** How a key is made of a passphrase (RFC 9106): written into the backup. */
export interface PassphraseTerms {
  readonly kind: 'passphrase'
  readonly kdf: 'argon2id'
  readonly memory_kib: number
  readonly passes: number
  readonly lanes: number
  /** 16 random bytes in base64. */
  readonly salt: string
}

/**
 * What a backup may ask for: less would be weak, more would let a hostile file take the machine's
 * memory or hours of its time.
 */
export const termLimits = {
  memory_kib: [65_536, 1_048_576],
  passes: [3, 16],
  lanes: [1, 16],
} as const

const saltBytes = 16

/** The terms of a new backup: 128 MiB, 4 passes, twice what RFC 9106 section 4 asks of small machines. */
export function newTerms(): PassphraseTerms {
  const salt = encodeBase64Url(randomBytes(saltBytes))
  return { kind: 'passphrase', kdf: 'argon2id', memory_kib: 131_072, passes: 4, lanes: 4, salt }
}

/**
 * Argon2id, version 0x13, which is the package's default; off the event loop. The same text typed on any keyboard gives
 * the same key: Unicode NFC.
 */
export async function keyFromPassphrase(
  passphrase: string,
  terms: PassphraseTerms,
): Promise<FernetKey> {
  const bytes = await hashRaw(passphrase.normalize('NFC'), {
    memoryCost: terms.memory_kib,
    timeCost: terms.passes,
    parallelism: terms.lanes,
    salt: Buffer.from(terms.salt, 'base64url'),
    outputLen: 32,
  })
  try {
    return FernetKey.fromBytes(bytes)
  } finally {
    bytes.fill(0)
  }
}

const LEAST_CHARACTERS = 16
const MOST_CHARACTERS = 1024
const LEAST_DIFFERENT = 8

/**
 * Whoever has the file can try passphrases for ever.
 * @throws StrongroomError `invalid_field` for one that is too short or too simple
 */
export function assertStrong(passphrase: string): void {
  const characters = Array.from(passphrase)
  const enough =
    characters.length >= LEAST_CHARACTERS &&
    characters.length <= MOST_CHARACTERS &&
    new Set(characters).size >= LEAST_DIFFERENT
  if (enough) return
  throw new StrongroomError('invalid_field', {
    detail: `The passphrase is too weak: expected ${LEAST_CHARACTERS} to ${MOST_CHARACTERS} characters, ${LEAST_DIFFERENT} of them different. Six random words are good`,
  })
}
