import type { Actor, AuditAction } from '../audit/audit-events.js'
import type { AuditLog } from '../audit/audit-log.js'
import type { ErrorCode } from '../errors/error-codes.js'
import { isStrongroomError, StrongroomError } from '../errors/strongroom-error.js'
import { isFileId } from '../files/file-id.js'
import type { OpenEntry, OpenedEntry } from '../files/open-entry.js'
import { opening } from '../files/own-files.js'
import type { FileEntry, HeldGrant, StandingEmergency } from '../files/ports.js'
import type { StillHolds } from '../files/stream-opened.js'
import {
  type Decision,
  decideWithAssignment,
  mayInEmergency,
  mayOnRecord,
  type RecordAction,
  type RecordFacts,
} from '../people/policy.js'
import { actsAs } from '../people/service-clients.js'
import type { Transactions } from '../ports/transactions.js'
import type { Assignments, Emergencies, RecordStores } from './ports.js'

export interface PermitOptions {
  /** What a refusal is put on record as. */
  readonly audit: AuditAction
  readonly version?: number | undefined
  /** True: records that are deleted are found too. */
  readonly deletedToo?: boolean
}

export interface PermittedRecord {
  readonly entry: FileEntry
  /** The grant the permission rests on, where it rests on one; in an emergency the patient's own. */
  readonly grant: HeldGrant | undefined
  readonly emergency?: StandingEmergency | undefined
}

export type Decide = (facts: RecordFacts<HeldGrant>) => Decision<HeldGrant>

/** Finds medical records for those who may do something with them; refusals are on record. */
export interface RecordAccess {
  /** @throws StrongroomError the decision's code; `assignments_unavailable` where it rests on one */
  permit(
    actor: Actor,
    fileId: string,
    decide: RecordAction | Decide,
    options: PermitOptions,
  ): Promise<PermittedRecord>
  /** The same with key and metadata opened by the grant; to be closed. */
  open(
    actor: Actor,
    fileId: string,
    action: RecordAction,
    options: PermitOptions,
  ): Promise<OpenedEntry>
  /** What the opened record rests on beside its grant: to be asked again while it is read. */
  stillHolds(actor: Actor, opened: OpenedEntry): StillHolds
}

interface Dependencies {
  readonly db: Transactions<Pick<RecordStores, 'files'>>
  readonly audit: AuditLog
  readonly assignments: Assignments
  readonly emergencies: Emergencies
  readonly openEntry: OpenEntry
}

const notFound: Decision<HeldGrant> = { allow: false, code: 'not_found' }

/** What somebody may do, or the code of the refusal, or what kept that from being known. */
type Usual = Decision<HeldGrant> | { readonly allow: false; readonly unknown: StrongroomError }

export function recordAccess(use: Dependencies): RecordAccess {
  const { db, audit, assignments, emergencies, openEntry } = use
  const find = async (actor: Actor, fileId: string, { version, deletedToo }: PermitOptions) => {
    if (!isFileId(fileId)) return undefined
    const entry = await db.stores.files.entry(fileId, actor.userId, version)
    if (entry?.file.kind !== 'record') return undefined
    return entry.file.deletedAt === null || deletedToo === true ? entry : undefined
  }
  const usually = async (actor: Actor, entry: FileEntry, decide: Decide): Promise<Usual> => {
    try {
      return await decideWithAssignment(
        (isAssigned) => decide({ ...factsOf(actor, entry), isAssigned }),
        async () =>
          actsAs(actor, 'clinician') &&
          (await assignments.isAssigned(actor.userId, entry.file.ownerId)),
      )
    } catch (error) {
      // In an emergency nobody waits for the portal.
      if (!isStrongroomError(error, 'assignments_unavailable')) throw error
      return { allow: false, unknown: error }
    }
  }
  const permit: RecordAccess['permit'] = async (actor, fileId, wish, options) => {
    const entry = await find(actor, fileId, options)
    const decide: Decide = typeof wish === 'string' ? (facts) => mayOnRecord(wish, facts) : wish
    const usual: Usual = entry === undefined ? notFound : await usually(actor, entry, decide)
    if (usual.allow && entry !== undefined) return { entry, grant: usual.grant }
    const urgent =
      entry === undefined || typeof wish !== 'string'
        ? undefined
        : await inEmergency(use, { actor, entry, wish, options })
    if (urgent?.allow === true) return urgent.permitted
    const code = refusalOf(usual, urgent?.code)
    await audit.note(actor, {
      action: options.audit,
      outcome: 'denied',
      reason: code,
      fileId: isFileId(fileId) ? fileId : undefined,
      patientId: entry?.file.ownerId,
      version: options.version,
      emergencyId: urgent?.emergencyId,
    })
    throw new StrongroomError(code)
  }
  return {
    permit,
    stillHolds: (actor, { entry, grant, emergency }) => {
      if (emergency !== undefined) return () => emergencies.isOpen(emergency.emergencyId)
      return grant.basis === 'assignment'
        ? () => assignments.isAssigned(actor.userId, entry.file.ownerId)
        : undefined
    },
    open: async (actor, fileId, action, options) => {
      const { entry, grant, emergency } = await permit(actor, fileId, action, options)
      if (grant === undefined) throw new StrongroomError('forbidden')
      const facts = { entry, action: options.audit }
      const opened = await opening(audit, actor, facts, () => openEntry(entry, grant))
      return { ...opened, emergency }
    },
  }
}

