import type { Actor } from '../audit/audit-events.js'
import type { AuditLog } from '../audit/audit-log.js'
import { StrongroomError } from '../errors/strongroom-error.js'
import type { PurgeFile } from '../files/delete-file.js'
import type { UploadSlots } from '../files/upload-slots.js'
import type { TicketRow } from '../tickets/ports.js'
import type { DocumentNotes } from './document-facts.js'
import type { DocumentRights } from './document-rights.js'
import { notingRefusal } from './noting-refusal.js'
import type { DocumentState } from './ports.js'
import { type ReceivedPart, receivePart } from './receive-part.js'
import { checkHeaders, checkNamedKey } from './said-and-sent.js'
import { type TakeBytesUse, takeBytes } from './take-bytes.js'

/** What comes by an upload ticket: not trusted, to be read once. */
export interface IncomingDocument {
  /** In lower case, without parameters; empty: none. */
  readonly contentType: string
  /** Where what comes names it: a form does. */
  readonly key?: string | undefined
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
  /** Where it was one part. */
  readonly part?: ReceivedPart | undefined
}

interface Dependencies extends TakeBytesUse {
  readonly audit: AuditLog
  readonly notes: DocumentNotes
  readonly rights: Pick<DocumentRights, 'checkAsker'>
  readonly slots: UploadSlots
  readonly purge: PurgeFile
  readonly onProblem: (error: unknown) => void
}

export type ReceiveUpload = (
  actor: Actor,
  ticket: TicketRow,
  incoming: IncomingDocument,
) => Promise<ReceivedDocument>

/**
 * Takes the bytes a document, or one part of it, was given a place for, by the rights its person has now. They have to
 * be what was said beforehand. The ticket is spent with the commit: a failed try costs nothing.
 * Throws `ticket_over` (another was first), `content_mismatch`, `digest_mismatch`, `not_assigned` and what sealing throws.
 */
export function receiveUpload(use: Dependencies): ReceiveUpload {
  const { db, notes, rights, slots } = use
  const takeWhole = takeBytes(use)
  const takePart = receivePart(use)
  return async (actor, ticket, incoming) => {
    // A ticket that is good now is good for what takes its time.
    const beganAt = new Date()
    const row = await db.stores.documents.find(ticket.fileId)
    if (row?.state !== 'Awaiting') throw new StrongroomError('ticket_over')
    const patientId = row.kind === 'record' ? row.ownerId : undefined
    await rights.checkAsker(actor, patientId, 'document.receive')
    const facts = await notes.open(row)
    const { ticketId, userId, partNumber } = ticket
    const claim = {
      ticketId,
      spend: async ({ tickets }: Pick<typeof db.stores, 'tickets'>) =>
        await tickets.end(ticketId, userId, beganAt),
    }
    const { fileId, key } = row
    const take = async (): Promise<ReceivedDocument> => {
      checkNamedKey(key, incoming)
      const { bytes, sha256 } = incoming
      if (partNumber === null) checkHeaders(facts, incoming)
      return await slots.run(async () => {
        const taken = { row, facts, bytes, sha256, claim }
        if (partNumber === null) {
          return { id: fileId, key, state: await takeWhole(actor, taken) }
        }
        const part = await takePart(actor, { ...taken, partNumber })
        return { id: fileId, key, state: row.state, part }
      })
    }
    const about = { fileId, patientId, subjectId: ticketId }
    return await notingRefusal(use, actor, { action: 'document.receive', ...about }, take)
  }
}
