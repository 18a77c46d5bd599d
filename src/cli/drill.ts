import { randomBytes } from 'node:crypto'
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { keysElsewhere } from '../backup/held-elsewhere.js'
import { type DrillReport, openSample } from '../backup/open-sample.js'
import type { Sample } from '../backup/sample-files.js'
import { localDiskReader } from '../blobs/local-disk-blob-store.js'
import { inspectConfig } from '../config.js'
import { copyEmbeddedDatabase } from '../db/copy-embedded-database.js'
import { untilBrokenOff } from './broken-off.js'
import { CommandFailure, type ExitCode, type Terminal, UsageError } from './context.js'
import { type OpenerOptions, openBackupFile } from './opener.js'
import { asCommand, onDatabase, operateKeyless } from './operate-keyless.js'
import { openRestoredKeys } from './restored-keys.js'
import { unusable } from './secret-file.js'

export interface DrillCommandOptions extends OpenerOptions {
  readonly backup: string
  readonly files: string
  readonly seed?: string
  readonly dataDir?: string
  readonly databaseUrlFile?: string
  readonly filesDir?: string
  readonly json?: boolean
}

/** Rows of files picked at random, and where their sealed bytes lie. */
interface Source {
  readonly sample: Sample
  readonly filesDir: string
  readonly from: string
}

interface Drill extends DrillReport {
  readonly backup_id: string
  readonly created_at: string
  readonly master_key_ids: readonly string[]
  /** Those that were used where they are held: no backup has them. */
  readonly held_elsewhere: readonly string[]
  readonly from: string
  readonly seed: string
  readonly seconds: number
  /** Whether the audit log of the deployment that the settings name says so. */
  readonly on_record: boolean
}

/**
 * `strongroom drill`: proves that a backup of the keys opens files, with the keys of the backup and no
 * others, but those it names as held by KMS or Vault, which are asked. They are never written anywhere.
 * 1 where a file or a key does not open.
 */
export async function drillCommand(
  terminal: Terminal,
  options: DrillCommandOptions,
): Promise<ExitCode> {
  const files = countOf(options.files)
  const seed = seedOf(options.seed)
  checkPlaces(options)
  return await untilBrokenOff(async (signal) => {
    const started = performance.now()
    const opened = await openBackupFile(terminal, options.backup, options)
    const { config } = inspectConfig(terminal.loadEnvironment(), terminal.cwd)
    const provider = await openRestoredKeys(opened, config.keys)
    const work = async () => {
      const { sample, filesDir, from } = await sourceOf(terminal, options, { files, seed }, signal)
      if (sample.files.length > 0) await mustBeFolder(filesDir)
      const blobs = localDiskReader({ folder: filesDir })
      const progress = (done: number, total: number) => {
        terminal.status?.(`drill: ${done} of ${total} files`)
      }
      const report = await openSample({ provider, blobs }, sample, { signal, progress })
      terminal.status?.('')
      return { report, from }
    }
    const drill = await asCommand(work).finally(() => provider.close())
    const seconds = Math.round((performance.now() - started) / 100) / 10
    const { backup_id, created_at, master_key_ids } = opened.header
    const about = { backup_id, created_at, master_key_ids, held_elsewhere: keysElsewhere(opened) }
    const facts = { ...about, from: drill.from, seed, seconds }
    const on_record = await record(terminal, { backup_id, ...drill.report }, signal)
    const result: Drill = { ...facts, ...drill.report, on_record }
    if (options.json === true) terminal.out(JSON.stringify(result))
    else for (const line of describe(result)) terminal.out(line)
    const isElsewhere = options.dataDir !== undefined || options.databaseUrlFile !== undefined
    return isSound(drill.report) && (on_record || isElsewhere) ? 0 : 1
  })
}

const isSound = ({ damaged_files, keys_that_do_not_fit: shut }: DrillReport) =>
  damaged_files === 0 && shut.length === 0

function countOf(text: string): number {
  const count = /^\d{1,5}$/.test(text) ? Number(text) : 0
  if (count < 1 || count > 10_000) {
    throw new UsageError('--files: expected a whole number from 1 to 10000')
  }
  return count
}

function seedOf(given: string | undefined): string {
  const seed = given ?? randomBytes(4).toString('hex')
  if (!/^[\w.-]{1,64}$/.test(seed)) {
    throw new UsageError('--seed: expected 1 to 64 letters, digits, points, dashes')
  }
  return seed
}

function checkPlaces({ dataDir, databaseUrlFile, filesDir }: DrillCommandOptions): void {
  if (dataDir !== undefined && databaseUrlFile !== undefined) {
    throw new UsageError('expected --data-dir or --database-url-file, not both')
  }
  if (databaseUrlFile !== undefined && filesDir === undefined) {
    throw new UsageError('--database-url-file: --files-dir names the sealed files that go with it')
  }
  if (filesDir !== undefined && databaseUrlFile === undefined && dataDir === undefined) {
    throw new UsageError('--files-dir goes with --data-dir or --database-url-file')
  }
}

