import { Type } from 'typebox'
import type { ResealJob } from '../files/reseal-job.js'
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

const whose = Type.Union([
  person,
  Type.Object(
    { file_id: Type.String({ pattern: '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' }) },
    { additionalProperties: false },
  ),
])

export interface KeyDependencies extends RotationDependencies {
  readonly asJob: AsJob
  readonly rotationJobs: RotationJobs
  readonly resealJob: ResealJob
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
    'keys-reseal': operation(whose, (input, context) => {
      const payload: Readonly<Record<string, string>> =
        'user_id' in input ? { userId: input.user_id } : { fileId: input.file_id }
      return asJob({ kind: 'reseal', payload, handler: use.resealJob }, context)
    }),
  }
}
