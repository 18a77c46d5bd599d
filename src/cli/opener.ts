import { open, readFile, stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { maxBackupBytes, parseBackup } from '../backup/backup-file.js'
import { type OpenedBackup, openBackup } from '../backup/open-backup.js'
import { CommandFailure, type Terminal, UsageError } from './context.js'
import { asCommand } from './operate-keyless.js'

export interface OpenerOptions {
  readonly passphraseFile?: string
  readonly share?: readonly string[]
}

const MOST_SECRET_BYTES = 65_536

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
    const { protection } = parseBackup(text)
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
  { passphraseFile }: Pick<OpenerOptions, 'passphraseFile'>,
  { twice = false } = {},
): Promise<string> {
  if (passphraseFile !== undefined) {
    await warnOfReaders(terminal, passphraseFile)
    const text = await readText(terminal, passphraseFile, MOST_SECRET_BYTES)
    return text.replace(/\r?\n$/, '')
  }
  const { askSecret } = terminal
  if (askSecret === undefined) {
    throw new UsageError(
      'there is no terminal to ask for the passphrase: --passphrase-file names it',
    )
  }
  const passphrase = await askSecret('Passphrase')
  if (twice && (await askSecret('Once more')) !== passphrase) {
    throw new CommandFailure('the passphrases differ')
  }
  return passphrase
}

async function warnOfReaders({ cwd, err }: Terminal, path: string): Promise<void> {
  const facts = await stat(resolve(cwd, path)).catch(() => undefined)
  if (facts?.isFile() === true && (facts.mode & 0o077) !== 0) {
    err(`notice: ${path} can be read by others: expected mode 0600`)
  }
}

/** A file of at most so many bytes; a pipe as well. */
async function readText({ cwd }: Terminal, path: string, most: number): Promise<string> {
  try {
    const whole = resolve(cwd, path)
    if ((await stat(whole)).size > most) throw new CommandFailure(`${path} is too long`)
    return await readFile(whole, 'utf8')
  } catch (error) {
    if (error instanceof CommandFailure) throw error
    throw unusable(path, error)
  }
}

/** A file of ours could not be read or written; its name and the system's code, never its content. */
export function unusable(path: string, error: unknown): CommandFailure {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error'
  return new CommandFailure(`${path} cannot be used (${code})`)
}

/** Whether there is something under that name. */
export async function isThere(path: string): Promise<boolean> {
  try {
    await (await open(path, 'r')).close()
    return true
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return false
    throw unusable(path, error)
  }
}
