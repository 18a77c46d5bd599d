import type { Actor } from '../audit/audit-events.js'
import type { AuditLog } from '../audit/audit-log.js'
import { notingRefusal } from '../documents/noting-refusal.js'
import type { PurgeFile } from '../files/delete-file.js'
import type { Transactions } from '../ports/transactions.js'
import type { BucketRights } from './bucket-rights.js'
import type { ObjectHashes } from './object-hashes.js'
import { objectKeyOf } from './object-key.js'
import type { BucketStores, FoundObject } from './ports.js'
import { ChangedMeanwhile, retireObject, untilUnchanged } from './retire-object.js'
import type { TidyFolder } from './tidy-buckets.js'

export interface ObjectDeletion {
  readonly deletedAt: Date
  /** When its bytes and keys may be destroyed. */
  readonly purgeAfter: Date
}

interface Dependencies {
  readonly db: Transactions<BucketStores>
  readonly audit: AuditLog
  readonly hashes: ObjectHashes
  readonly rights: BucketRights
  readonly purge: PurgeFile
  readonly tidyFolder: TidyFolder
  readonly deleting: { readonly retentionDays: number }
  /** Told of what is left to the jobs. */
  readonly onProblem: (error: unknown) => void
}

export type DeleteObject = (
  actor: Actor,
  what: { readonly bucket: string; readonly key: string },
) => Promise<ObjectDeletion>

/**
 * Gone at once; bytes and keys after the retention time, as of every file.
 * Throws `invalid_field`, `not_found`, `forbidden`, `legal_hold`.
 */
export function deleteObject(use: Dependencies): DeleteObject {
  const { db, hashes, rights, purge, tidyFolder, deleting, onProblem } = use
  const retire = (actor: Actor, found: FoundObject) =>
    db.transaction(async (stores) => {
      const at = new Date()
      await stores.files.lockOwner(found.ownerId)
      const row = await stores.objects.lock(found.keyHash)
      if (row?.fileId !== found.fileId) throw new ChangedMeanwhile()
      const { retentionDays } = deleting
      const subjectId = found.bucket
      const how = { actor, at, retentionDays, reason: undefined, subjectId }
      return { found, deletedAt: at, purgeAfter: await retireObject(stores, row, how) }
    })
  return async (actor, { bucket, key }) => {
    const about = { action: 'object.delete', subjectId: rights.named(bucket) } as const
    const keyHash = hashes.ofKey(bucket, objectKeyOf(key))
    await rights.check(actor, { action: 'delete', bucket, key }, about)
    const { found, deletedAt, purgeAfter } = await untilUnchanged(async () => {
      const now = await db.stores.objects.find(keyHash)
      if (now === undefined) return await rights.refuse(actor, 'not_found', about)
      const { fileId } = now
      return await notingRefusal(use, actor, { ...about, fileId }, () => retire(actor, now))
    })
    const { fileId } = found
    if (purgeAfter === undefined) {
      return await rights.refuse(actor, 'not_found', { ...about, fileId })
    }
    // It is deleted, whatever becomes of this: jobs look at what is left.
    if (purgeAfter <= deletedAt) await purge(actor, { fileId }, deletedAt).catch(onProblem)
    await tidyFolder(found.folderHash).catch(onProblem)
    return { deletedAt, purgeAfter }
  }
}
