import type { Actor } from '../audit/audit-events.js'
import { type AuditLog, auditEvent } from '../audit/audit-log.js'
import { newDocument } from '../documents/new-document.js'
import { isStrongroomError, StrongroomError } from '../errors/strongroom-error.js'
import { insertVersionRows, type VersionRows, versionRows } from '../files/commit-upload.js'
import type { PurgeFile } from '../files/delete-file.js'
import type { SealedUpload } from '../files/seal-incoming.js'
import { checkQuota } from '../files/upload-file.js'
import type { IndexHash } from '../keys/index-hash.js'
import type { KeyRing } from '../keys/key-ring.js'
import type { Transactions } from '../ports/transactions.js'
import type { TicketRow } from '../tickets/ports.js'
import { type FolderNotes, spaceOf } from './folder-notes.js'
import type { ObjectHashes } from './object-hashes.js'
import { parentOf } from './object-key.js'
import type { BucketStores, FoundObject, ObjectRow } from './ports.js'
import { keepFolders, prepareFolders } from './prepare-folders.js'
import { ChangedMeanwhile, retireObject, untilUnchanged } from './retire-object.js'

export interface NewObject {
  readonly actor: Actor
  readonly ticket: TicketRow
  readonly bucket: string
  readonly key: string
  readonly sealed: SealedUpload
  /** A ticket that was good then is good for what takes its time. */
  readonly beganAt: Date
}

interface Dependencies {
  readonly db: Transactions<BucketStores>
  readonly audit: AuditLog
  readonly hash: Pick<IndexHash, 'fingerprint'>
  readonly hashes: ObjectHashes
  readonly keyRing: Pick<KeyRing, 'wrapFileKey'>
  readonly folderNotes: Pick<FolderNotes, 'seal'>
  readonly purge: PurgeFile
  readonly deleting: { readonly retentionDays: number }
  readonly limits: { readonly quotaBytes: number }
  /** Told of what is left to the jobs. */
  readonly onProblem: (error: unknown) => void
}

export type CommitObject = (made: NewObject) => Promise<void>

/** What goes into the tables, and what is there before it. */
interface Commit {
  readonly made: NewObject
  readonly rows: ReturnType<typeof newDocument> & VersionRows
  readonly before: FoundObject | undefined
  readonly folders: Awaited<ReturnType<typeof prepareFolders>>
}

/** Puts a sealed object where its key says, in the place of one that is there: both in one transaction, or neither. */
export function commitObject(use: Dependencies): CommitObject {
  const { db, hashes, audit, purge, onProblem } = use
  const commit = committingRows(use)
  return async (made) => {
    const { actor, bucket, key, ticket } = made
    const rows = await rowsOf(use, made)
    const replaced = await untilUnchanged(async () => {
      const before = await db.stores.objects.find(hashes.ofKey(bucket, key))
      const folders = await prepareFolders({ ...use, notes: use.folderNotes }, bucket, key)
      try {
        return await commit({ made, rows, before, folders })
      } catch (error) {
        if (isStrongroomError(error, 'legal_hold') && before !== undefined) {
          const about = { action: 'object.delete', fileId: before.fileId } as const
          const why = { outcome: 'denied', reason: error.code } as const
          await audit.note(actor, { ...about, ...why, subjectId: ticket.ticketId })
        }
        throw error
      }
    })
    if (replaced === undefined || replaced.purgeAfter > replaced.at) return
    await purge(actor, replaced, replaced.at).catch(onProblem)
  }
}

/** A document of who sends it and of the bucket's space: by the key of that it is read. */
async function rowsOf(
  { keyRing }: Dependencies,
  { actor, ticket, bucket, key, sealed }: NewObject,
) {
  const { userId } = actor
  const facts = {
    fileId: ticket.fileId,
    kind: 'document',
    ownerId: userId,
    uploaderId: userId,
  } as const
  const whose = { recordTypeId: null, spaceId: spaceOf(bucket) }
  const made = newDocument({ ...facts, ...whose }, sealed, key)
  const { createdAt } = made.file
  const version = await versionRows(keyRing, sealed, { ...made, createdBy: userId, createdAt })
  return { ...made, ...version }
}

function committingRows({ db, hash, hashes, deleting, limits }: Dependencies) {
  return ({ made, rows, before, folders }: Commit) =>
    db.transaction(async (stores) => {
      const { files, objects, places, tickets } = stores
      const { actor, ticket, bucket, key, sealed, beganAt } = made
      const { file, grants } = rows
      const { createdAt: at } = file
      // In order, so that two who replace each other's never wait for each other.
      const owners = new Set([file.ownerId, before?.ownerId ?? file.ownerId])
      for (const owner of [...owners].sort()) await files.lockOwner(owner)
      const isFirst = await places.remove(file.fileId)
      if (!isFirst || !(await tickets.end(ticket.ticketId, ticket.userId, beganAt))) {
        throw new StrongroomError('ticket_over')
      }
      await keepFolders(stores, bucket, folders)
      const row: ObjectRow = {
        ...{ fileId: file.fileId, bucket, keyHash: hashes.ofKey(bucket, key), createdAt: at },
        folderHash: hashes.ofFolder(bucket, parentOf(key)),
      }
      const now = await objects.lock(row.keyHash)
      if (now?.fileId !== before?.fileId) throw new ChangedMeanwhile()
      const subjectId = ticket.ticketId
      const how = { actor, at, ...deleting, reason: 'replaced', subjectId } as const
      const purgeAfter = now === undefined ? undefined : await retireObject(stores, now, how)
      await checkQuota(stores, file.ownerId, sealed.size, limits.quotaBytes)
      const fingerprint = hash.fingerprint(sealed.sha256, file.ownerId)
      if (!(await files.insertFile(file, fingerprint))) throw new StrongroomError('conflict')
      for (const grant of grants) await files.insertGrant(grant)
      await insertVersionRows(files, sealed, rows)
      if (!(await objects.insert(row))) throw new ChangedMeanwhile()
      await stores.audit.append(
        auditEvent(actor, {
          ...{ action: 'object.upload', outcome: 'success', fileId: file.fileId, version: 1 },
          ...{ bytes: sealed.size, subjectId },
          grantId: grants.find(({ userId }) => userId === spaceOf(bucket))?.grantId,
        }),
      )
      if (now === undefined || purgeAfter === undefined) return undefined
      return { fileId: now.fileId, purgeAfter, at }
    })
}
