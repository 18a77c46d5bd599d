import { Type } from 'typebox'
import type { JobStore } from '../jobs/ports.js'
import type { Transactions } from '../ports/transactions.js'
import { operation } from './operation.js'

/** A job as `strongroom jobs` shows it: ids, numbers and codes alone. */
export interface JobSummary {
  readonly job_id: string
  readonly kind: string
  readonly payload: Readonly<Record<string, string>>
  /** `abandoned`: the node that was at work on it is gone; another takes it over. */
  readonly state: 'waiting' | 'under way' | 'abandoned'
  readonly due: string
  readonly attempts: number
  /** Failures since it was last done, and the code of the last one. */
  readonly failures: number
  readonly failed_reason: string | null
  readonly progress: Readonly<Record<string, string | number>> | null
}

export interface JobDependencies {
  readonly db: Transactions<{ readonly jobs: JobStore }>
}

const MOST = 1_000

const input = Type.Object({}, { additionalProperties: false })

/** Looking at what the service does by itself. */
export function jobOperations({ db }: JobDependencies) {
  return {
    jobs: operation(input, async (): Promise<JobSummary[]> => {
      const now = new Date()
      return (await db.stores.jobs.list(MOST)).map((job) => ({
        job_id: job.jobId,
        kind: job.kind,
        payload: job.payload,
        state:
          job.leaseUntil === null ? 'waiting' : job.leaseUntil > now ? 'under way' : 'abandoned',
        due: job.runAfter.toISOString(),
        attempts: job.attempts,
        failures: job.failures,
        failed_reason: job.failedReason,
        progress: job.progress,
      }))
    }),
  }
}
