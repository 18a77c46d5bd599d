import type { Actor } from '../audit/audit-events.js'
import type { AuditLog } from '../audit/audit-log.js'
import type { BucketTerms, PermissionBook } from '../people/permission-book.js'

interface Dependencies {
  readonly audit: AuditLog
  readonly permissions: Pick<PermissionBook, 'bucketsOf'>
}

export type ListBuckets = (actor: Actor) => Promise<readonly BucketTerms[]>

/** The buckets in which somebody may do something; on record, as every list is. */
export function listBuckets({ audit, permissions }: Dependencies): ListBuckets {
  return async (actor) => {
    const found = await permissions.bucketsOf(actor.userId)
    await audit.note(actor, { action: 'bucket.list', outcome: 'success' })
    return found
  }
}
