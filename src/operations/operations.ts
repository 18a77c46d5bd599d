import { type Static, type TSchema, Type } from 'typebox'
import type { BackupStores } from '../backup/ports.js'
import type { Scrub } from '../files/scrub.js'
import type { Sweep } from '../files/sweep.js'
import type { Transactions } from '../ports/transactions.js'
import { keyStatus } from '../rotation/key-status.js'
import { retireMaster } from '../rotation/retire-master.js'
import { type RotationDependencies, rotateMaster } from '../rotation/rotate-master.js'
import { backupOperations } from './backup-operations.js'

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
const nothing = Type.Object({}, { additionalProperties: false })
const masterKey = Type.Object(
  { master_key: Type.String({ pattern: '^[0-9a-f]{16}$' }) },
  { additionalProperties: false },
)

interface Dependencies extends RotationDependencies {
  readonly db: RotationDependencies['db'] & Transactions<BackupStores>
  readonly sweep: Sweep
  readonly scrub: Scrub
  readonly graceHours: number
  readonly keepDays: number
  readonly bytesPerSecond: number
}

/** The closed list of operations, by the name they are asked for. */
export function operations(use: Dependencies) {
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
    'keys-status': operation(nothing, () => keyStatus(use)),
    'keys-rotate-master': operation(nothing, (_input, { signal, progress }) =>
      rotateMaster(use)({
        signal,
        progress: (done, total) => {
          progress({ done, total })
        },
      }),
    ),
    'keys-retire': operation(masterKey, ({ master_key }) => retireMaster(use)(master_key)),
    ...backupOperations(use),
  }
}

export type Operations = ReturnType<typeof operations>
export type OperationName = keyof Operations
export type InputOf<Name extends OperationName> = Static<Operations[Name]['input']>
export type ResultOf<Name extends OperationName> = Awaited<ReturnType<Operations[Name]['run']>>

function operation<Input extends TSchema, Result>(
  input: Input,
  run: Operation<Input, Result>['run'],
): Operation<Input, Result> {
  return { input, run }
}
