import { StrongroomError } from '../errors/strongroom-error.js'
import type { Meter } from '../ports/meter.js'

/** At most so many uploads at once: memory is this times a known budget. */
export interface UploadSlots {
  /**
   * Runs `work` in a slot.
   * @throws StrongroomError `too_many_uploads` at once where none is free
   */
  run<T>(work: () => Promise<T>): Promise<T>
  state(): { readonly inUse: number; readonly most: number }
}

/** @param meter told of each upload that is refused */
export function uploadSlots(most: number, meter?: Pick<Meter, 'uploadRefused'>): UploadSlots {
  let taken = 0
  return {
    run: async (work) => {
      if (taken >= most) {
        meter?.uploadRefused()
        throw new StrongroomError('too_many_uploads', { retryAfter: 2 })
      }
      taken += 1
      try {
        return await work()
      } finally {
        taken -= 1
      }
    },
    state: () => ({ inUse: taken, most }),
  }
}
