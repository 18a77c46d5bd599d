import type { Actor, AuditAction } from '../audit/audit-events.js'
import { isFileId } from '../files/file-id.js'
import type { OpenedEntry } from '../files/open-entry.js'
import type { OwnFiles } from '../files/own-files.js'
import type { FileStores } from '../files/ports.js'
import type { Reading, StartReading } from '../files/read-file.js'
import type { StillHolds } from '../files/stream-opened.js'
import type { Transactions } from '../ports/transactions.js'
import type { ReadRecord } from '../records/read-record.js'
import type { RecordAccess } from '../records/record-access.js'
import type { ReadingTicket } from './ports.js'
import type { TicketBook, TicketRights, TicketWish } from './ticket-book.js'

/** Documents that are no records, for those who may open them; refusals are on record. */
interface OpenDocuments {
  find(
    actor: Actor,
    fileId: string,
    action: AuditAction,
  ): Promise<{ readonly grant: { readonly grantId: string } }>
  open(actor: Actor, fileId: string, action: AuditAction): Promise<OpenedEntry>
}

/** Objects of buckets, for those whose permissions say so now; refusals are on record. */
interface Objects {
  open(
    actor: Actor,
    fileId: string,
    action: AuditAction,
  ): Promise<{ readonly opened: OpenedEntry; readonly stillHolds: () => Promise<boolean> }>
}

interface PermitDependencies {
  readonly db: Transactions<Pick<FileStores, 'files'>>
  readonly own: Pick<OwnFiles, 'find'>
  readonly access: Pick<RecordAccess, 'permit'>
  readonly documents: Pick<OpenDocuments, 'find'>
}

interface OpenDependencies {
  readonly own: Pick<OwnFiles, 'open'>
  readonly access: Pick<RecordAccess, 'stillHolds'>
  readonly documents: Pick<OpenDocuments, 'open'>
  readonly objects: Objects
  readonly readRecord: ReadRecord
  readonly read: StartReading
  readonly tickets: Pick<TicketBook, 'stillServes'>
}

type Wish = Omit<TicketWish, 'seconds'>

/** Whether somebody may do now what they ask a ticket for; a refusal is on record as one of `ticket.issue`. */
export function permitTicket({ db, own, access, documents }: PermitDependencies) {
  const audit = 'ticket.issue'
  return async (actor: Actor, { fileId, action, isShown }: Wish): Promise<TicketRights> => {
    const file = isFileId(fileId) ? await db.stores.files.find(fileId) : undefined
    if (file?.kind === 'document') {
      const { grant } = await documents.find(actor, fileId, audit)
      return { kind: 'document', patientId: undefined, grantId: grant.grantId }
    }
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
    { ticketId, fileId, kind, action }: ReadingTicket,
    { head, isShown }: Pick<Wish, 'isShown'> & { readonly head: boolean },
  ): Promise<Reading> => {
    const found = await openAs(use, actor, { fileId, kind, action }, { head, isShown })
    const { opened, grantHolds } = found
    const stillHolds = async () =>
      (await use.tickets.stillServes(ticketId)) &&
      (grantHolds === undefined || (await grantHolds()))
    return use.read(actor, opened, { stillHolds, ticketId })
  }
}

type Wanted = Pick<ReadingTicket, 'fileId' | 'kind' | 'action'>

/** What is opened, and what it rests on beside its grant. */
interface OpenedAs {
  readonly opened: OpenedEntry
  readonly grantHolds: StillHolds
}

async function openAs(
  use: OpenDependencies,
  actor: Actor,
  { fileId, kind, action }: Wanted,
  { head, isShown }: Pick<Wish, 'isShown'> & { readonly head: boolean },
): Promise<OpenedAs> {
  const asFile = head ? 'file.head' : (`file.${action}` as const)
  switch (kind) {
    case 'record': {
      const how = { kind: action, head, version: undefined, isShown }
      const opened = await use.readRecord(actor, fileId, how)
      return { opened, grantHolds: use.access.stillHolds(actor, opened) }
    }
    case 'document':
      return { opened: await use.documents.open(actor, fileId, asFile), grantHolds: undefined }
    case 'object': {
      const { opened, stillHolds } = await use.objects.open(actor, fileId, asFile)
      return { opened, grantHolds: stillHolds }
    }
    case 'general':
      return {
        opened: await use.own.open(actor, fileId, { action: asFile }),
        grantHolds: undefined,
      }
  }
}
