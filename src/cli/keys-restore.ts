import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { rowsThatStayShut } from '../backup/check-rows.js'
import { heldKeys, isUnder, keysElsewhere } from '../backup/held-elsewhere.js'
import { type OpenedBackup, renderKeys } from '../backup/open-backup.js'
import type { KeptRow, PublicHalf } from '../backup/ports.js'
import { publicHalfOf } from '../backup/public-half.js'
import { writePrivateFile } from '../config/write-private-file.js'
import { inspectConfig } from '../config.js'
import { CryptoError } from '../crypto/crypto-error.js'
import type { KeyProvider } from '../keys/key-provider.js'
import type { ComparedKeys } from '../operations/backup-operations.js'
import { untilBrokenOff } from './broken-off.js'
import { CommandFailure, type ExitCode, type Terminal, UsageError } from './context.js'
import { type OpenerOptions, openBackupFile } from './opener.js'
import { operateKeyless } from './operate-keyless.js'
import { isThere, unusable } from './secret-file.js'

export interface KeysRestoreOptions extends OpenerOptions {
  readonly file: string
  readonly out?: string
  readonly checkValues?: boolean
  readonly json?: boolean
}

interface Restored {
  readonly backup_id: string
  readonly created_at: string
  readonly master_key_ids: readonly string[]
  /** Those that no backup has, and that are not compared with anything here. */
  readonly held_elsewhere: readonly string[]
  readonly file: string | null
  /** `not_reached`: nothing was compared, `reason` says why. */
  readonly database: 'fits' | 'does_not_fit' | 'not_reached'
  readonly reason: string | null
  readonly keys_that_do_not_fit: readonly Named[]
  /** What the database lost, and whether it was put back. */
  readonly lost: readonly Named[]
  readonly put_back: readonly Named[]
}

type Named = Pick<KeptRow, 'use' | 'master_key_id'>

/** `strongroom keys restore`: 1 where the keys are not those of the database that could be reached. */
export async function keysRestoreCommand(
  terminal: Terminal,
  options: KeysRestoreOptions,
): Promise<ExitCode> {
  const { out, checkValues } = options
  if (out === undefined && checkValues !== true) {
    throw new UsageError(
      '--out names the file for the master keys, --check-values mends a database',
    )
  }
  const path = out === undefined ? undefined : resolve(terminal.cwd, out)
  if (path !== undefined && (await isThere(path))) throw alreadyThere(path)
  return await untilBrokenOff(async (signal) => {
    const opened = await openBackupFile(terminal, options.file, options)
    if (path !== undefined) await writeKeys(path, opened)
    const compared = await compare(terminal, opened, checkValues === true, signal)
    const { backup_id, created_at, master_key_ids } = opened.header
    const held_elsewhere = keysElsewhere(opened)
    const about = { backup_id, created_at, master_key_ids, held_elsewhere, file: path ?? null }
    const restored = { ...about, ...compared }
    if (options.json === true) terminal.out(JSON.stringify(restored))
    else for (const line of describe(restored, checkValues === true)) terminal.out(line)
    const isMissing = checkValues === true && restored.database === 'not_reached'
    return restored.database === 'does_not_fit' || isMissing ? 1 : 0
  })
}

async function writeKeys(path: string, { content, header }: OpenedBackup): Promise<void> {
  if (content.master_keys.length === 0) {
    throw new CommandFailure(
      `There is no key in this backup: ${header.master_key_ids.join(', ')} are held by AWS KMS or Vault, and never leave it. --check-values without --out mends a database`,
    )
  }
  const text = renderKeys(content)
  try {
    if (!(await writePrivateFile(path, text))) throw alreadyThere(path)
    if ((await readFile(path, 'utf8')) !== text) throw new CommandFailure(`${path} was not kept`)
  } catch (error) {
    throw error instanceof CommandFailure ? error : unusable(path, error)
  }
}

function alreadyThere(path: string): CommandFailure {
  return new CommandFailure(`${path} is there already: nothing was written`)
}

type Comparison = Omit<
  Restored,
  'backup_id' | 'created_at' | 'master_key_ids' | 'held_elsewhere' | 'file'
>

const nothing = { keys_that_do_not_fit: [], lost: [], put_back: [] }

/** With the database of the settings, which may lack everything else: it may be all there is left. */
async function compare(
  terminal: Terminal,
  opened: OpenedBackup,
  mends: boolean,
  signal: AbortSignal,
): Promise<Comparison> {
  const { config, reading } = inspectConfig(terminal.loadEnvironment(), terminal.cwd)
  const notReached = (reason: string): Comparison => ({
    ...{ database: 'not_reached', reason, ...nothing },
  })
  if (reading.wrong.has('DATABASE_URL')) return notReached('DATABASE_URL is not right')
  const input = { backup_id: opened.header.backup_id, rows: opened.content.deployment_keys }
  try {
    const found = await operateKeyless(config, 'keys-restore-rows', input, signal)
    const { shut, isOther, half } = await tryKeys(opened, found)
    const lost = found.lost.map(named)
    const fit = { reason: null, keys_that_do_not_fit: shut.map(named), lost, put_back: [] }
    // Rows of one database in another would keep it from ever starting with its own keys.
    if (isOther) return { database: 'does_not_fit', ...fit }
    const mending = half === undefined ? input : { ...input, signing_key: half }
    const put_back = mends ? await operateKeyless(config, 'keys-put-back', mending, signal) : []
    return { database: 'fits', ...fit, put_back: put_back.map(named) }
  } catch (error) {
    if (!(error instanceof CommandFailure) || signal.aborted) throw error
    return notReached(error.message)
  }
}