type Sampling = { readonly files: number; readonly seed: string }

async function sourceOf(
  terminal: Terminal,
  { dataDir, databaseUrlFile, filesDir }: DrillCommandOptions,
  sampling: Sampling,
  signal: AbortSignal,
): Promise<Source> {
  const at = (path: string) => resolve(terminal.cwd, path)
  if (databaseUrlFile !== undefined) {
    const url = readOnlyUrl(await readLine(at(databaseUrlFile)), databaseUrlFile)
    const place = { databaseUrl: url, databasePoolSize: 2, databaseQueueSize: 100, dataDir: '' }
    const context = { signal, progress: () => undefined }
    const sample = await onDatabase(place, 'keys-drill-sample', sampling, context)
    return { sample, filesDir: at(filesDir ?? ''), from: 'a restored PostgreSQL database' }
  }
  if (dataDir !== undefined) {
    const sample = await sampleOfCopy(at(dataDir), sampling, signal)
    const files = filesDir === undefined ? join(at(dataDir), 'files') : at(filesDir)
    return { sample, filesDir: files, from: at(dataDir) }
  }
  const { config } = inspectConfig(terminal.loadEnvironment(), terminal.cwd)
  const sample = await operateKeyless(config, 'keys-drill-sample', sampling, signal)
  return { sample, filesDir: config.filesDir, from: 'the deployment itself' }
}

/** What was restored stays as it is: opening an embedded database changes it. */
async function sampleOfCopy(
  dataDir: string,
  sampling: Sampling,
  signal: AbortSignal,
): Promise<Sample> {
  const scratch = await mkdtemp(join(tmpdir(), 'strongroom-drill-'))
  try {
    const folder = join(dataDir, 'database')
    await mustBeFolder(folder)
    await copyEmbeddedDatabase(folder, join(scratch, 'database'))
    signal.throwIfAborted()
    const place = {
      databaseUrl: undefined,
      databasePoolSize: 1,
      databaseQueueSize: 100,
      dataDir: scratch,
    }
    const context = { signal, progress: () => undefined }
    return await onDatabase(place, 'keys-drill-sample', sampling, context, { migrates: true })
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}

async function mustBeFolder(path: string): Promise<void> {
  const facts = await stat(path).catch((error: unknown) => {
    throw unusable(path, error)
  })
  if (!facts.isDirectory()) throw new CommandFailure(`${path} is no folder`)
}

async function readLine(path: string): Promise<string> {
  try {
    return (await readFile(path, 'utf8')).trim()
  } catch (error) {
    throw unusable(path, error)
  }
}

/** The server itself refuses changes. The address holds a password: never repeated. */
function readOnlyUrl(text: string, name: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !/^postgres(?:ql)?:$/.test(url.protocol)) {
    throw new CommandFailure(`${name} holds no address such as postgres://user:password@host/name`)
  }
  const given = url.searchParams.get('options')
  const readOnly = '-c default_transaction_read_only=on'
  url.searchParams.set('options', given === null ? readOnly : `${given} ${readOnly}`)
  return url.href
}

/** False where there is no deployment to tell, as on a machine of its own. */
async function record(
  terminal: Terminal,
  report: DrillReport & { readonly backup_id: string },
  signal: AbortSignal,
): Promise<boolean> {
  const { config } = inspectConfig(terminal.loadEnvironment(), terminal.cwd)
  const { backup_id, files } = report
  const outcome = isSound(report) ? 'success' : 'failed'
  try {
    await operateKeyless(config, 'keys-drill-done', { backup_id, files, outcome }, signal)
    return true
  } catch (error) {
    if (!(error instanceof CommandFailure) || signal.aborted) throw error
    terminal.err(`notice: the drill is not in the audit log of a deployment: ${error.message}`)
    return false
  }
}

function describe(drill: Drill): string[] {
  const { files, bytes, damaged, damaged_files, keys_that_do_not_fit: shut } = drill
  const sound = files - damaged_files
  const elsewhere = drill.held_elsewhere
  const keys =
    elsewhere.length === 0
      ? 'the keys of the backup alone'
      : `the keys of the backup, and with what is held elsewhere (${elsewhere.join(', ')})`
  return [
    `Backup ${drill.backup_id} of ${drill.created_at}, against ${drill.from}:`,
    `${sound} of ${files} file versions opened from end to end with ${keys}, ${bytes} bytes, in ${drill.seconds} s (seed ${drill.seed})`,
    ...shut.map(
      ({ use, master_key_id }) =>
        `  ${use}: it takes master key ${master_key_id}, which the backup lacks: make a new one`,
    ),
    ...damaged.map(({ file_id, version, sealed_id, segment, reason }) => {
      const where = typeof segment === 'number' ? `segment ${segment}` : (segment ?? 'whole')
      return `  file ${file_id} version ${version}, sealed ${sealed_id}, ${where}: ${reason}`
    }),
    ...(files === 0 ? ['There are no files: only the keys were tried.'] : []),
    isSound(drill) ? 'The backup is good.' : 'The drill FAILED.',
  ]
}
