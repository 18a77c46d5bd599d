import { maxBackupBytes, parseBackup } from '../backup/backup-file.js'
import { type OpenedBackup, openBackup } from '../backup/open-backup.js'
import { type Terminal, UsageError } from './context.js'
import { asCommand } from './operate-keyless.js'
import { MOST_SECRET_BYTES, readText, secretOf } from './secret-file.js'

export interface OpenerOptions {
  readonly passphraseFile?: string
  readonly share?: readonly string[]
}

/** Reads and opens a backup, with what the options name or what is typed. */
export async function openBackupFile(
  terminal: Terminal,
  path: string,
  options: OpenerOptions,
): Promise<OpenedBackup> {
  if (options.passphraseFile !== undefined && options.share !== undefined) {
    throw new UsageError('expected --passphrase-file or --share, not both')
  }
  const text = await readText(terminal, path, maxBackupBytes)
  return await asCommand(async () => {
    // Before anything is asked: a damaged file needs no passphrase.
    const { protection } = await parseBackup(text)
    if (options.share !== undefined) {
      const shares = options.share.map(async (name) => ({
        name,
        text: await readText(terminal, name, MOST_SECRET_BYTES),
      }))
      return await openBackup(text, { shares: await Promise.all(shares) })
    }
    if (protection.kind === 'shares') {
      throw new UsageError(
        `this backup is opened by ${protection.threshold} of its ${protection.shares} shares: give each with --share`,
      )
    }
    return await openBackup(text, { passphrase: await passphraseOf(terminal, options) })
  })
}

/** From the file named, or typed; `twice` where nobody could tell that it was mistyped. */
export async function passphraseOf(
  terminal: Terminal,
  { passphraseFile: file }: Pick<OpenerOptions, 'passphraseFile'>,
  { twice = false } = {},
): Promise<string> {
  const place = { what: 'passphrase', option: '--passphrase-file', file }
  return await secretOf(terminal, place, { twice })
}
