import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { rowsThatStayShut } from '../backup/check-rows.js'
import { type OpenedBackup, renderKeys } from '../backup/open-backup.js'
import type { KeptRow } from '../backup/ports.js'
import { writePrivateFile } from '../config/write-private-file.js'
import { inspectConfig } from '../config.js'
import { CryptoError } from '../crypto/crypto-error.js'
import type { KeyProvider } from '../keys/key-provider.js'
import { localKeyProvider } from '../keys/local-key-provider.js'
import type { ComparedKeys } from '../operations/backup-operations.js'
import { untilBrokenOff } from './broken-off.js'
import { CommandFailure, type ExitCode, type Terminal, UsageError } from './context.js'
import { isThere, type OpenerOptions, openBackupFile, unusable } from './opener.js'
import { operateKeyless } from './operate-keyless.js'

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
    const restored = { backup_id, created_at, master_key_ids, file: path ?? null, ...compared }
    if (options.json === true) terminal.out(JSON.stringify(restored))
    else for (const line of describe(restored, checkValues === true)) terminal.out(line)
    const isMissing = checkValues === true && restored.database === 'not_reached'
    return restored.database === 'does_not_fit' || isMissing ? 1 : 0
  })
}

async function writeKeys(path: string, { content, header }: OpenedBackup): Promise<void> {
  if (content.master_keys.length === 0) {
    throw new CommandFailure(
      `There is no key in this backup: ${header.master_key_ids.join(', ')} never leave their provider`,
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

type Comparison = Omit<Restored, 'backup_id' | 'created_at' | 'master_key_ids' | 'file'>

const nothing = { keys_that_do_not_fit: [], lost: [], put_back: [] }

/** With the database of the settings, which may lack everything else: it may be all there is left. */
async function compare(
  terminal: Terminal,
  { header, content }: OpenedBackup,
  mends: boolean,
  signal: AbortSignal,
): Promise<Comparison> {
  const { config, reading } = inspectConfig(terminal.loadEnvironment(), terminal.cwd)
  const notReached = (reason: string): Comparison => ({
    ...{ database: 'not_reached', reason, ...nothing },
  })
  if (reading.wrong.has('DATABASE_URL')) return notReached('DATABASE_URL is not right')
  if (content.master_keys.length === 0) return notReached('There is no key to compare with')
  const input = { backup_id: header.backup_id, rows: content.deployment_keys }
  try {
    const found = await operateKeyless(config, 'keys-restore-rows', input, signal)
    const provider = localKeyProvider(content.master_keys.map(({ key }) => key))
    const shut = await rowsThatStayShut(provider, found.rows)
    const isOther = shut.length > 0 || !(await opensAny(provider, found.user_keys))
    const lost = found.lost.map(named)
    const fit = { reason: null, keys_that_do_not_fit: shut.map(named), lost, put_back: [] }
    // Rows of one database in another would keep it from ever starting with its own keys.
    if (isOther) return { database: 'does_not_fit', ...fit }
    const put_back = mends ? await operateKeyless(config, 'keys-put-back', input, signal) : []
    return { database: 'fits', ...fit, put_back: put_back.map(named) }
  } catch (error) {
    if (!(error instanceof CommandFailure) || signal.aborted) throw error
    return notReached(error.message)
  }
}

const named = ({ use, master_key_id }: KeptRow): Named => ({ use, master_key_id })

/** A backup older than a rotation opens some of them; one of other keys none. */
async function opensAny(
  provider: KeyProvider,
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
    ...(lost.length > 0 && !mends
      ? [
          `The database lost ${lost.map(({ use }) => use).join(', ')}: --check-values puts back what it lost.`,
        ]
      : []),
    ...(mends && restored.database === 'fits' && put_back.length === 0
      ? ['The database lost nothing that the backup has.']
      : []),
  ]
}

function databaseLines({ database, reason, keys_that_do_not_fit: shut }: Restored): string[] {
  if (database === 'fits') return ['They open what the database has.']
  if (database === 'not_reached') {
    return [`Not compared with a database: ${reason ?? ''}. Try \`strongroom drill\`.`]
  }
  return [
    'They are NOT the keys of the database that the settings name; nothing was changed in it.',
    ...shut.map(
      ({ use, master_key_id }) =>
        `  ${use}: it takes master key ${master_key_id}, which this backup lacks`,
    ),
  ]
}
