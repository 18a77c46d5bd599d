import { open, readFile, stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { CommandFailure, type Terminal, UsageError } from './context.js'

/** Bytes that a passphrase, password or share may have. */
export const MOST_SECRET_BYTES = 65_536

/** A secret from the file that an option names, or typed; never from the command line, which others see. */
export async function secretOf(
  terminal: Terminal,
  { what, option, file }: { what: string; option: string; file: string | undefined },
  { twice }: { readonly twice: boolean },
): Promise<string> {
  if (file !== undefined) {
    await warnOfReaders(terminal, file)
    const text = await readText(terminal, file, MOST_SECRET_BYTES)
    return text.replace(/\r?\n$/, '')
  }
  const { askSecret } = terminal
  if (askSecret === undefined) {
    throw new UsageError(`there is no terminal to ask for the ${what}: ${option} names it`)
  }
  const secret = await askSecret(what.replace(/^./, (letter) => letter.toUpperCase()))
  if (twice && (await askSecret('Once more')) !== secret) {
    throw new CommandFailure(`the ${what}s differ`)
  }
  return secret
}

async function warnOfReaders({ cwd, err }: Terminal, path: string): Promise<void> {
  const facts = await stat(resolve(cwd, path)).catch(() => undefined)
  if (facts?.isFile() === true && (facts.mode & 0o077) !== 0) {
    err(`notice: ${path} can be read by others: expected mode 0600`)
  }
}

/** A file of at most so many bytes; a pipe as well. */
export async function readText({ cwd }: Terminal, path: string, most: number): Promise<string> {
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
