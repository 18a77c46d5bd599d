import { StrongroomError } from '../errors/strongroom-error.js'

/** At most so many uploads at once: memory is this times a known budget. */
export interface UploadSlots {
  /**
   * Runs `work` in a slot.
   * @throws StrongroomError `too_many_uploads` at once where none is free
   */
  run<T>(work: () => Promise<T>): Promise<T>
}

export function uploadSlots(most: number): UploadSlots {
  let taken = 0
  return {
    run: async (work) => {
      if (taken >= most) throw new StrongroomError('too_many_uploads', { retryAfter: 2 })
      taken += 1
      try {
        return await work()
      } finally {
        taken -= 1
      }
    },
  }
}
