import type { DoByHand } from '../jobs/by-hand.js'
import type { JobContext } from '../jobs/job-runner.js'
import type { JobRow } from '../jobs/ports.js'
import type { IndexHash } from '../keys/index-hash.js'
import type { OperationContext } from './operation.js'

export interface AsJobDependencies {
  readonly byHand: DoByHand
  readonly hash: Pick<IndexHash, 'uuid'>
}

/** A kind of job with what it is about; one of each is under way at a time. */
interface Wish<Result> {
  readonly kind: string
  readonly payload?: JobRow['payload']
  /** What tells it from others of its kind, where the payload does not. */
  readonly name?: string
  readonly handler: (row: JobRow, context: JobContext) => Promise<Result>
}

/** Has an operation done as a durable job: where this process is killed, a node that serves goes on. */
export function asJob({ byHand, hash }: AsJobDependencies) {
  return async <Result>(
    { kind, payload = {}, name, handler }: Wish<Result>,
    { signal, progress }: OperationContext,
  ): Promise<Result> =>
    await byHand(
      { jobId: hash.uuid('job', kind, name ?? JSON.stringify(payload)), kind, payload },
      handler,
      {
        signal,
        tell: (done, total) => {
          progress(total === undefined ? { done } : { done, total })
        },
      },
    )
}

export type AsJob = ReturnType<typeof asJob>
