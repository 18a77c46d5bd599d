import { randomUUID } from 'node:crypto'
import type { Actor } from '../audit/audit-events.js'
import { type AuditLog, auditEvent } from '../audit/audit-log.js'
import { StrongroomError } from '../errors/strongroom-error.js'
import { callerOf, type Idempotency, type IdempotencyClaim } from '../idempotency/idempotency.js'
import type { IndexHash } from '../keys/index-hash.js'
import type { KeyRing } from '../keys/key-ring.js'
import type { Transactions } from '../ports/transactions.js'
import { committing, insertVersionRows, newGrant, versionRows } from './commit-upload.js'
import { type FileMetadata, isSameContent } from './file-metadata.js'
import { cleanFileName } from './file-name.js'
import { type FileSummary, summarize } from './file-summary.js'
import { type OpenEntry, withOpened } from './open-entry.js'
import { type OwnFiles, opening } from './own-files.js'
import type { FileEntry, FileRow, FileStores } from './ports.js'
import { type IncomingPart, receiveForm, textOf } from './receive-form.js'
import type { IncomingLimits, SealedUpload, SealIncoming } from './seal-incoming.js'
import type { UploadSlots } from './upload-slots.js'

export interface UploadRequest {
  readonly parts: AsyncIterable<IncomingPart>
  /** Digest of the file from the request's own header. */
  readonly headerDigest: Buffer | undefined
  readonly idempotencyKey: string | undefined
}

export type UploadFile = (actor: Actor, request: UploadRequest) => Promise<FileSummary>

export interface UploadDependencies {
  readonly db: Transactions<FileStores>
  readonly audit: AuditLog
  readonly seal: SealIncoming
  readonly slots: UploadSlots
  readonly keyRing: KeyRing
  readonly hash: IndexHash
  readonly idempotency: Idempotency
  readonly openEntry: OpenEntry
  readonly ownFiles: OwnFiles
  readonly limits: IncomingLimits & {
    /** Bytes a person's files may take in all; 0: no quota. */
    readonly quotaBytes: number
  }
}

/** What a person says of a file they upload. */
interface Description {
  readonly label: string | null
  readonly notes: string | null
}

/** Lost races against other uploads of the same bytes before it must be something else. */
const MOST_ATTEMPTS = 5

const known = ['label', 'notes', 'sha256']

/** A person uploads a file of their own: sealed, stored, then one commit with its audit event. */
export function uploadFile(use: UploadDependencies): UploadFile {
  const { idempotency, limits, seal, slots } = use
  const commit = commitFile(use)
  return async (actor, { parts, headerDigest, idempotencyKey }) =>
    await slots.run(
      async () =>
        await idempotency.run(
          { userId: callerOf(actor), route: 'POST file', key: idempotencyKey },
          async (claim) => {
            const form = await receiveForm(parts, {
              known,
              headerDigest,
              seal: (file) => seal(file, limits),
            })
            const description = {
              label: textOf(form.fields, 'label'),
              notes: textOf(form.fields, 'notes'),
            }
            return await commit(actor, form.sealed, description, claim)
          },
        ),
    )
}

