import type { Actor } from '../audit/audit-events.js'
import { type AuditLog, auditEvent } from '../audit/audit-log.js'
import { StrongroomError } from '../errors/strongroom-error.js'
import { committing, insertVersionRows, versionRows } from '../files/commit-upload.js'
import type { IncomingLimits, SealedUpload, SealIncoming } from '../files/seal-incoming.js'
import { checkQuota } from '../files/upload-file.js'
import type { UploadSlots } from '../files/upload-slots.js'
import type { IndexHash } from '../keys/index-hash.js'
import type { KeyRing } from '../keys/key-ring.js'
import type { Transactions } from '../ports/transactions.js'
import { limitsOf } from '../records/upload-record.js'
import type { TicketRow } from '../tickets/ports.js'
import type { DocumentFacts, DocumentNotes } from './document-facts.js'
import type { DocumentRights } from './document-rights.js'
import { newDocument } from './new-document.js'
import { notingRefusal } from './noting-refusal.js'
import type { DocumentRow, DocumentState, DocumentStores } from './ports.js'
import { checkContent, checkHeaders } from './said-and-sent.js'

/** What comes by an upload ticket: not trusted, to be read once. */
export interface IncomingDocument {
  /** In lower case, without parameters; empty: none. */
  readonly contentType: string
  /** Bytes, where the headers say so. */
  readonly length: number | undefined
  /** Of a header. */
  readonly sha256: Buffer | undefined
  readonly bytes: AsyncIterable<Buffer>
}

export interface ReceivedDocument {
  readonly id: string
  readonly key: string
  readonly state: DocumentState
}

interface Dependencies {
  readonly db: Transactions<DocumentStores>
  readonly audit: AuditLog
  readonly hash: Pick<IndexHash, 'fingerprint'>
  readonly keyRing: Pick<KeyRing, 'wrapFileKey'>
  readonly notes: DocumentNotes
  readonly rights: Pick<DocumentRights, 'checkAsker'>
  readonly seal: SealIncoming
  readonly slots: UploadSlots
  readonly settings: { readonly expiryDays: number }
  readonly limits: IncomingLimits & { readonly quotaBytes: number }
}

export type ReceiveUpload = (
  actor: Actor,
  ticket: TicketRow,
  incoming: IncomingDocument,
) => Promise<ReceivedDocument>

const DAY_MS = 86_400_000

/**
 * Takes the bytes a document was given a place for, by the rights its person has now. They have to be what was said
 * beforehand. The ticket is spent with the commit: a failed try costs nothing.
 * Throws `ticket_over` (another was first), `content_mismatch`, `digest_mismatch`, `not_assigned` and what sealing throws.
 */
export function receiveUpload(use: Dependencies): ReceiveUpload {
  const { db, notes, rights, slots } = use
  const sealAndCommit = sealingAndCommitting(use)
  return async (actor, ticket, incoming) => {
    const beganAt = new Date()
    const row = await db.stores.documents.find(ticket.fileId)
    if (row?.state !== 'Awaiting') throw new StrongroomError('ticket_over')
    const patientId = row.kind === 'record' ? row.ownerId : undefined
    await rights.checkAsker(actor, patientId, 'document.receive')
    const facts = await notes.open(row)
    const take = async () => {
      checkHeaders(facts, incoming)
      return await slots.run(() => sealAndCommit(actor, { ticket, row, facts, incoming, beganAt }))
    }
    const { fileId } = row
    const about = { fileId, patientId, subjectId: ticket.ticketId }
    return await notingRefusal(use, actor, { action: 'document.receive', ...about }, take)
  }
}

interface Taking {
  readonly ticket: TicketRow
  readonly row: DocumentRow
  readonly facts: DocumentFacts
  readonly incoming: IncomingDocument
  /** A ticket that was good then is good for what takes its time. */
  readonly beganAt: Date
}

function sealingAndCommitting(use: Dependencies) {
  const { db, seal, limits } = use
  const commit = committingDocument(use)
  /** Of its type as it is today; a type that is asked for cannot be removed. */
  const mostOf = async ({ recordTypeId }: DocumentRow) => {
    const type = recordTypeId === null ? undefined : await db.stores.types.find(recordTypeId)
    return type === undefined ? limits.maxBytes : limitsOf(type, limits).maxBytes
  }
  return async (actor: Actor, { ticket, row, facts, incoming, beganAt }: Taking) => {
    const { contentType, filename } = facts
    const most = await mostOf(row)
    const sealed = await seal(
      { filename, contentType, contentDigest: undefined, bytes: incoming.bytes },
      { maxBytes: Math.min(facts.size ?? most, most), allowedTypes: [contentType] },
    )
    return await committing(sealed, async () => {
      checkContent(facts, incoming, sealed)
      return await commit(actor, { ticket, row, sealed, filename, beganAt })
    })
  }
}

interface Commit extends Pick<Taking, 'ticket' | 'row' | 'beganAt'> {
  readonly sealed: SealedUpload
  readonly filename: string
}

function committingDocument({ db, hash, keyRing, settings, limits }: Dependencies) {
  return async (
    actor: Actor,
    { ticket, row, sealed, filename, beganAt }: Commit,
  ): Promise<ReceivedDocument> => {
    const { fileId, ownerId, uploaderId, family, kind, key } = row
    const { file, metadata, grants } = newDocument(row, sealed, filename)
    const rows = await versionRows(keyRing, sealed, {
      ...{ file, metadata, grants, createdBy: uploaderId, createdAt: file.createdAt },
    })
    const isConfirmed = family === 'docs'
    const state = isConfirmed ? 'uploading' : 'Completed'
    const awaitsUntil = new Date(file.createdAt.getTime() + settings.expiryDays * DAY_MS)
    await db.transaction(async (stores) => {
      const { documents, files, tickets } = stores
      await files.lockOwner(ownerId)
      const now = await documents.lock(fileId)
      const isFirst = now?.state === 'Awaiting'
      if (!isFirst || !(await tickets.end(ticket.ticketId, ticket.userId, beganAt))) {
        throw new StrongroomError('ticket_over')
      }
      if (kind === 'document') await checkQuota(stores, ownerId, sealed.size, limits.quotaBytes)
      const fingerprint = hash.fingerprint(sealed.sha256, ownerId)
      if (!(await files.insertFile(file, fingerprint, isConfirmed ? awaitsUntil : undefined))) {
        throw new StrongroomError('conflict')
      }
      for (const grant of grants) await files.insertGrant(grant)
      await insertVersionRows(files, sealed, rows)
      await documents.setState(fileId, state, file.createdAt)
      await stores.audit.append(
        auditEvent(actor, {
          action: isConfirmed ? 'document.receive' : 'document.upload',
          ...{ outcome: 'success', fileId, version: 1, bytes: sealed.size },
          patientId: kind === 'record' ? ownerId : undefined,
          grantId: grants.find(({ userId }) => userId === actor.userId)?.grantId,
          subjectId: ticket.ticketId,
        }),
      )
    })
    return { id: fileId, key, state }
  }
}
