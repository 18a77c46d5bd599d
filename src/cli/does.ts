import type { ExitCode, Terminal } from './context.js'

/** A command: does its work and says how it ended. */
export type Action<O> = (terminal: Terminal, options: O) => Promise<ExitCode> | ExitCode

/** Makes of a command what commander calls. */
export type Does = <O>(action: Action<O>) => (options: O) => Promise<void>
