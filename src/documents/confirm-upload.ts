import type { Actor } from '../audit/audit-events.js'
import { type AuditLog, auditEvent } from '../audit/audit-log.js'
import { isStrongroomError, StrongroomError } from '../errors/strongroom-error.js'
import { parseHexDigest } from '../files/content-digest.js'
import type { PurgeFile } from '../files/delete-file.js'
import type { FileMetadata } from '../files/file-metadata.js'
import { type OpenEntry, withOpened } from '../files/open-entry.js'
import { opening } from '../files/own-files.js'
import type { FileEntry, FileStore } from '../files/ports.js'
import type { IndexHash } from '../keys/index-hash.js'
import type { Transactions } from '../ports/transactions.js'
import { teamGrantsJob } from '../records/team-grants-job.js'
import { duplicateRecords, idsOf } from '../records/upload-record.js'
import { discardDocument } from './discard-document.js'
import type { DocumentRights } from './document-rights.js'
import { type DocumentSummary, summarizeDocument } from './document-summary.js'
import { notingRefusal } from './noting-refusal.js'
import type { DocumentRow, DocumentStores } from './ports.js'

/** What is said of the bytes that were sent; what is not said is not asked of them. */
export interface Confirmation {
  readonly key: string
  readonly patientId?: string | undefined
  readonly contentType?: string | undefined
  /** Bytes. */
  readonly size?: number | undefined
  readonly sha256?: string | undefined
}

interface Dependencies {
  readonly db: Transactions<DocumentStores>
  readonly audit: AuditLog
  readonly hash: Pick<IndexHash, 'fingerprint'>
  readonly openEntry: OpenEntry
  readonly rights: Pick<DocumentRights, 'checkAsker'>
  readonly jobs: { wake(): void }
  readonly purge: PurgeFile
  readonly onProblem: (error: unknown) => void
  readonly grantsToTeam: boolean
}

/** What came is not what is said, or has no place: it is of no use to keep it. */
const discarding = [
  'content_mismatch',
  'digest_mismatch',
  'duplicate_record',
  'person_erased',
] as const

export type ConfirmUpload = (actor: Actor, said: Confirmation) => Promise<DocumentSummary>

/**
 * Whoever asked for the place says what they sent: where the bytes that came are that, the document is there, else they
 * are discarded. The same once more is answered the same.
 * Throws `not_found`, `not_uploaded`, `content_mismatch`, `digest_mismatch`, `duplicate_record`, `not_assigned`.
 */
export function confirmUpload(use: Dependencies): ConfirmUpload {
  const { db, audit, rights } = use
  const complete = completing(use)
  return async (actor, said) => {
    const row = await db.stores.documents.findByKey(said.key)
    if (row?.family !== 'docs' || row.uploaderId !== actor.userId) {
      const facts = { action: 'document.upload', outcome: 'denied', reason: 'not_found' } as const
      await audit.note(actor, { ...facts, fileId: row?.fileId })
      throw new StrongroomError('not_found')
    }
    const patientId = row.kind === 'record' ? row.ownerId : undefined
    await rights.checkAsker(actor, patientId, 'document.upload')
    if (row.state === 'Completed') return await again(use, actor, row, said)
    if (row.state !== 'uploading') throw new StrongroomError('not_uploaded')
    const found = await db.stores.files.awaitingEntry(row.fileId, actor.userId)
    // Another confirmation was quicker.
    if (found === undefined) return await again(use, actor, row, said)
    const metadata = await metadataOf(use, actor, found)
    try {
      checkSaid(row, metadata, said)
      return await complete(actor, row, metadata)
    } catch (error) {
      const reason = discarding.find((code) => isStrongroomError(error, code))
      // It may have been confirmed meanwhile, and be the very file that is there already.
      if (reason === 'duplicate_record' && (await isComplete(use, row))) {
        return summarizeDocument(row, metadata)
      }
      if (reason !== undefined) {
        const about = { action: 'document.discard', fileId: row.fileId, patientId } as const
        await notingRefusal(use, actor, about, () => discardDocument(use, actor, row, reason))
      }
      throw error
    }
  }
}

async function isComplete({ db }: Dependencies, { fileId }: DocumentRow): Promise<boolean> {
  return (await db.stores.documents.find(fileId))?.state === 'Completed'
}

