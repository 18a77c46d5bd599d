import type { Static, TSchema } from 'typebox'

/** How far a long operation is. */
export interface Progress {
  readonly done: number
  /** Where it is known. */
  readonly total?: number
}

export interface OperationContext {
  /** Aborts where whoever asked went away, or the service stops. */
  readonly signal: AbortSignal
  readonly progress: (progress: Progress) => void
}

/** What an operator does by hand, through a command or beside a running service: the same use case. */
export interface Operation<Input extends TSchema = TSchema, Result = unknown> {
  readonly input: Input
  run(input: Static<Input>, context: OperationContext): Promise<Result>
}

export function operation<Input extends TSchema, Result>(
  input: Input,
  run: Operation<Input, Result>['run'],
): Operation<Input, Result> {
  return { input, run }
}
