import type { Actor } from '../audit/audit-events.js'
import type { AskedWith, IssuedTicket, TicketBook } from '../tickets/ticket-book.js'
import { type NewPlaceUse, newPlace, type UploadAsk } from './new-place.js'

/** A place for one document: where its bytes go, and what has to be said with them. */
export interface UploadPlace {
  readonly id: string
  readonly key: string
  readonly contentType: string
  readonly ticket: IssuedTicket
}

interface Dependencies extends NewPlaceUse {
  readonly tickets: Pick<TicketBook, 'forUpload'>
}

export type AskForUpload = (actor: Actor, ask: UploadAsk, token: AskedWith) => Promise<UploadPlace>

/**
 * Gives a document a place before its bytes come: what it will be is checked now, kept sealed, and asked of the bytes.
 * Throws `not_assigned`, `type_not_allowed`, `file_too_large`, `quota_exceeded`, `invalid_field`,
 * `assignments_unavailable`.
 */
export function askForUpload(use: Dependencies): AskForUpload {
  const { prepare, insert } = newPlace(use)
  return async (actor, ask, token) => {
    const place = await prepare(actor, ask)
    const { fileId, kind, facts } = place
    const wish = { fileId, kind, seconds: undefined }
    const { row: ticket, issued } = use.tickets.forUpload(actor, wish, token)
    const { key } = await insert(actor, place, { inParts: false, until: issued.opensUntil, ticket })
    return { id: fileId, key, contentType: facts.contentType, ticket: issued }
  }
}
