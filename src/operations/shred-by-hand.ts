import { type FinishErasure, type FinishedErasure, shredJob } from '../erasure/finish-erasure.js'
import { isStrongroomError } from '../errors/strongroom-error.js'
import type { DoByHand } from '../jobs/by-hand.js'
import type { JobRow, JobStore } from '../jobs/ports.js'
import type { Transactions } from '../ports/transactions.js'
import type { OperationContext } from './operation.js'

export interface ShredByHandDependencies {
  readonly db: Transactions<{ readonly jobs: JobStore }>
  readonly byHand: DoByHand
  readonly finishErasure: FinishErasure
}

/** Milliseconds after which a node that serves goes on with what failed by hand. */
const GOES_ON_MS = 15_000

/**
 * Finishes an erasure as the job that stands since it was begun, so that the two are never at work side
 * by side. What is given up by hand that job goes on with: keys are destroyed, and the rest has to be.
 */
export function shredByHand({ db, byHand, finishErasure }: ShredByHandDependencies) {
  return async (
    erasureId: string,
    rewrite: boolean,
    { signal, progress }: OperationContext,
  ): Promise<FinishedErasure> =>
    await byHand(
      shredJob(erasureId, { rewrite }),
      async (row, context) => {
        try {
          return await finishErasure(erasureId, {
            ...{ rewrite, signal: context.signal },
            progress: context.tell,
          })
        } catch (error) {
          if (!isStrongroomError(error, 'not_found')) await keep(row)
          throw error
        }
      },
      {
        signal,
        tell: (done) => {
          progress({ done })
        },
      },
    )

  /** Claims it anew: who lets go of the claim before does not remove it then. */
  async function keep(row: JobRow): Promise<void> {
    const now = new Date()
    await db.transaction(async ({ jobs }) => {
      await jobs.retry(row, now, null)
      await jobs.begin(row, now, new Date(now.getTime() + GOES_ON_MS))
    })
  }
}