interface Tried {
  readonly shut: readonly KeptRow[]
  readonly isOther: boolean
  readonly half: PublicHalf | undefined
}

/** With the keys in the backup. What is held elsewhere wrapped is no business of theirs. */
async function tryKeys(opened: OpenedBackup, found: ComparedKeys): Promise<Tried> {
  const provider = heldKeys(opened)
  const elsewhere = keysElsewhere(opened)
  const isTried = ({ wrapped }: { readonly wrapped: string }) => !isUnder(elsewhere, wrapped)
  const shut = await rowsThatStayShut(provider, found.rows.filter(isTried))
  const signing = found.lost.find(({ use }) => use === 'signing-key')
  const half = signing === undefined ? undefined : await publicHalfOf(provider, signing)
  const known = found.signing_key_id
  // The service would not start with another one.
  const foreign =
    signing !== undefined && half !== undefined && known !== null && half.key_id !== known
      ? [signing]
      : []
  const opens = await opensAny(provider, found.user_keys.filter(isTried))
  const all = [...shut, ...foreign]
  return { shut: all, isOther: all.length > 0 || !opens, half }
}

const named = ({ use, master_key_id }: KeptRow): Named => ({ use, master_key_id })

/** A backup older than a rotation opens some of them; one of other keys none. */
async function opensAny(
  provider: Pick<KeyProvider, 'unwrap'>,
  userKeys: ComparedKeys['user_keys'],
): Promise<boolean> {
  for (const { user, version, wrapped } of userKeys) {
    try {
      const key = await provider.unwrap(wrapped, { use: 'user-key', user, version })
      key.destroy()
      return true
    } catch (error) {
      if (!(error instanceof CryptoError)) throw error
    }
  }
  return userKeys.length === 0
}

function describe(restored: Restored, mends: boolean): string[] {
  const { file, master_key_ids, created_at, lost, put_back } = restored
  return [
    `Backup ${restored.backup_id} of ${created_at}: master keys ${master_key_ids.join(', ')}`,
    ...(file === null
      ? []
      : [`Wrote ${file}, readable by you alone: MASTER_KEYS_FILE names it to the service.`]),
    ...databaseLines(restored),
    ...put_back.map(({ use, master_key_id }) => `Put back: ${use} of master key ${master_key_id}`),
    ...(mends && restored.database === 'fits' ? leftOut(restored) : []),
    ...(lost.length > 0 && !mends
      ? [
          `The database lost ${lost.map(({ use }) => use).join(', ')}: --check-values puts back what it lost.`,
        ]
      : []),
    ...(mends && restored.database === 'fits' && lost.length === 0
      ? ['The database lost nothing that the backup has.']
      : []),
  ]
}

/** The key that signs, where nothing tells its public half; a check value of what was retired. */
function leftOut({ lost, put_back }: Restored): string[] {
  const isBack = (row: Named) =>
    put_back.some(({ use, master_key_id: id }) => use === row.use && id === row.master_key_id)
  return lost
    .filter((row) => !isBack(row))
    .map(({ use, master_key_id }) => `Not put back: ${use} of master key ${master_key_id}`)
}

function fittingLines({ held_elsewhere: elsewhere, master_key_ids: ids }: Restored): string[] {
  if (elsewhere.length === 0) return ['They open what the database has.']
  return [
    elsewhere.length === ids.length
      ? 'The database needs no master key that the backup does not name.'
      : 'Those in the backup open what they wrap in the database.',
    `Not tried, as they are held by AWS KMS or Vault: ${elsewhere.join(', ')}. \`strongroom drill\` uses them.`,
  ]
}

function databaseLines(restored: Restored): string[] {
  const { database, reason, master_key_ids: ids, keys_that_do_not_fit: shut } = restored
  if (database === 'fits') return fittingLines(restored)
  if (database === 'not_reached') {
    return [`Not compared with a database: ${reason ?? ''}. Try \`strongroom drill\`.`]
  }
  return [
    'They are NOT the keys of the database that the settings name; nothing was changed in it.',
    ...shut.map(({ use, master_key_id: id }) =>
      ids.includes(id)
        ? `  ${use}: not the one under master key ${id} that the backup goes with`
        : `  ${use}: it takes master key ${id}, which this backup lacks`,
    ),
  ]
}
