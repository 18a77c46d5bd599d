import type { Actor } from '../audit/audit-events.js'
import { isFileId } from '../files/file-id.js'
import type { OwnFiles } from '../files/own-files.js'
import type { FileStores } from '../files/ports.js'
import type { Reading, StartReading } from '../files/read-file.js'
import type { Transactions } from '../ports/transactions.js'
import type { ReadRecord } from '../records/read-record.js'
import type { RecordAccess } from '../records/record-access.js'
import type { TicketRow } from './ports.js'
import type { TicketBook, TicketRights, TicketWish } from './ticket-book.js'

interface PermitDependencies {
  readonly db: Transactions<Pick<FileStores, 'files'>>
  readonly own: Pick<OwnFiles, 'find'>
  readonly access: Pick<RecordAccess, 'permit'>
}

interface OpenDependencies {
  readonly own: Pick<OwnFiles, 'open'>
  readonly access: Pick<RecordAccess, 'stillHolds'>
  readonly readRecord: ReadRecord
  readonly read: StartReading
  readonly tickets: Pick<TicketBook, 'stillServes'>
}

type Wish = Omit<TicketWish, 'seconds'>

/** Whether somebody may do now what they ask a ticket for; a refusal is on record as one of `ticket.issue`. */
export function permitTicket({ db, own, access }: PermitDependencies) {
  const audit = 'ticket.issue'
  return async (actor: Actor, { fileId, action, isShown }: Wish): Promise<TicketRights> => {
    const file = isFileId(fileId) ? await db.stores.files.find(fileId) : undefined
    if (file?.kind !== 'record') {
      const { grant } = await own.find(actor, fileId, { action: audit })
      return { kind: 'general', patientId: undefined, grantId: grant.grantId }
    }
    const permitted = await access.permit(actor, fileId, action, { audit })
    const { contentType } = permitted.entry.version
    // What cannot be shown is handed out, which takes the right to.
    const kept = action === 'view' && !isShown(contentType)
    const { entry, grant, emergency } = kept
      ? await access.permit(actor, fileId, 'download', { audit })
      : permitted
    return {
      kind: 'record',
      patientId: entry.file.ownerId,
      ...(emergency === undefined
        ? { grantId: grant?.grantId }
        : { emergencyId: emergency.emergencyId }),
    }
  }
}

/** Opens a file for whoever came with a ticket: by the rights that its person has now. */
export function openByTicket(use: OpenDependencies) {
  return async (
    actor: Actor,
    { ticketId, fileId, kind, action }: TicketRow,
    { head, isShown }: Pick<Wish, 'isShown'> & { readonly head: boolean },
  ): Promise<Reading> => {
    const opened =
      kind === 'record'
        ? await use.readRecord(actor, fileId, { kind: action, head, version: undefined, isShown })
        : await use.own.open(actor, fileId, { action: head ? 'file.head' : `file.${action}` })
    const grantHolds = use.access.stillHolds(actor, opened)
    const stillHolds = async () =>
      (await use.tickets.stillServes(ticketId)) &&
      (grantHolds === undefined || (await grantHolds()))
    return use.read(actor, opened, { stillHolds, ticketId })
  }
}
