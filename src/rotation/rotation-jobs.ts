import { StrongroomError } from '../errors/strongroom-error.js'
import type { JobContext } from '../jobs/job-runner.js'
import type { JobRow } from '../jobs/ports.js'
import { retireUserKeys } from './retire-user-keys.js'
import { rotateMaster } from './rotate-master.js'
import { rotateUser, type UserRotationDependencies } from './rotate-user.js'

/** What the jobs of this room do, by kind: a node goes on with what another had begun. */
export function rotationJobs(use: UserRotationDependencies) {
  const retire = retireUserKeys(use)
  const turnMaster = rotateMaster(use)
  const turnUser = rotateUser(use)
  return {
    'rotate-master': (_job: JobRow, { signal, tell }: JobContext) =>
      turnMaster({ signal, progress: tell }),
    'rotate-user': (
      { payload: { userId }, progress: before }: JobRow,
      { signal, saveProgress, tell }: JobContext,
    ) => {
      if (userId === undefined) throw new StrongroomError('internal')
      const version = before?.['version']
      return turnUser(userId, {
        signal,
        progress: tell,
        version: typeof version === 'number' ? version : undefined,
        made: (made) => saveProgress({ version: made }),
      })
    },
    'retire-user-keys': (_job: JobRow, { signal }: JobContext) => retire(signal),
  }
}

export type RotationJobs = ReturnType<typeof rotationJobs>
