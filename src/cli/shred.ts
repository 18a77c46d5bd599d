import { type ExitCode, type Terminal, UsageError } from './context.js'
import { operate } from './operate.js'
import { eitherOf, operatorName } from './operator-name.js'

export interface ShredOptions {
  readonly file?: string
  readonly version?: string
  readonly person?: string
  readonly yes?: boolean
  readonly rewrite?: boolean
  readonly finish?: string
  readonly by?: string
  readonly json?: boolean
}

/** `strongroom shred`: the certificate on standard output, everything else on standard error. */
export async function shredCommand(terminal: Terminal, options: ShredOptions): Promise<ExitCode> {
  const erasureId = options.finish ?? (await begin(terminal, options))
  if (erasureId === undefined) return 0
  const finished = await operate(terminal, 'shred-finish', {
    erasure_id: checkedId(erasureId),
    rewrite: options.rewrite === true,
  })
  for (const line of describe(finished)) terminal.err(line)
  if (finished.old_copies === 'left') {
    terminal.err('The database’s own files may hold old copies of the rows: see --rewrite')
    if (finished.left_because !== null) terminal.err(reasons[finished.left_because])
  }
  const { certificate } = await operate(terminal, 'certificate', { erasure_id: erasureId })
  terminal.out(certificate.trimEnd())
  return 0
}

const reasons = {
  not_asked: 'They were not written anew: nobody asked for it',
  old_snapshots:
    'They were not written anew: an older transaction, prepared transaction, replication slot or a' +
    ' session of a role whose state this one may not see can still look at the rows',
  not_owner: 'The database role does not own the tables: DATABASE_OWNER_URL names one that does',
  log_goes_on: 'The log was not at its end: --finish tries again',
}

/** The id of the erasure; nothing where it was only asked what would be destroyed. */
async function begin(terminal: Terminal, options: ShredOptions): Promise<string | undefined> {
  eitherOf(options.file, options.person)
  const target = {
    ...(options.file === undefined ? {} : { file_id: options.file }),
    ...(options.person === undefined ? {} : { person_id: options.person }),
    ...(options.version === undefined ? {} : { version: versionOf(options) }),
  }
  if (options.yes !== true) {
    const preview = await operate(terminal, 'shred-preview', target)
    if (options.json === true) terminal.out(JSON.stringify({ dry_run: true, ...preview }))
    else {
      const closed = `${preview.records_closed} records that nobody could open any more`
      for (const line of ['Dry run: --yes does it', ...describe(preview), closed])
        terminal.out(line)
    }
    if (preview.legal_hold) terminal.err('It would be refused: under legal hold (legal_hold)')
    return undefined
  }
  const by = operatorName(options.by)
  const { erasure_id } = await operate(terminal, 'shred-begin', {
    ...{ target, by },
    ...(options.rewrite === true ? { rewrite: true } : {}),
  })
  terminal.err(`Erasure ${erasure_id}: begun, and finished by a job if this is broken off`)
  return erasure_id
}

function versionOf({ version = '', person }: ShredOptions): number {
  if (person !== undefined) throw new UsageError('--version goes with --file')
  if (!/^[1-9]\d{0,8}$/.test(version)) throw new UsageError('--version: expected a number from 1')
  return Number(version)
}

function checkedId(text: string): string {
  if (/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)) return text
  throw new UsageError('--finish: expected the id of an erasure')
}

interface Counts {
  readonly user_keys: number
  readonly file_keys: number
  readonly files: number
  readonly versions: number
  readonly records_kept: number
}

function describe(counts: Counts): string[] {
  return [
    `${counts.user_keys} user keys, ${counts.file_keys} wrapped file keys`,
    `${counts.files} files in all their versions, ${counts.versions} sealings`,
    `${counts.records_kept} records stay open to others who hold a grant`,
  ]
}
