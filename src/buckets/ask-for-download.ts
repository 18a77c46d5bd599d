import type { Actor } from '../audit/audit-events.js'
import { auditEvent } from '../audit/audit-log.js'
import type { Transactions } from '../ports/transactions.js'
import type { AskedWith, IssuedTicket, TicketBook } from '../tickets/ticket-book.js'
import type { BucketRights } from './bucket-rights.js'
import { objectKeyOf } from './object-key.js'
import type { OpenObjects } from './open-objects.js'
import type { BucketStores } from './ports.js'

export interface DownloadAsk {
  readonly bucket: string
  readonly key: string
  /** Wished for; absent: as the settings say. */
  readonly seconds: number | undefined
}

interface Dependencies {
  readonly db: Transactions<Pick<BucketStores, 'tickets' | 'audit'>>
  readonly rights: BucketRights
  readonly objects: Pick<OpenObjects, 'find'>
  readonly tickets: Pick<TicketBook, 'forObject'>
}

export type AskForDownload = (
  actor: Actor,
  ask: DownloadAsk,
  token: AskedWith,
) => Promise<IssuedTicket>

/**
 * A ticket that hands one object out: that which is there now, not one that replaces it.
 * Throws `invalid_field`, `not_found`, `forbidden`.
 */
export function askForDownload({ db, rights, objects, tickets }: Dependencies): AskForDownload {
  return async (actor, { bucket, key, seconds }, token) => {
    const about = { action: 'ticket.issue', subjectId: rights.named(bucket) } as const
    await rights.check(actor, { action: 'read', bucket, key: objectKeyOf(key) }, about)
    const found = await objects.find(bucket, key)
    if (found === undefined) return await rights.refuse(actor, 'not_found', about)
    const { fileId } = found.row
    const { row, issued } = tickets.forObject(actor, { fileId, action: 'download', seconds }, token)
    await db.transaction(async (stores) => {
      await stores.tickets.insert(row)
      await stores.audit.append(
        auditEvent(actor, {
          ...{ action: 'ticket.issue', outcome: 'success', fileId, grantId: found.grant.grantId },
          subjectId: row.ticketId,
        }),
      )
    })
    return issued
  }
}
