import type { Actor, AuditAction } from '../audit/audit-events.js'
import type { AuditLog } from '../audit/audit-log.js'
import { StrongroomError } from '../errors/strongroom-error.js'
import { isFileId } from '../files/file-id.js'
import type { OpenEntry, OpenedEntry } from '../files/open-entry.js'
import { opening } from '../files/own-files.js'
import type { FileEntry, HeldGrant } from '../files/ports.js'
import type { StillHolds } from '../files/stream-opened.js'
import {
  type Decision,
  decideWithAssignment,
  mayOnRecord,
  type RecordAction,
  type RecordFacts,
} from '../people/policy.js'
import type { Transactions } from '../ports/transactions.js'
import type { Assignments, RecordStores } from './ports.js'

export interface PermitOptions {
  /** What a refusal is put on record as. */
  readonly audit: AuditAction
  readonly version?: number | undefined
  /** True: records that are deleted are found too. */
  readonly deletedToo?: boolean
}

export interface PermittedRecord {
  readonly entry: FileEntry
  /** The grant the permission rests on, where it rests on one. */
  readonly grant: HeldGrant | undefined
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
  readonly openEntry: OpenEntry
}

const notFound: Decision<HeldGrant> = { allow: false, code: 'not_found' }

export function recordAccess({ db, audit, assignments, openEntry }: Dependencies): RecordAccess {
  const find = async (actor: Actor, fileId: string, { version, deletedToo }: PermitOptions) => {
    if (!isFileId(fileId)) return undefined
    const entry = await db.stores.files.entry(fileId, actor.userId, version)
    if (entry?.file.kind !== 'record') return undefined
    return entry.file.deletedAt === null || deletedToo === true ? entry : undefined
  }
  const permit: RecordAccess['permit'] = async (actor, fileId, wish, options) => {
    const entry = await find(actor, fileId, options)
    const decide: Decide = typeof wish === 'string' ? (facts) => mayOnRecord(wish, facts) : wish
    const decision =
      entry === undefined
        ? notFound
        : await decideWithAssignment(
            (isAssigned) => decide({ ...factsOf(actor, entry), isAssigned }),
            () => assignments.isAssigned(actor.userId, entry.file.ownerId),
          )
    if (decision.allow && entry !== undefined) return { entry, grant: decision.grant }
    const code = decision.allow ? 'not_found' : decision.code
    await audit.note(actor, {
      action: options.audit,
      outcome: 'denied',
      reason: code,
      fileId: isFileId(fileId) ? fileId : undefined,
      patientId: entry?.file.ownerId,
      version: options.version,
    })
    throw new StrongroomError(code)
  }
  return {
    permit,
    stillHolds: (actor, { entry, grant }) =>
      grant.basis === 'assignment'
        ? () => assignments.isAssigned(actor.userId, entry.file.ownerId)
        : undefined,
    open: async (actor, fileId, action, options) => {
      const { entry, grant } = await permit(actor, fileId, action, options)
      if (grant === undefined) throw new StrongroomError('forbidden')
      return await opening(audit, actor, { entry, action: options.audit }, () =>
        openEntry(entry, grant),
      )
    },
  }
}

/** How a person stands to a record, but for the assignment. */
export function factsOf(
  actor: Actor,
  { file, held }: FileEntry,
): Omit<RecordFacts<HeldGrant>, 'isAssigned'> {
  return {
    isPatient: file.ownerId === actor.userId,
    isUploader: file.uploaderId === actor.userId,
    isAdmin: actor.roles.includes('admin'),
    grants: held,
    now: new Date(),
  }
}
