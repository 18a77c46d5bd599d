import type { Actor } from './audit/audit-events.js'
import type { OpenObjects } from './buckets/open-objects.js'
import type { Ending } from './compose-records.js'
import type { Config } from './config.js'
import type { AllStores } from './db/stores.js'
import type { DocumentRights } from './documents/document-rights.js'
import type { OwnFiles } from './files/own-files.js'
import type { StartReading } from './files/read-file.js'
import type { IndexHash } from './keys/index-hash.js'
import type { Transactions } from './ports/transactions.js'
import type { ReadRecord } from './records/read-record.js'
import type { RecordAccess } from './records/record-access.js'
import { openByTicket, permitTicket } from './tickets/open-by-ticket.js'
import type { TicketLogin } from './tickets/ports.js'
import { ticketBook } from './tickets/ticket-book.js'

const TIDY_TICKETS = 'tidy-tickets'
const TIDY_EVERY_MS = 3_600_000
/** A ticket is spent when what came by it is committed: a slow upload may go on long after its end. */
const KEPT_MS = 86_400_000

interface Parts {
  readonly config: Pick<Config, 'documents'>
  readonly db: Transactions<AllStores>
  readonly hash: IndexHash
  readonly own: OwnFiles
  readonly read: StartReading
  readonly documents: DocumentRights
  readonly objects: OpenObjects
  readonly records: { readonly access: RecordAccess; readonly readRecord: ReadRecord }
  /** Calls, after the work, for a look at what readings rest on. */
  readonly ending: Ending
  readonly rolesOf: (login: TicketLogin) => Promise<readonly string[] | undefined>
}

/** Tickets: URLs that serve one file without a token. */
export function wireTickets(parts: Parts) {
  const { config, db, hash, own, read, records, documents, objects, rolesOf, ending } = parts
  const { access, readRecord } = records
  const permit = permitTicket({ db, own, access, documents })
  const book = ticketBook({ db, hash, settings: config.documents, permit, rolesOf })
  return {
    services: {
      book: { ...book, end: ending((actor: Actor, ticketId: string) => book.end(actor, ticketId)) },
      open: openByTicket({ own, access, documents, objects, readRecord, read, tickets: book }),
    },
    jobHandlers: { [TIDY_TICKETS]: () => db.stores.tickets.tidy(new Date(Date.now() - KEPT_MS)) },
    recurring: [{ kind: TIDY_TICKETS, everyMs: TIDY_EVERY_MS }],
  }
}
