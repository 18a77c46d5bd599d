import type { Actor, AuditAction } from '../audit/audit-events.js'
import { type AuditLog, auditEvent } from '../audit/audit-log.js'
import { StrongroomError } from '../errors/strongroom-error.js'
import { isFileId } from '../files/file-id.js'
import type { AskedWith, IssuedTicket, TicketBook } from '../tickets/ticket-book.js'
import type { DocumentRights } from './document-rights.js'
import { type NewPlaceUse, newPlace, type UploadAsk } from './new-place.js'
import type { DocumentPartRow, DocumentRow, DocumentStores } from './ports.js'
import { waitsUntil } from './take-bytes.js'

/** A document that comes in parts, as whoever asked for it sees it. */
export interface PartsUpload {
  /** Of the upload, and of the document it becomes. */
  readonly id: string
  readonly key: string
  readonly expiresAt: Date
  /** Those that have come, by number. */
  readonly parts: readonly Pick<DocumentPartRow, 'partNumber' | 'size'>[]
}

export interface PartPlace {
  readonly partNumber: number
  readonly ticket: IssuedTicket
}

interface Dependencies extends NewPlaceUse {
  readonly audit: AuditLog
  readonly rights: Pick<DocumentRights, 'checkAsker'>
  readonly tickets: Pick<TicketBook, 'forUpload'>
}

type FindUse = Pick<Dependencies, 'db' | 'audit' | 'rights'>

/**
 * One's own upload in parts, by the rights one has now.
 * @throws StrongroomError `not_found`, `not_assigned`, on record as a refusal of `action`
 */
export async function ownPartsUpload(
  { db, audit, rights }: FindUse,
  actor: Actor,
  id: string,
  action: AuditAction,
): Promise<DocumentRow> {
  const row = isFileId(id) ? await db.stores.documents.find(id) : undefined
  if (row?.inParts !== true || row.uploaderId !== actor.userId) {
    await audit.note(actor, { action, outcome: 'denied', reason: 'not_found', fileId: row?.fileId })
    throw new StrongroomError('not_found')
  }
  await rights.checkAsker(actor, row.kind === 'record' ? row.ownerId : undefined, action)
  return row
}

/** Asking for an upload in parts, for the URLs of its parts, and for what has come. */
export function partsUploads(use: Dependencies) {
  const { db, tickets } = use
  const { prepare, insert } = newPlace(use)
  return {
    /** Throws what asking for a place at once throws. */
    begin: async (actor: Actor, ask: Omit<UploadAsk, 'family'>): Promise<PartsUpload> => {
      const place = await prepare(actor, { ...ask, family: 'docs' })
      const until = waitsUntil(place.at, use.settings.expiryDays)
      const { fileId, key, expiresAt } = await insert(actor, place, { inParts: true, until })
      return { id: fileId, key, expiresAt, parts: [] }
    },

    /**
     * A ticket for each of these parts, from 1 to `MAX_PARTS`; for one that has come, to send another in its place.
     * @throws StrongroomError `not_found`, `not_assigned`, `ticket_over` (it is whole, or given up)
     */
    places: async (
      actor: Actor,
      id: string,
      numbers: readonly number[],
      token: AskedWith,
    ): Promise<PartPlace[]> => {
      const row = await ownPartsUpload(use, actor, id, 'document.presign')
      const { fileId, kind, ownerId } = row
      const drawn = [...new Set(numbers)].map((partNumber) => {
        const wish = { fileId, kind, partNumber, seconds: undefined }
        return { partNumber, ...tickets.forUpload(actor, wish, token) }
      })
      await db.transaction(async (stores) => {
        assertOpen(await stores.documents.lock(fileId))
        for (const { row: ticket } of drawn) {
          await stores.tickets.insert(ticket)
          await stores.audit.append(
            auditEvent(actor, {
              ...{ action: 'document.presign', outcome: 'success', fileId },
              patientId: kind === 'record' ? ownerId : undefined,
              subjectId: ticket.ticketId,
            }),
          )
        }
      })
      return drawn.map(({ partNumber, issued }) => ({ partNumber, ticket: issued }))
    },

    /** @throws StrongroomError `not_found`, `not_assigned`, `ticket_over` (it is whole, or given up) */
    received: async (actor: Actor, id: string): Promise<PartsUpload> => {
      const row = await ownPartsUpload(use, actor, id, 'document.list')
      assertOpen(row)
      const { fileId, key, expiresAt, kind, ownerId } = row
      const parts = await db.stores.documentParts.list(fileId)
      await use.audit.note(actor, {
        ...{ action: 'document.list', outcome: 'success', fileId },
        patientId: kind === 'record' ? ownerId : undefined,
      })
      return { id: fileId, key, expiresAt, parts }
    },
  }
}

export type PartsUploads = ReturnType<typeof partsUploads>

function assertOpen(row: Pick<DocumentRow, 'state' | 'expiresAt'> | undefined): void {
  if (row?.state === 'Awaiting' && row.expiresAt > new Date()) return
  throw new StrongroomError('ticket_over', { detail: 'This upload has ended.' })
}

/** Ends parts with what they were of: the files to be purged. In the transaction that locked the document. */
export async function dropParts(
  { documentParts, files }: Pick<DocumentStores, 'documentParts' | 'files'>,
  actor: Actor,
  documentId: string,
  at: Date,
): Promise<readonly string[]> {
  const dropped = await documentParts.remove(documentId)
  for (const fileId of dropped) await files.markDeleted(fileId, actor.userId, at, at)
  return dropped
}
