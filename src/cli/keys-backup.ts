import { randomUUID } from 'node:crypto'
import { mkdir, readFile, rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { keysElsewhere } from '../backup/held-elsewhere.js'
import { type MadeBackup, makeBackup, type Protection } from '../backup/make-backup.js'
import { type OpenedBackup, type Opener, openBackup } from '../backup/open-backup.js'
import { assertStrong } from '../backup/passphrase.js'
import { shareLimits } from '../backup/shares.js'
import { openKeyProvider } from '../compose-keys.js'
import { readDevelopmentMasterKey } from '../config/development-secrets.js'
import { writePrivateFile } from '../config/write-private-file.js'
import { type Config, readConfig } from '../config.js'
import { untilBrokenOff } from './broken-off.js'
import { CommandFailure, type ExitCode, type Terminal, UsageError } from './context.js'
import { passphraseOf } from './opener.js'
import { asCommand, operateKeyless } from './operate-keyless.js'
import { quiet } from './restored-keys.js'
import { isThere, unusable } from './secret-file.js'

export interface KeysBackupOptions {
  readonly out: string
  readonly passphraseFile?: string
  readonly shares?: string
  readonly sharesDir?: string
  readonly force?: boolean
  readonly json?: boolean
}

/**
 * `strongroom keys backup`: keys and passphrase stay in this process; the database is asked for rows that are
 * wrapped anyway. Nothing is left behind where it fails, and what is there is known to open.
 */
export async function keysBackupCommand(
  terminal: Terminal,
  options: KeysBackupOptions,
): Promise<ExitCode> {
  const terms = sharesOf(options)
  const path = resolve(terminal.cwd, options.out)
  if (options.force !== true && (await isThere(path))) throw alreadyThere(path)
  const config = readConfig(terminal.loadEnvironment(), terminal.cwd)
  const masterKeys = await configuredKeys(config)
  const protection = terms ?? { passphrase: await passphraseOf(terminal, options, { twice: true }) }
  return await untilBrokenOff<ExitCode>(async (signal) => {
    const made = await asCommand(() => make(config, masterKeys, protection, signal))
    const opener = 'passphrase' in protection ? protection : sharesOpener(made.shares)
    const opened = await asCommand(() => openBackup(made.text, opener))
    const shares = await writeAll(terminal, made, { ...options, path }, protection)
    const result = { ...resultOf(opened), file: path, shares }
    if (options.json === true) terminal.out(JSON.stringify(result))
    else for (const line of describe(opened, result, config.keys)) terminal.out(line)
    return 0
  })
}

function sharesOf({ shares, sharesDir, passphraseFile }: KeysBackupOptions) {
  if ((shares === undefined) !== (sharesDir === undefined)) {
    throw new UsageError('--shares and --shares-dir go together')
  }
  if (shares === undefined) return undefined
  if (passphraseFile !== undefined) {
    throw new UsageError('expected --passphrase-file or --shares, not both')
  }
  const [, k, n] = /^(\d{1,2})\/(\d{1,2})$/.exec(shares) ?? []
  const [threshold, count] = [Number(k), Number(n)]
  const { least, most } = shareLimits
  if (!(threshold >= least && threshold <= count && count <= most)) {
    throw new UsageError(`--shares: expected K/N such as 2/3, ${least} ≤ K ≤ N ≤ ${most}`)
  }
  return { threshold, shares: count }
}

/**
 * The keys that are here as texts of those this process would run the service with; none is made. There
 * may be none where somebody else holds the master key that wraps.
 */
async function configuredKeys(config: Config): Promise<readonly string[]> {
  if (config.keys.masterKeys !== undefined) return config.keys.masterKeys
  if (config.keys.provider !== 'local') return []
  const development = config.production ? undefined : await readDevelopmentMasterKey(config)
  if (development !== undefined) return [development]
  throw new CommandFailure('There is no master key here: MASTER_KEYS is absent')
}

async function make(
  config: Config,
  masterKeys: readonly string[],
  protection: Protection,
  signal: AbortSignal,
): Promise<MadeBackup> {
  if ('passphrase' in protection) assertStrong(protection.passphrase)
  const backupId = randomUUID()
  const rows = await operateKeyless(config, 'keys-backup-rows', { backup_id: backupId }, signal)
  if (!rows.some(({ use }) => use === 'check')) {
    throw new CommandFailure('The database has no check values yet: start the service once')
  }
  const provider = await openKeyProvider(config.keys, { masterKeys }, quiet)
  try {
    return await makeBackup({ provider, masterKeys }, rows, protection, backupId)
  } finally {
    await provider.close()
  }
}

/** Shares first: a backup without them all is of no use to anybody. */
async function writeAll(
  { cwd }: Terminal,
  { header, text, shares }: MadeBackup,
  { path, sharesDir, force }: KeysBackupOptions & { readonly path: string },
  protection: Protection,
): Promise<string[]> {
  const folder = sharesDir === undefined ? '' : resolve(cwd, sharesDir)
  const name = (at: number) =>
    join(folder, `${header.backup_id.slice(0, 8)}-share-${at + 1}-of-${shares.length}.txt`)
  const written: string[] = []
  try {
    if (shares.length > 0) await mkdir(folder, { recursive: true, mode: 0o700 })
    for (const [at, share] of shares.entries()) {
      if (!(await writePrivateFile(name(at), share))) throw alreadyThere(name(at))
      written.push(name(at))
    }
    if (!(await writePrivateFile(path, text, { replace: force === true }))) throw alreadyThere(path)
    written.push(path)
    const shareFiles = written.slice(0, -1)
    await asCommand(() => readBack(path, text, shareFiles, protection))
    return shareFiles
  } catch (error) {
    // What does not open would only be taken for a backup, and its shares for those of another.
    await Promise.all(written.map((each) => rm(each, { force: true })))
    throw error instanceof CommandFailure ? error : unusable(path, error)
  }
}

/** What lies on the disk is what was made, and opens. */
async function readBack(
  path: string,
  text: string,
  files: readonly string[],
  protection: Protection,
): Promise<void> {
  const found = await readFile(path, 'utf8')
  if (found !== text) throw new CommandFailure(`${path} was not kept as it was written`)
  if ('passphrase' in protection) {
    await openBackup(found, protection)
    return
  }
  const shares = await Promise.all(files.map((each) => readFile(each, 'utf8')))
  // Each share is part of one of these.
  await openBackup(found, sharesOpener(shares.slice(0, protection.threshold)))
  await openBackup(found, sharesOpener(shares.slice(-protection.threshold)))
  for (const share of shares) {
    const others = shares.filter((each) => each !== share).slice(0, protection.threshold - 1)
    await openBackup(found, sharesOpener([share, ...others]))
  }
}

const sharesOpener = (texts: readonly string[]): Opener => ({
  shares: texts.map((text, at) => ({ name: `share ${at + 1}`, text })),
})

function alreadyThere(path: string): CommandFailure {
  return new CommandFailure(`${path} is there already: nothing was written`)
}

/** Names what is not in the backup as well: nobody may find that out on the day it is needed. */
function resultOf(opened: OpenedBackup) {
  const { backup_id, created_at, master_key_ids } = opened.header
  const held_elsewhere = keysElsewhere(opened)
  return { backup_id, created_at, master_key_ids, held_elsewhere }
}

type Result = ReturnType<typeof resultOf> & {
  readonly file: string
  readonly shares: readonly string[]
}

function describe(
  { header: { protection }, content }: OpenedBackup,
  { backup_id, file, shares, held_elsewhere }: Result,
  keys: Config['keys'],
): string[] {
  return [
    `Wrote ${file}: backup ${backup_id} of ${content.master_keys.length} master keys. It was opened again.`,
    ...shares.map((share) => `Wrote ${share}`),
    ...(held_elsewhere.length === 0 ? [] : elsewhereLines(held_elsewhere, keys)),
    protection.kind === 'shares'
      ? `Any ${protection.threshold} of the ${protection.shares} shares open it: give each to somebody else, and none stays with the backup.`
      : 'Keep the passphrase elsewhere: without it the backup is of no use, and nobody can recover it.',
    'Keep it apart from the copies of the database, and try it with `strongroom drill`.',
  ]
}

function elsewhereLines(ids: readonly string[], { kms, vault }: Config['keys']): string[] {
  return [
    `NOT in it, as they never leave who holds them: master keys ${ids.join(', ')}. What only they open is lost with them.`,
    ...(kms.keyIds.length === 0
      ? []
      : [
          'AWS KMS: keep KMS_KEY_IDS and a way to be allowed these keys; never schedule one for deletion.',
        ]),
    ...(vault.keys.length === 0
      ? []
      : ['Vault: keep VAULT_TRANSIT_KEYS, and a snapshot of Vault itself with what unseals it.']),
  ]
}
