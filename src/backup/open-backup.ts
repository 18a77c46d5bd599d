import { FernetKey } from '../crypto/fernet-key.js'
import { StrongroomError } from '../errors/strongroom-error.js'
import { localKeyProvider } from '../keys/local-key-provider.js'
import {
  type BackupHeader,
  headerOf,
  type KeyBackup,
  parseBackup,
  unsealBackup,
} from './backup-file.js'
import { rowsThatStayShut } from './check-rows.js'
import { keyFromPassphrase } from './passphrase.js'
import { joinShares, parseShare } from './shares.js'

/** What a backup is opened with: one or the other, as it was made. */
export type Opener =
  | { readonly passphrase: string }
  /** Texts of shares, each with the name it is spoken of by. */
  | { readonly shares: readonly { readonly name: string; readonly text: string }[] }

export interface OpenedBackup {
  readonly header: BackupHeader
  /** Secret. */
  readonly content: KeyBackup
}

/**
 * Opens the text of a backup's file, and with the keys in it the rows in it.
 * @throws StrongroomError `damaged`, `forbidden` (wrong passphrase), `conflict` or `invalid_field` (shares)
 */
export async function openBackup(text: string, opener: Opener): Promise<OpenedBackup> {
  const sealed = await parseBackup(text)
  const key = await keyOf(sealed, opener)
  try {
    const content = await unsealBackup(sealed, key)
    await assertWhole(content)
    return { header: headerOf(sealed), content }
  } finally {
    key.destroy()
  }
}

async function keyOf({ protection, backup_id }: BackupHeader, opener: Opener): Promise<FernetKey> {
  if (protection.kind === 'passphrase') {
    if (!('passphrase' in opener)) throw wrongKind('a passphrase opens this backup, not shares')
    return await keyFromPassphrase(opener.passphrase, protection)
  }
  if (!('shares' in opener)) throw wrongKind('shares open this backup, not a passphrase')
  const shares = opener.shares.map(({ text, name }) => parseShare(text, name))
  const secret = await joinShares(shares, backup_id, protection)
  try {
    return FernetKey.fromBytes(secret)
  } finally {
    secret.fill(0)
  }
}

/**
 * Authentic is not yet right: what is inside must be keys, and open what they wrap. Rows of a master key
 * that is held elsewhere are kept untried.
 */
async function assertWhole({ master_keys, deployment_keys }: KeyBackup): Promise<void> {
  if (master_keys.length === 0) return
  const provider = localKeyProvider(master_keys.map(({ key }) => key))
  const isNamed = master_keys.every(({ id }, at) => provider.masterKeyIds[at] === id)
  const here = new Set<string>(provider.masterKeyIds)
  const own = deployment_keys.filter(({ master_key_id: id }) => here.has(id))
  const shut = await rowsThatStayShut(provider, own)
  if (isNamed && shut.length === 0) return
  throw new StrongroomError('damaged', { detail: 'The keys in the backup are not those it names' })
}

function wrongKind(detail: string): StrongroomError {
  return new StrongroomError('invalid_field', { detail: `Not opened: ${detail}` })
}

/** The keys as MASTER_KEYS_FILE takes them: one a line, the one that wraps first. */
export function renderKeys({ master_keys }: KeyBackup): string {
  return master_keys.map(({ key }) => `${key}\n`).join('')
}
