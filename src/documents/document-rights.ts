import type { Actor, AuditAction } from '../audit/audit-events.js'
import type { AuditLog } from '../audit/audit-log.js'
import { StrongroomError } from '../errors/strongroom-error.js'
import type { OpenEntry, OpenedEntry } from '../files/open-entry.js'
import { opening } from '../files/own-files.js'
import type { FileEntry, HeldGrant } from '../files/ports.js'
import { mayAskForDocument, mayReadDocument } from '../people/policy.js'
import { actsAs } from '../people/service-clients.js'
import type { Transactions } from '../ports/transactions.js'
import type { Assignments } from '../records/ports.js'
import type { DocumentStores } from './ports.js'

interface Dependencies {
  readonly db: Transactions<Pick<DocumentStores, 'documents' | 'files'>>
  readonly audit: AuditLog
  readonly assignments: Assignments
  readonly openEntry: OpenEntry
}

/** A document, and the grant by which its reader opens it: their own, or the space's. */
export interface HeldDocument {
  readonly entry: FileEntry
  readonly grant: HeldGrant
}

/** Who may ask for a place for a document, and who opens one that is no medical record. */
export interface DocumentRights {
  /**
   * For oneself, for oneself as a patient, or for a patient one is assigned to.
   * @throws StrongroomError `not_assigned`, on record; `assignments_unavailable`
   */
  checkAsker(actor: Actor, patientId: string | undefined, action: AuditAction): Promise<void>
  /** @throws StrongroomError `not_found`, on record as a refusal of `action` */
  find(actor: Actor, fileId: string, action: AuditAction): Promise<HeldDocument>
  /** The same with key and metadata opened; to be closed. */
  open(actor: Actor, fileId: string, action: AuditAction): Promise<OpenedEntry>
}

export function documentRights(use: Dependencies): DocumentRights {
  const { db, audit, assignments, openEntry } = use
  const find: DocumentRights['find'] = async (actor, fileId, action) => {
    const row = await db.stores.documents.find(fileId)
    const isOwner = row?.ownerId === actor.userId
    const may = row?.kind === 'document' && mayReadDocument({ isOwner, roles: actor.roles }).allow
    const holder = isOwner ? actor.userId : row?.spaceId
    const entry =
      may && typeof holder === 'string' ? await db.stores.files.entry(fileId, holder) : undefined
    const grant = entry?.held[0]
    if (entry !== undefined && entry.file.deletedAt === null && grant !== undefined) {
      return { entry, grant }
    }
    const facts = { action, outcome: 'denied', reason: 'not_found', fileId } as const
    await audit.note(actor, facts)
    throw new StrongroomError('not_found')
  }
  return {
    checkAsker: async (actor, patientId, action) => {
      if (patientId === undefined) return
      const isPatient = actsAs(actor, 'patient') && patientId === actor.userId
      const decision = mayAskForDocument({
        isPatient,
        isAssigned:
          !isPatient &&
          actsAs(actor, 'clinician') &&
          (await assignments.isAssigned(actor.userId, patientId)),
      })
      if (decision.allow) return
      const reason = decision.code
      await audit.note(actor, { action, outcome: 'denied', reason, patientId })
      throw new StrongroomError(reason)
    },
    find,
    open: async (actor, fileId, action) => {
      const { entry, grant } = await find(actor, fileId, action)
      return await opening(audit, actor, { entry, action }, () => openEntry(entry, grant))
    },
  }
}
