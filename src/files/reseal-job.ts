import { StrongroomError } from '../errors/strongroom-error.js'
import type { JobContext } from '../jobs/job-runner.js'
import type { JobRow } from '../jobs/ports.js'
import type { Reseal } from './reseal.js'

/** Seals anew as a job: gone on with after the version that was the last. */
export function resealJob(reseal: Reseal) {
  return async (
    { payload: { userId, fileId }, progress: before }: Pick<JobRow, 'payload' | 'progress'>,
    { signal, saveProgress, tell }: JobContext,
  ) => {
    if (userId === undefined && fileId === undefined) throw new StrongroomError('internal')
    const wish = userId === undefined ? { fileId: fileId ?? '' } : { userId }
    const { file, version } = before ?? {}
    const after =
      typeof file === 'string' && typeof version === 'number'
        ? { fileId: file, version }
        : undefined
    return await reseal(wish, {
      ...{ signal, after },
      progress: async (done, total, last) => {
        tell(done, total)
        await saveProgress({ file: last.fileId, version: last.version })
      },
    })
  }
}

export type ResealJob = ReturnType<typeof resealJob>
