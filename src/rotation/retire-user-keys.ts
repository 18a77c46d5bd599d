import { keyEvent } from './rotate-master.js'
import { rotateUser, type UserRotationDependencies } from './rotate-user.js'

/**
 * Milliseconds a superseded version of a user key is kept: for readers and uploads that began with it.
 * What takes longer than this between wrapping and commit is refused, and tried again with the new one.
 */
const KEEP_MS = 3_600_000
const BATCH = 100

/**
 * Removes superseded versions of user keys; how many. What was committed under one after its turn had
 * passed is put under the newest first. Whoever commits a wrapping or a purpose locks the version it is
 * of, so that none is removed under it.
 * @throws what keeps a person's wrappings where they are, once all others have been seen to
 */
export function retireUserKeys(use: UserRotationDependencies, keepMs = KEEP_MS) {
  const turn = rotateUser(use)
  const { db } = use
  return async (signal?: AbortSignal): Promise<number> => {
    const failures: unknown[] = []
    for (const userId of await db.stores.userKeyRotation.peopleBehind(keepMs, BATCH)) {
      signal?.throwIfAborted()
      const active = await db.stores.keys.activeUserKey(userId)
      const context = { version: active?.version, ...(signal === undefined ? {} : { signal }) }
      await turn(userId, context).catch((error: unknown) => failures.push(error))
    }
    let removed = 0
    while (await removeOne(use, keepMs)) {
      removed += 1
      signal?.throwIfAborted()
    }
    if (failures.length > 0) throw failures[0]
    return removed
  }
}

async function removeOne({ db }: UserRotationDependencies, keepMs: number): Promise<boolean> {
  return await db.transaction(async ({ audit, userKeyRotation }) => {
    const [row] = await userKeyRotation.lockSupersededUserKeys(keepMs, 1)
    if (row === undefined) return false
    // Looked at again: somebody may have committed between the look and the lock.
    if (!(await userKeyRotation.removeUserKey(row))) return false
    const { userId, version } = row
    await audit.append(keyEvent('keys.user_retire', { subjectId: userId, count: version }))
    return true
  })
}
