import { Type } from 'typebox'
import type { SweepStore } from '../files/ports.js'
import type { Scrub } from '../files/scrub.js'
import type { Sweep } from '../files/sweep.js'
import type { Transactions } from '../ports/transactions.js'
import type { AsJob } from './as-job.js'
import { operation } from './operation.js'

const MIB = 1_048_576

const sweepInput = Type.Object(
  {
    dry_run: Type.Boolean(),
    grace_hours: Type.Optional(Type.Integer({ minimum: 1, maximum: 8_760 })),
    force: Type.Boolean(),
  },
  { additionalProperties: false },
)

const scrubInput = Type.Object(
  {
    mb_per_second: Type.Optional(Type.Integer({ minimum: 1, maximum: 10_000 })),
    force: Type.Optional(Type.Boolean()),
  },
  { additionalProperties: false },
)

export interface StorageDependencies {
  readonly asJob: AsJob
  readonly db: Transactions<{ readonly sweep: Pick<SweepStore, 'countVersions'> }>
  readonly sweep: Sweep
  readonly scrub: Scrub
  readonly graceHours: number
  readonly keepDays: number
  readonly bytesPerSecond: number
}

/** Looking after what is stored. */
export function storageOperations(use: StorageDependencies) {
  return {
    sweep: operation(sweepInput, async (input, context) => {
      const options = {
        dryRun: input.dry_run,
        graceHours: input.grace_hours ?? use.graceHours,
        keepDays: use.keepDays,
        force: input.force,
      }
      if (options.dryRun) {
        const { signal, progress } = context
        const tell = (done: number, total?: number) => {
          progress(total === undefined ? { done } : { done, total })
        }
        return await use.sweep(options, { signal, progress: await withTotal(use, tell) })
      }
      return await use.asJob(
        {
          kind: 'sweep',
          name: 'by hand',
          handler: async (_job, { signal, tell }) =>
            use.sweep(options, { signal, progress: await withTotal(use, tell) }),
        },
        context,
      )
    }),
    scrub: operation(scrubInput, async (input, context) => {
      const wished = input.mb_per_second
      const options = {
        bytesPerSecond: wished === undefined ? use.bytesPerSecond : wished * MIB,
        force: input.force === true,
      }
      return await use.asJob(
        {
          kind: 'scrub',
          name: 'by hand',
          // From the first file: what an earlier one found is not in this one's report.
          handler: async (_job, { signal, tell }) =>
            use.scrub(options, { signal, progress: await withTotal(use, tell) }),
        },
        context,
      )
    }),
  }
}

/** Of as many as there are when it begins; a round of the sweep begins again at the first. */
async function withTotal(
  { db }: StorageDependencies,
  tell: (done: number, total: number) => void,
): Promise<(done: number) => void> {
  const total = await db.stores.sweep.countVersions()
  return (done) => {
    tell(done, Math.max(total, done))
  }
}