/** Why not: an emergency access says more, where it is open or all there was. */
function refusalOf(usual: Usual, urgent: ErrorCode | undefined): ErrorCode {
  if ('unknown' in usual && (urgent === undefined || urgent === 'emergency_over')) {
    throw usual.unknown
  }
  const code = usual.allow || 'unknown' in usual ? 'not_found' : usual.code
  return urgent === undefined || (urgent === 'emergency_over' && code !== 'not_found')
    ? code
    : urgent
}

interface Wanted {
  readonly actor: Actor
  readonly entry: FileEntry
  readonly wish: RecordAction
  readonly options: PermitOptions
}

type Urgent =
  | { readonly allow: true; readonly permitted: PermittedRecord }
  | { readonly allow: false; readonly code: ErrorCode; readonly emergencyId: string }

/** What an emergency access of theirs on the patient opens: with the patient's own grant. */
async function inEmergency(
  { db, audit, emergencies }: Dependencies,
  { actor, entry, wish, options }: Wanted,
): Promise<Urgent | undefined> {
  const { fileId, ownerId, recordTypeId } = entry.file
  if (ownerId === actor.userId || actor.service !== undefined) return undefined
  const known = await opening(audit, actor, { entry, action: options.audit }, () =>
    emergencies.between(actor.userId, ownerId),
  )
  if (known === undefined) return undefined
  const { emergencyId, maxRecords, isOver, sensitiveTypes } = known
  const decision = mayInEmergency(wish, {
    isOver,
    isSensitive: !isOver && (await emergencies.sensitiveTypes()).includes(recordTypeId ?? ''),
    isNamed: sensitiveTypes.includes(recordTypeId ?? ''),
  })
  if (!decision.allow) return { allow: false, code: decision.code, emergencyId }
  const theirs = await db.stores.files.entry(fileId, ownerId, options.version)
  const grant = theirs?.held.find(({ basis }) => basis === 'own')
  if (theirs === undefined || grant === undefined) return undefined
  return {
    allow: true,
    permitted: { entry: theirs, grant, emergency: { emergencyId, maxRecords } },
  }
}

/** How a person stands to a record, but for the assignment. */
export function factsOf(
  actor: Actor,
  { file, held }: FileEntry,
): Omit<RecordFacts<HeldGrant>, 'isAssigned'> {
  const asPatient = actsAs(actor, 'patient')
  const asClinician = actsAs(actor, 'clinician')
  const counts = { own: asPatient, assignment: asClinician, explicit: asPatient || asClinician }
  return {
    isPatient: asPatient && file.ownerId === actor.userId,
    isUploader: asClinician && file.uploaderId === actor.userId,
    isAdmin: actor.roles.includes('admin'),
    grants: held.filter(({ basis }) => counts[basis]),
    now: new Date(),
  }
}
