import { isStrongroomError } from '../errors/strongroom-error.js'
import type { Transactions } from '../ports/transactions.js'
import type { JobRow, JobStore } from './ports.js'

/**
 * Does one job. May be called again for a job that was half done: by another node once the lease is
 * over, or after a failure. Stops, by throwing, soon after `signal` aborts.
 */
export type JobHandler = (job: JobRow, signal: AbortSignal) => Promise<void>

export interface JobRunner {
  start(): void
  /** Looks for jobs at once: called after the commit that added one. */
  wake(): void
  /** Ends what is under way, which is given back, and waits for it. */
  stop(): Promise<void>
}

interface Dependencies {
  readonly db: Transactions<{ jobs: JobStore }>
  /** By kind; jobs of other kinds are left to nodes that know them. */
  readonly handlers: Readonly<Record<string, JobHandler>>
  /** Told of each failure; the job is tried again. */
  readonly onProblem: (error: unknown, job?: JobRow) => void
  /** Milliseconds between two looks where nobody wakes it. */
  readonly lookEveryMs?: number
  /** Milliseconds a job may take before another node may take it over. */
  readonly leaseMs?: number
}

const maxBackoffMs = 3_600_000

/** Milliseconds until a job that failed `attempts` times is tried again: 1 s, doubled, up to an hour. */
export function backoffMs(attempts: number): number {
  return Math.min(1000 * 2 ** Math.max(attempts - 1, 0), maxBackoffMs)
}

/** Runs the jobs of the database, one at a time in this process. */
export function jobRunner(use: Dependencies): JobRunner {
  const { lookEveryMs = 5_000, leaseMs = 300_000 } = use
  const stopping = new AbortController()
  let wakeUp = () => {
    woken = true
  }
  let woken = false
  let running: Promise<void> | undefined

  const rest = () =>
    new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, woken || stopping.signal.aborted ? 0 : lookEveryMs)
      woken = false
      wakeUp = () => {
        woken = true
        clearTimeout(timer)
        resolve()
      }
    })
  const loop = async () => {
    while (!stopping.signal.aborted) {
      if (!(await runNext(use, leaseMs, stopping.signal))) await rest()
    }
  }
  return {
    start: () => {
      running ??= loop()
    },
    wake: () => {
      wakeUp()
    },
    stop: async () => {
      stopping.abort()
      wakeUp()
      await running
    },
  }
}

/** Does one job that is due; false where there is none, or none can be had now. */
async function runNext(
  { db, handlers, onProblem }: Dependencies,
  leaseMs: number,
  stopping: AbortSignal,
): Promise<boolean> {
  let job: JobRow | undefined
  try {
    const now = new Date()
    const leaseUntil = new Date(now.getTime() + leaseMs)
    job = await db.stores.jobs.claim(Object.keys(handlers), now, leaseUntil)
    if (job === undefined) return false
    // It ends itself well before another node may begin.
    const signal = AbortSignal.any([stopping, AbortSignal.timeout(leaseMs * 0.8)])
    await handlers[job.kind]?.(job, signal)
    await db.stores.jobs.done(job)
    return true
  } catch (error) {
    if (!stopping.aborted) onProblem(error, job)
    return job !== undefined && (await giveBack(job, error))
  }

  async function giveBack(failed: JobRow, error: unknown): Promise<boolean> {
    const wait = stopping.aborted ? 0 : backoffMs(failed.attempts)
    const reason = isStrongroomError(error) ? error.code : 'internal'
    try {
      await db.stores.jobs.retry(failed, new Date(Date.now() + wait), reason)
      return true
    } catch (problem) {
      // Its lease gives it back.
      onProblem(problem, failed)
      return false
    }
  }
}
