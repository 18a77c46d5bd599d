import type { Actor } from '../audit/audit-events.js'
import { auditEvent } from '../audit/audit-log.js'
import type { BlobStore } from '../blobs/blob-store.js'
import { StrongroomError } from '../errors/strongroom-error.js'
import type { Transactions } from '../ports/transactions.js'
import { actionOf } from './file-action.js'
import { notingHold } from './noting-hold.js'
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
  /** Told of what is left to the purge job, or the sweep. */
  readonly onProblem: (error: unknown) => void
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

/**
 * Gone at once for everyone; bytes and keys after the retention time: that of the service counts from
 * now, that of its type from the making of the current version. The row stays, marked.
 * @throws StrongroomError `legal_hold` where one stands, on record as a refusal
 */
export function deleteFile(use: Dependencies): DeleteFile {
  const purge = purgeFile(use)
  return async (actor, file, { retentionDays } = {}) => {
    const at = new Date()
    const purgeAfter = await notingHold(use, { actor, file, verb: 'delete' }, () =>
      use.db.transaction(async (stores) => {
        await stores.files.lockOwner(file.ownerId)
        const now = await stores.files.lockFile(file.fileId)
        if (now === undefined || now.deletedAt !== null) throw new StrongroomError('not_found')
        if (await stores.files.isHeld(file.fileId)) throw new StrongroomError('legal_hold')
        const ours = after(at, use.retentionDays)
        const until =
          typeof retentionDays === 'number'
            ? later(ours, after(await madeAt(stores, now), retentionDays))
            : ours
        await stores.files.markDeleted(file.fileId, actor.userId, at, until)
        await stores.audit.append(
          auditEvent(actor, {
            action: actionOf(file.kind, 'delete'),
            outcome: 'success',
            ...subject(now),
          }),
        )
        return until
      }),
    )
    // It is deleted, whatever becomes of this: the job purges it, or the sweep finds bytes without a row.
    if (purgeAfter <= at) await purge(actor, file, at).catch(use.onProblem)
    return {
      file_id: file.fileId,
      deleted_at: at.toISOString(),
      purge_after: purgeAfter.toISOString(),
    }
  }
}

/** When its current version was made. */
async function madeAt({ files }: FileStores, file: FileRow): Promise<Date> {
  const versions = await files.versions(file.fileId)
  return versions.find(({ version }) => version === file.version)?.createdAt ?? file.createdAt
}

const after = (from: Date, days: number) => new Date(from.getTime() + days * DAY_MS)
const later = (one: Date, other: Date) => (one > other ? one : other)

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

/** What became of a purge: `kept` where there was none of it to do any more, or not yet. */
export type PurgeOutcome = 'purged' | 'held' | 'kept'

export type PurgeFile = (
  actor: Actor,
  file: Pick<FileRow, 'fileId'>,
  now?: Date,
) => Promise<PurgeOutcome>

/** Destroys keys and metadata, commits, then removes the bytes: without a row they are debris. */
export function purgeFile({ db, blobs }: Pick<Dependencies, 'db' | 'blobs'>): PurgeFile {
  return async (actor, { fileId }, now = new Date()) => {
    const outcome = await db.transaction(async (stores) => {
      const found = await stores.files.find(fileId)
      if (found === undefined) return 'kept'
      await stores.files.lockOwner(found.ownerId)
      const file = await stores.files.lockFile(fileId)
      if (file === undefined || file.deletedAt === null) return 'kept'
      // It may have been restored, and deleted again.
      if (file.purgeAfter !== null && file.purgeAfter > now) return 'kept'
      if (await stores.files.isHeld(fileId)) return 'held'
      const purged = await stores.files.purge(fileId, new Date())
      await stores.audit.append(
        auditEvent(actor, {
          action: actionOf(file.kind, 'purge'),
          outcome: 'success',
          ...subject(file),
        }),
      )
      return purged
    })
    if (typeof outcome === 'string') return outcome
    for (const sealedId of outcome) await blobs.remove(sealedId)
    return 'purged'
  }
}
