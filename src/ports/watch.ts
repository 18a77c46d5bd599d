import type { Outcome } from '../errors/outcome-of.js'

/** Those who do work for this process, as operators tell them apart. */
export const workKinds = ['database', 'storage', 'keys'] as const
export type WorkKind = (typeof workKinds)[number]

/**
 * To be called once, when the work is over. `seconds`: of the time since it began, what was that work's,
 * where not all of it was.
 */
export type WorkEnd = (outcome: Outcome, seconds?: number) => void

/** Is told of work from its beginning to its end. Never throws. */
export interface Watch {
  /** @param operation a word of a closed list, such as a statement's name: never an id or a value */
  begin(kind: WorkKind, operation: string): WorkEnd
}

/** Is told of runs of jobs, and has them done. */
export interface JobWatch {
  around<T>(kind: string, work: () => Promise<T>): Promise<T>
}
