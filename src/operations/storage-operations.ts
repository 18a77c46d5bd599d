import { Type } from 'typebox'
import type { Scrub } from '../files/scrub.js'
import type { Sweep } from '../files/sweep.js'
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
  { mb_per_second: Type.Optional(Type.Integer({ minimum: 1, maximum: 10_000 })) },
  { additionalProperties: false },
)

export interface StorageDependencies {
  readonly sweep: Sweep
  readonly scrub: Scrub
  readonly graceHours: number
  readonly keepDays: number
  readonly bytesPerSecond: number
}

/** Looking after what is stored. */
export function storageOperations(use: StorageDependencies) {
  return {
    sweep: operation(sweepInput, async (input, { signal, progress }) =>
      use.sweep(
        {
          dryRun: input.dry_run,
          graceHours: input.grace_hours ?? use.graceHours,
          keepDays: use.keepDays,
          force: input.force,
        },
        {
          signal,
          progress: (done) => {
            progress({ done })
          },
        },
      ),
    ),
    scrub: operation(scrubInput, (input, { signal, progress }) => {
      const wished = input.mb_per_second
      return use.scrub(
        { bytesPerSecond: wished === undefined ? use.bytesPerSecond : wished * MIB },
        {
          signal,
          progress: (done) => {
            progress({ done })
          },
        },
      )
    }),
  }
}
