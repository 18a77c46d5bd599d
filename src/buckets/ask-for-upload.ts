import { randomUUID } from 'node:crypto'
import type { Actor } from '../audit/audit-events.js'
import { type AuditLog, auditEvent } from '../audit/audit-log.js'
import type { DocumentFacts, DocumentNotes } from '../documents/document-facts.js'
import { notingRefusal } from '../documents/noting-refusal.js'
import { StrongroomError } from '../errors/strongroom-error.js'
import type { IncomingLimits } from '../files/seal-incoming.js'
import { checkQuota } from '../files/upload-file.js'
import type { Transactions } from '../ports/transactions.js'
import type { AskedWith, IssuedTicket, TicketBook } from '../tickets/ticket-book.js'
import type { BucketRights } from './bucket-rights.js'
import { spaceOf } from './folder-notes.js'
import { objectKeyOf } from './object-key.js'
import type { BucketStores, PlaceRow } from './ports.js'

export interface ObjectAsk {
  readonly bucket: string
  readonly key: string
  /** Absent: whatever it turns out to be. */
  readonly contentType: string | undefined
  /** Bytes. */
  readonly size: number | undefined
  /** Wished for; absent: as the settings say. */
  readonly seconds: number | undefined
}

interface Dependencies {
  readonly db: Transactions<BucketStores>
  readonly audit: AuditLog
  readonly rights: BucketRights
  readonly notes: Pick<DocumentNotes, 'seal'>
  readonly tickets: Pick<TicketBook, 'forObject'>
  readonly limits: IncomingLimits & { readonly quotaBytes: number }
}

export type AskForObject = (actor: Actor, ask: ObjectAsk, token: AskedWith) => Promise<IssuedTicket>

/** A declaration that says nothing. */
const ANYTHING = 'application/octet-stream'

/**
 * Gives an object a place before its bytes come. What it will be is checked now, and kept sealed under the key of
 * whoever sends it, to be asked of the bytes. Nothing is there, or replaced, before these come.
 * Throws `invalid_field`, `not_found`, `forbidden`, `type_not_allowed`, `file_too_large`, `quota_exceeded`.
 */
export function askForObject(use: Dependencies): AskForObject {
  const { db, rights, notes, tickets, limits } = use
  return async (actor, ask, token) => {
    const { bucket, seconds } = ask
    const { userId: uploaderId } = actor
    const key = objectKeyOf(ask.key)
    const refusedAs = { action: 'object.presign', subjectId: rights.named(bucket) } as const
    await rights.check(actor, { action: 'write', bucket, key }, refusedAs)
    const facts = await notingRefusal(use, actor, refusedAs, () =>
      Promise.resolve().then(() => factsOf(limits, ask, key)),
    )
    const fileId = randomUUID()
    const wish = { fileId, action: 'upload', seconds } as const
    const { row: ticket, issued } = tickets.forObject(actor, wish, token)
    const place: PlaceRow = {
      ...{ fileId, bucket, uploaderId, note: await notes.seal(uploaderId, facts) },
      ...{ createdAt: ticket.createdAt, expiresAt: issued.opensUntil },
    }
    await db.transaction(async (stores) => {
      await stores.files.ensurePeople([uploaderId, spaceOf(bucket)])
      await checkQuota(stores, uploaderId, facts.size ?? 0, limits.quotaBytes)
      await stores.places.insert(place)
      await stores.tickets.insert(ticket)
      await stores.audit.append(
        auditEvent(actor, {
          ...{ action: 'object.presign', outcome: 'success', fileId },
          subjectId: ticket.ticketId,
        }),
      )
    })
    return issued
  }
}

/** What is said of it, where that is allowed. */
function factsOf(
  { allowedTypes, maxBytes }: IncomingLimits,
  { contentType = '', size }: ObjectAsk,
  key: string,
): DocumentFacts {
  const said = contentType === ANYTHING ? '' : contentType
  if (said !== '' && !allowedTypes.includes(said)) throw new StrongroomError('type_not_allowed')
  if (size !== undefined && size > maxBytes) {
    throw new StrongroomError('file_too_large', { detail: `At most ${maxBytes} bytes are taken.` })
  }
  return { filename: key, contentType: said, size: size ?? null, sha256: null }
}
