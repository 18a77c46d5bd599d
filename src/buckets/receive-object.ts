import type { Actor } from '../audit/audit-events.js'
import type { AuditLog } from '../audit/audit-log.js'
import type { DocumentFacts, DocumentNotes } from '../documents/document-facts.js'
import { notingRefusal } from '../documents/noting-refusal.js'
import type { IncomingDocument, ReceivedDocument } from '../documents/receive-upload.js'
import { checkContent, checkHeaders, checkNamedKey } from '../documents/said-and-sent.js'
import { StrongroomError } from '../errors/strongroom-error.js'
import { committing } from '../files/commit-upload.js'
import type { IncomingLimits, SealIncoming } from '../files/seal-incoming.js'
import type { UploadSlots } from '../files/upload-slots.js'
import type { Transactions } from '../ports/transactions.js'
import type { TicketRow } from '../tickets/ports.js'
import type { BucketRights } from './bucket-rights.js'
import type { CommitObject, NewObject } from './commit-object.js'
import type { BucketStores } from './ports.js'

interface Dependencies {
  readonly db: Transactions<Pick<BucketStores, 'places'>>
  readonly audit: AuditLog
  readonly rights: Pick<BucketRights, 'check'>
  readonly notes: Pick<DocumentNotes, 'open'>
  readonly seal: SealIncoming
  readonly slots: UploadSlots
  readonly commit: CommitObject
  readonly limits: IncomingLimits
}

export type ReceiveObject = (
  actor: Actor,
  ticket: TicketRow,
  incoming: IncomingDocument,
) => Promise<ReceivedDocument>

/**
 * Takes the bytes of an object, by the permissions its sender has now; it is there when this is answered, and in the
 * place of one that was there before. The ticket is spent with the commit: a failed try costs nothing.
 * Throws `ticket_over` (another was first), `not_found`, `forbidden`, `content_mismatch`, `digest_mismatch`,
 * `legal_hold` (of the one that was there) and what sealing throws.
 */
export function receiveObject(use: Dependencies): ReceiveObject {
  const { db, rights, notes, slots } = use
  return async (actor, ticket, incoming) => {
    const beganAt = new Date()
    const { fileId, ticketId } = ticket
    const place = await db.stores.places.find(fileId)
    if (place === undefined || place.note === null) throw new StrongroomError('ticket_over')
    const { bucket, uploaderId: ownerId, note } = place
    const facts = await notes.open({ ownerId, note })
    const key = facts.filename
    const about = { action: 'object.upload', fileId, subjectId: ticketId } as const
    const stillMay = () => rights.check(actor, { action: 'write', bucket, key }, about)
    await stillMay()
    return await notingRefusal(use, actor, about, async () => {
      checkNamedKey(key, incoming)
      checkHeaders(facts, incoming)
      const made = { actor, ticket, bucket, key, beganAt }
      await slots.run(() => sealAndCommit(use, { facts, incoming, stillMay, made }))
      return { id: fileId, key, state: 'Completed' }
    })
  }
}

interface Taking {
  readonly facts: DocumentFacts
  readonly incoming: IncomingDocument
  /** Asked again: the bytes may have taken hours. */
  readonly stillMay: () => Promise<void>
  readonly made: Omit<NewObject, 'sealed'>
}

async function sealAndCommit(
  { seal, limits, commit }: Dependencies,
  { facts, incoming, stillMay, made }: Taking,
): Promise<void> {
  const said = facts.contentType
  const sealed = await seal(
    {
      ...{ filename: facts.filename, contentType: said === '' ? incoming.contentType : said },
      ...{ contentDigest: undefined, bytes: incoming.bytes },
    },
    {
      maxBytes: Math.min(facts.size ?? limits.maxBytes, limits.maxBytes),
      allowedTypes: said === '' ? limits.allowedTypes : [said],
    },
  )
  await committing(sealed, async () => {
    checkContent(facts, incoming, sealed)
    await stillMay()
    await commit({ ...made, sealed })
  })
}
