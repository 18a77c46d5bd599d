import type { Actor } from '../audit/audit-events.js'
import { auditEvent } from '../audit/audit-log.js'
import type { BlobStore } from '../blobs/blob-store.js'
import { StrongroomError } from '../errors/strongroom-error.js'
import type { Transactions } from '../ports/transactions.js'
import { actionOf } from './file-action.js'
import type { FileRow, FileStores } from './ports.js'

export interface Deletion {
  readonly file_id: string
  readonly deleted_at: string
  readonly purge_after: string
}

interface Dependencies {
  readonly db: Transactions<FileStores>
  readonly blobs: Pick<BlobStore, 'remove'>
  /** Days until bytes and keys are destroyed; 0: at once. */
  readonly retentionDays: number
}

const DAY_MS = 86_400_000

const subject = ({ fileId, kind, ownerId, version }: FileRow) => ({
  fileId,
  patientId: kind === 'record' ? ownerId : undefined,
  version,
})

export type DeleteFile = (
  actor: Actor,
  file: FileRow,
  options?: { readonly retentionDays?: number | null },
) => Promise<Deletion>

/** Gone at once for everyone; bytes and keys after the retention time. The row stays, marked. */
export function deleteFile(use: Dependencies): DeleteFile {
  const purge = purgeFile(use)
  return async (actor, file, options = {}) => {
    const days = Math.max(use.retentionDays, options.retentionDays ?? 0)
    const at = new Date()
    const purgeAfter = new Date(at.getTime() + days * DAY_MS)
    await use.db.transaction(async (stores) => {
      const now = await stores.files.lockFile(file.fileId)
      if (now === undefined || now.deletedAt !== null) throw new StrongroomError('not_found')
      await stores.files.markDeleted(file.fileId, actor.userId, at, purgeAfter)
      await stores.audit.append(
        auditEvent(actor, {
          action: actionOf(file.kind, 'delete'),
          outcome: 'success',
          ...subject(now),
        }),
      )
    })
    if (days === 0) await purge(actor, file)
    return {
      file_id: file.fileId,
      deleted_at: at.toISOString(),
      purge_after: purgeAfter.toISOString(),
    }
  }
}

export type RestoreFile = (actor: Actor, file: FileRow) => Promise<void>

/**
 * Undoes a deletion until the purge.
 * @throws StrongroomError `conflict` where the same bytes are live again, or the file is live
 */
export function restoreFile({ db }: Pick<Dependencies, 'db'>): RestoreFile {
  return async (actor, file) => {
    await db.transaction(async (stores) => {
      await stores.files.lockOwner(file.ownerId)
      const now = await stores.files.lockFile(file.fileId)
      if (now === undefined) throw new StrongroomError('not_found')
      if (now.deletedAt === null || !(await stores.files.markRestored(file.fileId, new Date()))) {
        throw new StrongroomError('conflict')
      }
      await stores.audit.append(
        auditEvent(actor, {
          action: actionOf(file.kind, 'restore'),
          outcome: 'success',
          ...subject(now),
        }),
      )
    })
  }
}

/** Destroys keys and metadata, commits, then removes the bytes: without a row they are debris. */
export function purgeFile({ db, blobs }: Pick<Dependencies, 'db' | 'blobs'>) {
  return async (actor: Actor, { fileId }: Pick<FileRow, 'fileId'>): Promise<void> => {
    const sealedIds = await db.transaction(async (stores) => {
      const now = await stores.files.lockFile(fileId)
      if (now === undefined || now.deletedAt === null) return []
      const purged = await stores.files.purge(fileId, new Date())
      await stores.audit.append(
        auditEvent(actor, {
          action: actionOf(now.kind, 'purge'),
          outcome: 'success',
          ...subject(now),
        }),
      )
      return purged
    })
    for (const sealedId of sealedIds) await blobs.remove(sealedId)
  }
}
