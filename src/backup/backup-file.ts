import { createHash } from 'node:crypto'
import { type Static, Type } from 'typebox'
import { CryptoError } from '../crypto/crypto-error.js'
import { openText, sealText } from '../crypto/fernet.js'
import type { FernetKey } from '../crypto/fernet-key.js'
import { StrongroomError } from '../errors/strongroom-error.js'
import { termLimits } from './passphrase.js'
import { shareLimits } from './shares.js'

const strict = { additionalProperties: false }
const range = ([minimum, maximum]: readonly [number, number]) => ({ minimum, maximum })
const shareCount = Type.Integer({ minimum: shareLimits.least, maximum: shareLimits.most })
const masterKeyId = Type.String({ pattern: '^[A-Za-z0-9:/._-]{1,256}$' })

const protection = Type.Union([
  Type.Object(
    {
      kind: Type.Literal('passphrase'),
      kdf: Type.Literal('argon2id'),
      memory_kib: Type.Integer(range(termLimits.memory_kib)),
      passes: Type.Integer(range(termLimits.passes)),
      lanes: Type.Integer(range(termLimits.lanes)),
      salt: Type.String({ pattern: '^[A-Za-z0-9_-]{22}==$' }),
    },
    strict,
  ),
  Type.Object({ kind: Type.Literal('shares'), threshold: shareCount, shares: shareCount }, strict),
])

const headerFields = {
  what: Type.Literal('strongroom key backup'),
  version: Type.Literal(1),
  backup_id: Type.String({ pattern: '^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$' }),
  created_at: Type.String({ pattern: String.raw`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$` }),
  /** Nothing of a key can be told from its id. */
  master_key_ids: Type.Array(masterKeyId, { maxItems: 64 }),
  protection,
}
const file = Type.Object(
  { ...headerFields, sealed: Type.String(), sha256: Type.String({ pattern: '^[0-9a-f]{64}$' }) },
  strict,
)
const content = Type.Object(
  {
    master_keys: Type.Array(Type.Object({ id: masterKeyId, key: Type.String() }, strict)),
    deployment_keys: Type.Array(
      Type.Object(
        { use: Type.String(), master_key_id: Type.String(), wrapped: Type.String() },
        strict,
      ),
    ),
  },
  strict,
)

/** What a backup says of itself in the open. All of it is inside what is authenticated as well. */
export type BackupHeader = Omit<Static<typeof file>, 'sealed' | 'sha256'>
export type SealedBackup = Static<typeof file>

/** Hundreds of modules, which a service that opens no backup need not load. */
const checking = () => import('typebox/value')

/** What is backed up. Secret: never to be printed. */
export type KeyBackup = Static<typeof content>

/** Bytes of a backup's file; real ones are far below. */
export const maxBackupBytes = 1_048_576

/** The text of a backup's file. */
export function sealBackup(header: BackupHeader, backup: KeyBackup, key: FernetKey): string {
  const outside = JSON.stringify(headerOf(header))
  const plaintext = Buffer.from(`${outside}\n${JSON.stringify(backup)}`)
  try {
    return render(header, sealText(key, plaintext))
  } finally {
    plaintext.fill(0)
  }
}

/**
 * Reads the file's outside; what it says is not yet known to be true.
 * @throws StrongroomError `damaged` where it is no backup, was changed anywhere, or asks for too much
 */
export async function parseBackup(text: string): Promise<SealedBackup> {
  const { Check } = await checking()
  const found = parseJson(text)
  if (!Check(file, found)) {
    throw damaged('This is no key backup of a known version, or its outside is damaged')
  }
  // One backup, one text: a changed space would otherwise pass.
  if (render(headerOf(found), found.sealed) !== text) {
    throw damaged('The backup is damaged: its SHA-256 does not fit. Take another copy of the file')
  }
  const { protection: terms } = found
  if (terms.kind === 'shares' && terms.threshold > terms.shares) {
    throw damaged('The backup asks for more shares than it says there are')
  }
  return found
}

/** @throws StrongroomError `forbidden` for another key; `damaged` where the outside was tampered with */
export async function unsealBackup(backup: SealedBackup, key: FernetKey): Promise<KeyBackup> {
  const { Check } = await checking()
  const header = headerOf(backup)
  const plaintext = unseal(backup.sealed, key, header.protection.kind)
  try {
    const at = plaintext.indexOf('\n')
    if (at < 0 || plaintext.toString('utf8', 0, at) !== JSON.stringify(header)) {
      throw damaged('The backup was tampered with: its outside is not the one that was sealed')
    }
    const found = parseJson(plaintext.toString('utf8', at + 1))
    if (!Check(content, found)) throw damaged('The backup opens, but holds something else')
    return found
  } finally {
    plaintext.fill(0)
  }
}

/** The file is whole: that was seen before. */
function unseal(sealed: string, key: FernetKey, kind: 'passphrase' | 'shares'): Buffer {
  try {
    return openText(key, sealed)
  } catch (error) {
    if (!(error instanceof CryptoError)) throw error
    if (error.reason === 'malformed') throw damaged('The backup holds no token')
    const what =
      kind === 'passphrase' ? 'passphrase is wrong' : 'shares are not those of this backup'
    throw new StrongroomError('forbidden', {
      detail: `The ${what}. (The file is whole, unless someone tampered with it on purpose.)`,
    })
  }
}

/** In the order in which they are written, which is part of what is sealed. */
export function headerOf(backup: BackupHeader): BackupHeader {
  const { what, version, backup_id, created_at, master_key_ids, protection: terms } = backup
  return { what, version, backup_id, created_at, master_key_ids, protection: inOrder(terms) }
}

function inOrder(terms: BackupHeader['protection']): BackupHeader['protection'] {
  if (terms.kind === 'shares') {
    return { kind: terms.kind, threshold: terms.threshold, shares: terms.shares }
  }
  const { kind, kdf, memory_kib, passes, lanes, salt } = terms
  return { kind, kdf, memory_kib, passes, lanes, salt }
}

function render(header: BackupHeader, sealed: string): string {
  const all = { ...headerOf(header), sealed }
  const sha256 = createHash('sha256').update(JSON.stringify(all)).digest('hex')
  return `${JSON.stringify({ ...all, sha256 }, undefined, 2)}\n`
}

/** The parser's own error would repeat the text. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function damaged(detail: string): StrongroomError {
  return new StrongroomError('damaged', { detail })
}
