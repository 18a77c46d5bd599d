import { randomBytes, randomUUID } from 'node:crypto'
import { FernetKey } from '../crypto/fernet-key.js'
import { StrongroomError } from '../errors/strongroom-error.js'
import type { KeyProvider } from '../keys/key-provider.js'
import { localKeyProvider } from '../keys/local-key-provider.js'
import { type BackupHeader, type KeyBackup, sealBackup } from './backup-file.js'
import { rowsThatStayShut } from './check-rows.js'
import { assertStrong, keyFromPassphrase, newTerms } from './passphrase.js'
import type { KeptRow } from './ports.js'
import { renderShare, type ShareTerms, splitSecret } from './shares.js'

export type Protection = { readonly passphrase: string } | Omit<ShareTerms, 'kind'>

export interface MadeBackup {
  readonly header: BackupHeader
  /** What is written to the file. */
  readonly text: string
  /** What is written down for each holder of a share; none with a passphrase. */
  readonly shares: readonly string[]
}

interface Dependencies {
  readonly provider: Pick<KeyProvider, 'masterKeyIds' | 'unwrap'>
  /** Those of the provider's keys that are here as texts; one that KMS holds never leaves it. */
  readonly masterKeys: readonly string[]
}

/**
 * Seals the master keys with the rows that prove them.
 * @throws StrongroomError `conflict` where a row does not open with these keys: a backup of keys that
 * cannot open the data is worse than none; `invalid_field` for a weak passphrase
 */
export async function makeBackup(
  { provider, masterKeys }: Dependencies,
  rows: readonly KeptRow[],
  protection: Protection,
  backupId: string = randomUUID(),
): Promise<MadeBackup> {
  const [shut] = await rowsThatStayShut(provider, rows)
  if (shut !== undefined) {
    throw new StrongroomError('conflict', {
      detail: `These are not the keys of this database: the ${shut.use} under master key ${shut.master_key_id} does not open. Nothing was written`,
    })
  }
  const content: KeyBackup = {
    master_keys: masterKeys.map((key) => ({ id: localKeyId(key), key })),
    deployment_keys: rows.map(({ use, master_key_id, wrapped }) => ({
      use,
      master_key_id,
      wrapped,
    })),
  }
  const about = { what: 'strongroom key backup', version: 1, backup_id: backupId } as const
  const header = {
    ...about,
    created_at: new Date().toISOString(),
    master_key_ids: [...provider.masterKeyIds],
  }
  return 'passphrase' in protection
    ? await underPassphrase(header, content, protection.passphrase)
    : await underShares(header, content, protection)
}

function localKeyId(key: string): string {
  return localKeyProvider([key]).masterKeyIds[0]
}

type Unprotected = Omit<BackupHeader, 'protection'>

async function underPassphrase(
  about: Unprotected,
  content: KeyBackup,
  passphrase: string,
): Promise<MadeBackup> {
  assertStrong(passphrase)
  const terms = newTerms()
  const key = await keyFromPassphrase(passphrase, terms)
  const header = { ...about, protection: terms }
  try {
    return { header, text: sealBackup(header, content, key), shares: [] }
  } finally {
    key.destroy()
  }
}

async function underShares(
  about: Unprotected,
  content: KeyBackup,
  terms: Omit<ShareTerms, 'kind'>,
): Promise<MadeBackup> {
  const secret = randomBytes(32)
  const key = FernetKey.fromBytes(secret)
  const header = { ...about, protection: { kind: 'shares' as const, ...terms } }
  try {
    const shares = await splitSecret(secret, about.backup_id, terms)
    return { header, text: sealBackup(header, content, key), shares: shares.map(renderShare) }
  } finally {
    key.destroy()
    secret.fill(0)
  }
}