/** What is there already, where it is what is said. */
async function again(
  use: Dependencies,
  actor: Actor,
  row: DocumentRow,
  said: Confirmation,
): Promise<DocumentSummary> {
  const entry = await use.db.stores.files.entry(row.fileId, actor.userId)
  if (entry === undefined || entry.file.deletedAt !== null) {
    throw new StrongroomError('not_uploaded')
  }
  const metadata = await metadataOf(use, actor, entry)
  checkSaid(row, metadata, said)
  return summarizeDocument(row, metadata)
}

async function metadataOf(
  { audit, openEntry }: Dependencies,
  actor: Actor,
  entry: FileEntry,
): Promise<FileMetadata> {
  const [grant] = entry.held
  if (grant === undefined) throw new StrongroomError('not_found')
  const action = 'document.upload'
  const opened = await opening(audit, actor, { entry, action }, () => openEntry(entry, grant))
  return await withOpened(opened, ({ metadata }) => metadata)
}

function checkSaid(row: DocumentRow, metadata: FileMetadata, said: Confirmation): void {
  const { patientId } = said
  if (patientId !== undefined && metadata.patient_id !== patientId) throw mismatch('patientId')
  const { content_type: contentType, size } = metadata
  if (contentType !== (said.contentType ?? contentType)) throw mismatch('contentType')
  if (size !== (said.size ?? size)) throw mismatch('size')
  if (said.sha256 === undefined) return
  if (parseHexDigest(said.sha256).toString('hex') !== metadata.sha256) {
    throw new StrongroomError('digest_mismatch', { extra: { file_id: row.fileId } })
  }
}

function mismatch(what: string): StrongroomError {
  return new StrongroomError('content_mismatch', { detail: `${what}: not that of the bytes` })
}

function completing(use: Dependencies) {
  const { db, hash, jobs, grantsToTeam } = use
  const findDuplicates = duplicateRecords(use)
  const teamOf = async (
    { types, team }: Pick<DocumentStores, 'types' | 'team'>,
    { ownerId, uploaderId, recordTypeId }: DocumentRow,
  ): Promise<readonly string[]> => {
    if (recordTypeId === null || !grantsToTeam) return []
    const type = await types.find(recordTypeId)
    if (type === undefined || type.sensitive) return []
    const assigned = await team.assignedClinicians(ownerId, new Date())
    return assigned.filter((each) => each !== uploaderId && each !== ownerId)
  }
  return async (
    actor: Actor,
    row: DocumentRow,
    metadata: FileMetadata,
  ): Promise<DocumentSummary> => {
    const { fileId, ownerId, kind } = row
    const sha256 = Buffer.from(metadata.sha256, 'hex')
    const content = { size: metadata.size, sha256 }
    const fingerprint = hash.fingerprint(sha256, ownerId)
    const twins = (files: FileStore) =>
      kind === 'record'
        ? files.entriesByFingerprint('record', ownerId, fingerprint, actor.userId)
        : Promise.resolve([])
    const settle = async (seen: string) =>
      await db.transaction(async (stores) => {
        const at = new Date()
        await stores.files.lockOwner(ownerId)
        if ((await stores.documents.lock(fileId))?.state !== 'uploading') return 'late'
        // Another of the same bytes was first: it is looked at before this one counts.
        if (idsOf(await twins(stores.files)) !== seen) return 'again'
        if (await stores.files.isOwnerErased(fileId)) throw new StrongroomError('person_erased')
        if (!(await stores.files.settle(fileId, at))) return 'late'
        await stores.documents.setState(fileId, 'Completed', at)
        const team = await teamOf(stores, row)
        for (const each of team) await stores.jobs.add(teamGrantsJob(each, ownerId), at)
        await stores.audit.append(
          auditEvent(actor, {
            action: kind === 'record' ? 'record.upload' : 'document.upload',
            ...{ outcome: 'success', fileId, version: 1, bytes: metadata.size },
            patientId: kind === 'record' ? ownerId : undefined,
          }),
        )
        return team.length > 0 ? 'team' : 'alone'
      })
    for (;;) {
      const seen =
        kind === 'record' ? await findDuplicates(actor, ownerId, fingerprint, content) : ''
      const end = await settle(seen)
      if (end === 'again') continue
      if (end === 'team') jobs.wake()
      if (end !== 'late') return summarizeDocument(row, metadata)
      const now = await db.stores.documents.find(fileId)
      if (now?.state !== 'Completed') throw new StrongroomError('not_uploaded')
      return summarizeDocument(row, metadata)
    }
  }
}