/** Commits one sealed upload as a new general file; used by the single upload and the batch. */
export function commitFile(use: UploadDependencies) {
  const { db, hash, keyRing, limits, ownFiles } = use
  const duplicateOf = findDuplicate(use)

  return async (
    actor: Actor,
    sealed: SealedUpload,
    description: Description,
    claim: IdempotencyClaim,
  ): Promise<FileSummary> =>
    await committing(sealed, async () => {
      const content = JSON.stringify([description, sealed.sha256.toString('hex')])
      const made = claim.replayOf(content)
      if (made !== undefined) {
        await sealed.discard()
        return await ownFiles.describe(actor, made)
      }
      const ownerId = actor.userId
      const fingerprint = hash.fingerprint(sealed.sha256, ownerId)
      const { file, metadata, grant } = newFile(actor, sealed, description)
      const rows = await versionRows(keyRing, sealed, {
        file,
        createdBy: ownerId,
        createdAt: file.createdAt,
        metadata,
        grants: [grant],
      })
      for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
        const duplicate = await duplicateOf(actor, sealed.sha256, fingerprint, 'file.upload')
        if (duplicate !== undefined) {
          throw new StrongroomError('duplicate_file', { extra: { file_id: duplicate.file_id } })
        }
        const inserted = await db.transaction(async (stores) => {
          await stores.files.ensurePeople([ownerId])
          await stores.files.lockOwner(ownerId)
          await checkQuota(stores, ownerId, sealed.size, limits.quotaBytes)
          if (!(await stores.files.insertFile(file, fingerprint))) return false
          await stores.files.insertGrant(grant)
          await insertVersionRows(stores.files, sealed, rows)
          await claim.complete(stores.idempotency, content, file.fileId)
          await stores.audit.append(
            auditEvent(actor, {
              action: 'file.upload',
              outcome: 'success',
              fileId: file.fileId,
              grantId: grant.grantId,
              version: 1,
              bytes: sealed.size,
            }),
          )
          return true
        })
        // Another upload of the same bytes was first: it is found now.
        if (inserted) return summarize(file, metadata)
      }
      // A row that refuses the insert and is never found has lost its version.
      throw new StrongroomError('damaged')
    })
}

function newFile(actor: Actor, sealed: SealedUpload, description: Description) {
  const at = new Date()
  const ownerId = actor.userId
  const file: FileRow = {
    fileId: randomUUID(),
    kind: 'general',
    ownerId,
    uploaderId: ownerId,
    recordId: null,
    recordTypeId: null,
    version: 1,
    createdAt: at,
    updatedAt: at,
    deletedAt: null,
    purgeAfter: null,
  }
  const metadata = {
    file_id: file.fileId,
    version: 1,
    size: sealed.size,
    sha256: sealed.sha256.toString('hex'),
    owner_id: ownerId,
    patient_id: null,
    uploader_id: ownerId,
    content_type: sealed.contentType,
    record_type_id: null,
    filename: cleanFileName(sealed.filename),
    ...description,
  }
  const grant = newGrant({
    fileId: file.fileId,
    userId: ownerId,
    basis: 'own',
    grantedBy: ownerId,
    grantedAt: at,
  })
  return { file, metadata, grant }
}

/** The caller's live file of this digest, by its verified metadata: there or not. */
export type FindDuplicate = (
  actor: Actor,
  sha256: Buffer,
  fingerprint: Buffer,
  action: 'file.upload' | 'file.check',
) => Promise<FileMetadata | undefined>

/**
 * Looks a fingerprint up, and believes it only once the file's metadata confirms the digest.
 * @throws StrongroomError `damaged` where it does not, on record as a failure of `action`
 */
export function findDuplicate({
  db,
  audit,
  openEntry,
}: Pick<UploadDependencies, 'db' | 'audit' | 'openEntry'>): FindDuplicate {
  const verified = async (entry: FileEntry, sha256: Buffer): Promise<FileMetadata> => {
    const [grant] = entry.held
    if (grant === undefined) throw new StrongroomError('damaged')
    return await withOpened(await openEntry(entry, grant), ({ metadata }) => {
      if (!isSameContent(metadata, metadata.size, sha256)) throw new StrongroomError('damaged')
      return metadata
    })
  }
  return async (actor, sha256, fingerprint, action) => {
    const { userId } = actor
    const [entry] = await db.stores.files.entriesByFingerprint(
      'general',
      userId,
      fingerprint,
      userId,
    )
    if (entry === undefined) return undefined
    return await opening(audit, actor, { entry, action }, () => verified(entry, sha256))
  }
}

/** @throws StrongroomError `quota_exceeded` where `size` bytes more do not fit */
export async function checkQuota(
  stores: Pick<FileStores, 'files'>,
  ownerId: string,
  size: number,
  quotaBytes: number,
): Promise<void> {
  if (quotaBytes === 0) return
  if ((await stores.files.usage(ownerId)) + size > quotaBytes) {
    throw new StrongroomError('quota_exceeded')
  }
}
