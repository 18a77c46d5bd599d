import { keyEvent, type RotationDependencies } from './rotate-master.js'

/**
 * Milliseconds a superseded version of a user key is kept: for readers and uploads that began with it.
 * What takes longer than this between wrapping and commit is refused, and tried again with the new one.
 */
const KEEP_MS = 3_600_000
const BATCH = 100

/**
 * Removes superseded versions of user keys that nothing needs: no file key, no purpose. How many.
 * Whoever commits a wrapping locks the version first, so that none is removed under it.
 */
export function retireUserKeys({ db }: Pick<RotationDependencies, 'db'>, keepMs = KEEP_MS) {
  return async (signal?: AbortSignal): Promise<number> => {
    signal?.throwIfAborted()
    return await db.transaction(async ({ audit, userKeyRotation }) => {
      let removed = 0
      for (const row of await userKeyRotation.lockSupersededUserKeys(keepMs, BATCH)) {
        if (!(await userKeyRotation.removeUserKey(row))) continue
        removed += 1
        const { userId, version } = row
        await audit.append(keyEvent('keys.user_retire', { subjectId: userId, count: version }))
      }
      return removed
    })
  }
}
