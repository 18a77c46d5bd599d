import { isStrongroomError, StrongroomError } from '../errors/strongroom-error.js'
import type { Transactions } from '../ports/transactions.js'
import { jobContext } from './job-context.js'
import type { JobContext } from './job-runner.js'
import { keepLease } from './keep-lease.js'
import type { JobRow, JobStore, NewJob } from './ports.js'

interface Dependencies {
  readonly db: Transactions<{ jobs: JobStore }>
  /** Told of what fails on the side: the job's own failure is thrown. */
  readonly onProblem: (error: unknown, job: JobRow) => void
  /** Milliseconds after which a node that serves goes on with it where this process is gone. */
  readonly leaseMs?: number
}

/** What the one who asked can do: look, and break it off. */
export type Watching = Pick<JobContext, 'signal' | 'tell'>

/**
 * Does a job now, in this process, for somebody who waits for it.
 * @throws StrongroomError `conflict` where a node is at work on it
 */
export type DoByHand = <Result>(
  job: NewJob,
  work: (row: JobRow, context: JobContext) => Promise<Result>,
  watching: Watching,
) => Promise<Result>

/**
 * It is a job of the database all the same: where this process is killed, a node that knows its kind
 * goes on where it was. Where it fails, or whoever asked breaks it off, it is given up: they know.
 */
export function byHand({ db, onProblem, leaseMs = 15_000 }: Dependencies): DoByHand {
  return async (job, work, { signal, tell }) => {
    const now = new Date()
    const row = await db.stores.jobs.begin(job, now, new Date(now.getTime() + leaseMs))
    if (row === undefined) throw underWay()
    const store = db.stores.jobs
    const lease = keepLease({ store, job: row, leaseMs, onProblem })
    const { context, settled } = jobContext({
      ...{ store, row, tell, onProblem },
      signal: AbortSignal.any([signal, lease.lost]),
    })
    try {
      const result = await work(row, context)
      await settled()
      await store.done(row)
      return result
    } catch (error) {
      await settled()
      await giveUp(row, signal)
      throw error
    } finally {
      await lease.end()
    }
  }

  async function giveUp(row: JobRow, { aborted, reason }: AbortSignal): Promise<void> {
    // The service stops: it goes on with it when it is back.
    const goesOn = aborted && isStrongroomError(reason, 'shutting_down')
    try {
      if (goesOn) await db.stores.jobs.retry(row, new Date(), null)
      else await db.stores.jobs.done(row)
    } catch (error) {
      // Its lease gives it to a node that serves.
      onProblem(error, row)
    }
  }
}

function underWay(): StrongroomError {
  return new StrongroomError('conflict', {
    detail: 'This is under way already: `strongroom jobs` says how far',
  })
}
