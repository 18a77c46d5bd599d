import { Type } from 'typebox'
import { keyStatus } from '../rotation/key-status.js'
import { retireMaster } from '../rotation/retire-master.js'
import { type RotationDependencies, rotateMaster } from '../rotation/rotate-master.js'
import { operation } from './operation.js'

const nothing = Type.Object({}, { additionalProperties: false })
const masterKey = Type.Object(
  { master_key: Type.String({ pattern: '^[0-9a-f]{16}$' }) },
  { additionalProperties: false },
)

/** Turning keys. */
export function keyOperations(use: RotationDependencies) {
  return {
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
  }
}
