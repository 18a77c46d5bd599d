import { Type } from 'typebox'
import { keyStatus } from '../rotation/key-status.js'
import { retireMaster } from '../rotation/retire-master.js'
import type { RotationDependencies } from '../rotation/rotate-master.js'
import type { RotationJobs } from '../rotation/rotation-jobs.js'
import type { AsJob } from './as-job.js'
import { operation } from './operation.js'

const nothing = Type.Object({}, { additionalProperties: false })
const masterKey = Type.Object(
  { master_key: Type.String({ pattern: '^[0-9a-f]{16}$' }) },
  { additionalProperties: false },
)
const person = Type.Object(
  { user_id: Type.String({ minLength: 1, maxLength: 128 }) },
  { additionalProperties: false },
)

export interface KeyDependencies extends RotationDependencies {
  readonly asJob: AsJob
  readonly rotationJobs: RotationJobs
}

/** Turning keys. */
export function keyOperations(use: KeyDependencies) {
  const { asJob, rotationJobs } = use
  return {
    'keys-status': operation(nothing, () => keyStatus(use)),
    'keys-rotate-master': operation(nothing, (_input, context) =>
      asJob({ kind: 'rotate-master', handler: rotationJobs['rotate-master'] }, context),
    ),
    'keys-retire': operation(masterKey, ({ master_key }) => retireMaster(use)(master_key)),
    'keys-rotate-user': operation(person, ({ user_id: userId }, context) =>
      asJob(
        { kind: 'rotate-user', payload: { userId }, handler: rotationJobs['rotate-user'] },
        context,
      ),
    ),
  }
}
