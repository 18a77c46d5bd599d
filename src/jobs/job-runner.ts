import { isStrongroomError } from '../errors/strongroom-error.js'
import type { Transactions } from '../ports/transactions.js'
import type { JobWatch } from '../ports/watch.js'
import { jobContext } from './job-context.js'
import { keepLease } from './keep-lease.js'
import type { JobRow, JobStore } from './ports.js'

/** What a handler has of the one who has it done. */
export interface JobContext {
  /** Aborts where the process stops, the lease is lost, or whoever asked has gone. */
  readonly signal: AbortSignal
  /** For whoever goes on with it where this one is broken off; shown by `strongroom jobs`. */
  readonly saveProgress: (progress: NonNullable<JobRow['progress']>) => Promise<void>
  /** For whoever watches: how much is done, of how much where that is known. */
  readonly tell: (done: number, total?: number) => void
}

/**
 * Does one job. May be called again for a job that was half done: by another node where this one is
 * gone, or after a failure. Stops, by throwing, soon after `signal` aborts.
 */
export type JobHandler = (job: JobRow, context: JobContext) => Promise<unknown>

/** A job that is always there, to be done again and again. */
export interface RecurringJob {
  readonly jobId: string
  readonly kind: string
  /** Milliseconds from the end of one time to the beginning of the next. */
  readonly everyMs: number
}

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
  readonly recurring?: readonly RecurringJob[]
  /** Told of each failure; the job is tried again. */
  readonly onProblem: (error: unknown, job?: JobRow) => void
  readonly watch?: JobWatch | undefined
  /** Milliseconds between two looks where nobody wakes it. */
  readonly lookEveryMs?: number
  /** Milliseconds after which another node may take over the job of one that is gone. */
  readonly leaseMs?: number
}

const maxBackoffMs = 3_600_000

/** Milliseconds until a job that failed `failures` times is tried again: 1 s, doubled, up to an hour. */
export function backoffMs(failures: number): number {
  return Math.min(1000 * 2 ** Math.max(failures - 1, 0), maxBackoffMs)
}

/** Runs the jobs of the database: in this process, of each kind one at a time. */
export function jobRunner(use: Dependencies): JobRunner {
  const { lookEveryMs = 5_000, recurring = [] } = use
  const stopping = new AbortController()
  const underWay = new Map<string, Promise<void>>()
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
  const begin = (job: JobRow) => {
    const work = runJob(use, job, stopping.signal).finally(() => {
      underWay.delete(job.kind)
      wakeUp()
    })
    underWay.set(job.kind, work)
  }
  const loop = async () => {
    const missing = new Set(recurring)
    while (!stopping.signal.aborted) {
      const free = Object.keys(use.handlers).filter((kind) => !underWay.has(kind))
      const job = await next(use, missing, free)
      if (job === undefined) await rest()
      else begin(job)
    }
    await Promise.all(underWay.values())
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

/** A job that is due, now this node's; nothing where there is none, or none can be had now. */
async function next(
  { db, leaseMs = defaultLeaseMs, onProblem }: Dependencies,
  missing: Set<RecurringJob>,
  kinds: readonly string[],
): Promise<JobRow | undefined> {
  if (kinds.length === 0) return undefined
  try {
    for (const { jobId, kind, everyMs } of missing) {
      await db.stores.jobs.add({ jobId, kind, payload: {} }, new Date(Date.now() + everyMs))
    }
    missing.clear()
    const now = new Date()
    return await db.stores.jobs.claim(kinds, now, new Date(now.getTime() + leaseMs))
  } catch (error) {
    onProblem(error)
    return undefined
  }
}

/** What a job is about is gone, or forbids it: no time mends that. */
const isFinal = (error: unknown) =>
  isStrongroomError(error, 'not_found', 'conflict', 'person_erased')

const defaultLeaseMs = 60_000

/** Does it, and says what became of it. Never rejects. */
async function runJob(use: Dependencies, job: JobRow, stopping: AbortSignal): Promise<void> {
  const { db, handlers, leaseMs = defaultLeaseMs, onProblem } = use
  const lease = keepLease({ store: db.stores.jobs, job, leaseMs, onProblem })
  const { context, settled } = jobContext({
    ...{ store: db.stores.jobs, row: job, onProblem },
    signal: AbortSignal.any([stopping, lease.lost]),
  })
  const everyMs = use.recurring?.find(({ jobId }) => jobId === job.jobId)?.everyMs
  try {
    const work = async () => await handlers[job.kind]?.(job, context)
    await (use.watch === undefined ? work() : use.watch.around(job.kind, work))
    await settled()
    if (everyMs === undefined) await db.stores.jobs.done(job)
    else await db.stores.jobs.again(job, new Date(Date.now() + everyMs))
  } catch (error) {
    if (!stopping.aborted) onProblem(error, job)
    await settled()
    await giveBack(error)
  } finally {
    await lease.end()
  }

  async function giveBack(error: unknown): Promise<void> {
    if (everyMs === undefined && !stopping.aborted && isFinal(error)) {
      // Trying again would say the same for ever; the log has it.
      await db.stores.jobs.done(job).catch((problem: unknown) => {
        onProblem(problem, job)
      })
      return
    }
    const wait = stopping.aborted ? 0 : backoffMs(job.failures + 1)
    const reason = isStrongroomError(error) ? error.code : 'internal'
    try {
      await db.stores.jobs.retry(job, new Date(Date.now() + wait), stopping.aborted ? null : reason)
    } catch (problem) {
      // Its lease gives it back.
      onProblem(problem, job)
    }
  }
}
