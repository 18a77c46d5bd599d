import { join } from 'node:path'
import type { ErrorCode } from '../errors/error-codes.js'
import type { Progress } from './operation.js'

/*
 * Beside a running service that owns the embedded database, commands are carried out by it: HTTP over
 * a Unix socket that its owner alone may open. `POST /operations/<name>` with the input as JSON is
 * answered 200 with a line of JSON for each step, the last of which is the result or the problem.
 */

/** Bytes of an operation's input. */
export const maxInputBytes = 64 * 1024

/** One line of an answer. */
export type ControlLine =
  | { readonly progress: Progress }
  | { readonly result: unknown }
  | { readonly problem: ControlProblem }

export interface ControlProblem {
  readonly code: ErrorCode
  readonly detail?: string | undefined
}

/** Bytes of a socket's path that every system takes (sun_path); a longer one would be cut in silence. */
const maxPathBytes = 103

/** Nothing where the folder's name is too long for a socket in it. */
export function controlSocketIn(dataDir: string): string | undefined {
  const path = join(dataDir, 'control.sock')
  return Buffer.byteLength(path) > maxPathBytes ? undefined : path
}
