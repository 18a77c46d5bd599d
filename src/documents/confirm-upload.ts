import type { Actor } from '../audit/audit-events.js'
import { type AuditLog, auditEvent } from '../audit/audit-log.js'
import { StrongroomError } from '../errors/strongroom-error.js'
import { parseHexDigest } from '../files/content-digest.js'
import type { PurgeFile } from '../files/delete-file.js'
import type { FileMetadata } from '../files/file-metadata.js'
import { type OpenEntry, withOpened } from '../files/open-entry.js'
import { opening } from '../files/own-files.js'
import type { FileEntry } from '../files/ports.js'
import type { IndexHash } from '../keys/index-hash.js'
import type { Transactions } from '../ports/transactions.js'
import { teamGrantsJob } from '../records/team-grants-job.js'
import { duplicateRecords } from '../records/upload-record.js'
import { discardDocument } from './discard-document.js'
import type { DocumentRights } from './document-rights.js'
import { type DocumentSummary, summarizeDocument } from './document-summary.js'
import type { DocumentRow, DocumentStores } from './ports.js'

export interface Confirmation {
  readonly key: string
  readonly patientId?: string | undefined
  readonly contentType: string
  /** Bytes. */
  readonly size: number
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
  readonly grantsToTeam: boolean
}

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
      const refused = ['content_mismatch', 'digest_mismatch', 'duplicate_record'] as const
      const code = error instanceof StrongroomError ? error.code : undefined
      const reason = refused.find((each) => each === code)
      if (reason !== undefined) await discardDocument(use, actor, row, reason)
      throw error
    }
  }
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
  if (metadata.content_type !== said.contentType) throw mismatch('contentType')
  if (metadata.size !== said.size) throw mismatch('size')
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
  const teamOf = async (row: DocumentRow): Promise<readonly string[]> => {
    if (row.recordTypeId === null || !grantsToTeam) return []
    const type = await db.stores.types.find(row.recordTypeId)
    return type === undefined || type.sensitive
      ? []
      : await db.stores.team.assignedClinicians(row.ownerId, new Date())
  }
  return async (
    actor: Actor,
    row: DocumentRow,
    metadata: FileMetadata,
  ): Promise<DocumentSummary> => {
    const { fileId, ownerId, kind } = row
    const sha256 = Buffer.from(metadata.sha256, 'hex')
    if (kind === 'record') {
      const fingerprint = hash.fingerprint(sha256, ownerId)
      await findDuplicates(actor, ownerId, fingerprint, { size: metadata.size, sha256 })
    }
    const team = (await teamOf(row)).filter((each) => each !== actor.userId && each !== ownerId)
    const isFirst = await db.transaction(async (stores) => {
      const at = new Date()
      await stores.files.lockOwner(ownerId)
      if ((await stores.documents.lock(fileId))?.state !== 'uploading') return false
      if (!(await stores.files.settle(fileId, at))) return false
      await stores.documents.setState(fileId, 'Completed', at)
      for (const clinicianId of team) await stores.jobs.add(teamGrantsJob(clinicianId, ownerId), at)
      await stores.audit.append(
        auditEvent(actor, {
          action: kind === 'record' ? 'record.upload' : 'document.upload',
          ...{ outcome: 'success', fileId, version: 1, bytes: metadata.size },
          patientId: kind === 'record' ? ownerId : undefined,
        }),
      )
      return true
    })
    if (isFirst && team.length > 0) jobs.wake()
    const now = isFirst ? undefined : await db.stores.documents.find(fileId)
    if (now !== undefined && now.state !== 'Completed') throw new StrongroomError('not_uploaded')
    return summarizeDocument(row, metadata)
  }
}
