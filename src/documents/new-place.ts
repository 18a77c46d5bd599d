import { randomUUID } from 'node:crypto'
import type { Actor } from '../audit/audit-events.js'
import { type AuditLog, auditEvent } from '../audit/audit-log.js'
import { StrongroomError } from '../errors/strongroom-error.js'
import { parseHexDigest } from '../files/content-digest.js'
import { cleanFileName } from '../files/file-name.js'
import type { IncomingLimits } from '../files/seal-incoming.js'
import { checkQuota } from '../files/upload-file.js'
import type { IndexHash } from '../keys/index-hash.js'
import { isPersonId, isPortalId } from '../people/portal-id.js'
import type { Transactions } from '../ports/transactions.js'
import { limitsOf } from '../records/upload-record.js'
import type { TicketRow } from '../tickets/ports.js'
import type { DocumentFacts, DocumentNotes } from './document-facts.js'
import { clinicalKey, plainKey } from './document-key.js'
import type { DocumentRights } from './document-rights.js'
import { notingRefusal } from './noting-refusal.js'
import type { DocumentFamily, DocumentRow, DocumentStores } from './ports.js'

/** The type of record a patient's document becomes where none is named. */
export const CLINICAL_DOCUMENT = 'clinical-document'

export interface UploadAsk {
  readonly family: DocumentFamily
  /** Whose record it becomes; absent: the caller's own document. */
  readonly patientId?: string | undefined
  readonly recordTypeId?: string | undefined
  readonly clinicId?: string | undefined
  readonly filename: string
  readonly contentType: string
  /** Bytes. */
  readonly size?: number | undefined
  readonly sha256?: string | undefined
}

export interface DocumentSettings {
  /** Types a document may be of. */
  readonly contentTypes: readonly string[]
  /** The space whose key opens documents that are in no order. */
  readonly spaceId: string
  /** Days after which what nobody confirmed is removed. */
  readonly expiryDays: number
}

export interface NewPlaceUse {
  readonly db: Transactions<DocumentStores>
  readonly audit: AuditLog
  readonly hash: Pick<IndexHash, 'of'>
  readonly notes: DocumentNotes
  readonly rights: Pick<DocumentRights, 'checkAsker'>
  readonly settings: DocumentSettings
  readonly limits: IncomingLimits & { readonly quotaBytes: number }
}

/** A document that may come: nothing of it is stored yet. */
export interface PreparedPlace {
  readonly ask: UploadAsk
  readonly fileId: string
  readonly at: Date
  readonly kind: DocumentRow['kind']
  readonly ownerId: string
  readonly recordTypeId: string | null
  readonly facts: DocumentFacts
}

interface PlaceTerms {
  readonly inParts: boolean
  /** Until when bytes are taken. */
  readonly until: Date
  /** By which they are; absent: tickets are asked for part by part. */
  readonly ticket?: TicketRow
}

/** Gives documents their place: rights and facts are checked before anything is stored. */
export function newPlace(use: NewPlaceUse) {
  const { db, rights } = use
  return {
    /** @throws StrongroomError `not_assigned`, `type_not_allowed`, `file_too_large`, `invalid_field`, `assignments_unavailable` */
    prepare: async (actor: Actor, ask: UploadAsk): Promise<PreparedPlace> => {
      const { patientId } = ask
      if (patientId !== undefined && !isPersonId(patientId)) throw notAnId('patientId')
      await rights.checkAsker(actor, patientId, 'document.presign')
      const recordTypeId = patientId === undefined ? null : (ask.recordTypeId ?? CLINICAL_DOCUMENT)
      const about = { action: 'document.presign', patientId } as const
      const facts = await notingRefusal(use, actor, about, () => factsOf(use, ask, recordTypeId))
      return {
        ...{ ask, fileId: randomUUID(), at: new Date(), recordTypeId, facts },
        kind: patientId === undefined ? 'document' : 'record',
        ownerId: patientId ?? actor.userId,
      }
    },

    /** @throws StrongroomError `quota_exceeded`, `person_erased` */
    insert: async (actor: Actor, place: PreparedPlace, terms: PlaceTerms): Promise<DocumentRow> => {
      const row = await rowOf(use, actor, place, terms)
      const { fileId, ownerId, kind, spaceId } = row
      const { ticket } = terms
      await db.transaction(async (stores) => {
        const people = [ownerId, actor.userId, ...(spaceId === null ? [] : [spaceId])]
        await stores.files.ensurePeople(people)
        if (kind === 'document') {
          await checkQuota(stores, ownerId, place.facts.size ?? 0, use.limits.quotaBytes)
        }
        await stores.documents.insert(row)
        if (ticket !== undefined) await stores.tickets.insert(ticket)
        await stores.audit.append(
          auditEvent(actor, {
            ...{ action: 'document.presign', outcome: 'success', fileId },
            patientId: kind === 'record' ? ownerId : undefined,
            subjectId: ticket?.ticketId,
          }),
        )
      })
      return row
    },
  }
}

async function rowOf(
  { hash, notes, settings }: NewPlaceUse,
  actor: Actor,
  { ask, fileId, at, kind, ownerId, recordTypeId, facts }: PreparedPlace,
  { inParts, until }: PlaceTerms,
): Promise<DocumentRow> {
  const { family, clinicId } = ask
  const named = { fileId, contentType: facts.contentType, at }
  const owner = { id: ownerId, isPatient: kind === 'record' }
  return {
    ...{ fileId, family, kind, ownerId, uploaderId: actor.userId, recordTypeId, inParts },
    key: family === 'presign' ? plainKey(named) : clinicalKey(hash, owner, named),
    spaceId: kind === 'record' ? null : settings.spaceId,
    clinicHash: clinicId === undefined ? null : clinicHashOf(hash, clinicId),
    state: 'Awaiting',
    note: await notes.seal(ownerId, facts),
    ...{ createdAt: at, updatedAt: at, expiresAt: until },
  }
}

/** Clinics are found again by it, and not known. */
export const clinicHashOf = (hash: Pick<IndexHash, 'of'>, clinicId: string): Buffer =>
  hash.of('clinic', clinicId)

/** What is said of it, where that is allowed. */
async function factsOf(
  { db, settings, limits }: NewPlaceUse,
  ask: UploadAsk,
  recordTypeId: string | null,
): Promise<DocumentFacts> {
  const own = {
    maxBytes: limits.maxBytes,
    allowedTypes: limits.allowedTypes.filter((type) => settings.contentTypes.includes(type)),
  }
  const type =
    recordTypeId === null || !isPortalId(recordTypeId)
      ? undefined
      : await db.stores.types.find(recordTypeId)
  if (recordTypeId !== null && type === undefined) throw notAnId('medicalRecordTypeId')
  const { maxBytes, allowedTypes } = type === undefined ? own : limitsOf(type, own)
  if (!allowedTypes.includes(ask.contentType)) throw new StrongroomError('type_not_allowed')
  if (ask.size !== undefined && ask.size > maxBytes) {
    throw new StrongroomError('file_too_large', { detail: `At most ${maxBytes} bytes are taken.` })
  }
  return {
    filename: cleanFileName(ask.filename),
    contentType: ask.contentType,
    size: ask.size ?? null,
    sha256: ask.sha256 === undefined ? null : parseHexDigest(ask.sha256).toString('hex'),
  }
}

function notAnId(name: string): StrongroomError {
  return new StrongroomError('invalid_field', { detail: `${name}: not known` })
}
