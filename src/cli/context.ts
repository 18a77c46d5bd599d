import { ConfigError, type Environment } from '../config.js'

/** What a command has of the world. Tests bring their own. */
export interface Terminal {
  /** Working directory: where `.env` is and relative paths start. */
  readonly cwd: string
  /** The environment with `.env` in it; throws ConfigError. */
  loadEnvironment: () => Environment
  /** Writes a line to standard output: what was asked for. */
  out: (line: string) => void
  /** Writes a line to standard error: notices and problems. */
  err: (line: string) => void
  /** Shows how far something long is, in the place of what was shown before; absent: nobody watches. */
  status?: ((text: string) => void) | undefined
  /** Asks for a secret without showing it; absent: there is no terminal to ask on. */
  askSecret?: ((question: string) => Promise<string>) | undefined
}

/** A command's answer: 0 done, 1 it cannot be done, 2 it was not called rightly. */
export type ExitCode = 0 | 1 | 2

/** The command was not called rightly; `message` says how it should be. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

/** The command was called rightly and could not be carried out; `message` says why. */
export class CommandFailure extends Error {
  override readonly name = 'CommandFailure'
}

/** Says why a command failed and answers its exit code; other errors are thrown on. */
export function explain(error: unknown, { err }: Terminal): ExitCode {
  if (error instanceof UsageError) {
    err(`error: ${error.message}`)
    return 2
  }
  if (error instanceof CommandFailure) {
    err(`error: ${error.message}`)
    return 1
  }
  if (!(error instanceof ConfigError)) throw error
  for (const notice of error.notices) err(`notice: ${notice}`)
  for (const problem of error.problems) err(`error: ${problem}`)
  return 1
}
