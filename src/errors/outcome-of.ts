import { isStrongroomError } from './strongroom-error.js'

/**
 * How a piece of work ended. `refused`: whoever asked got an answer they did not hope for; `unavailable`:
 * what does the work could not; `unknown`: nobody knows whether it was done. Closed.
 */
export const outcomes = ['ok', 'refused', 'unavailable', 'damaged', 'unknown', 'failed'] as const
export type Outcome = (typeof outcomes)[number]

/** What an error says of the work it ended. */
export function outcomeOf(error: unknown): Outcome {
  if (!isStrongroomError(error)) return 'failed'
  const { code } = error
  if (code === 'damaged') return 'damaged'
  if (code === 'commit_unknown') return 'unknown'
  if (code === 'internal') return 'failed'
  return code.endsWith('_unavailable') || code === 'database_moved' ? 'unavailable' : 'refused'
}
