import type { Actor } from '../audit/audit-events.js'
import { auditEvent } from '../audit/audit-log.js'
import type { ErrorCode } from '../errors/error-codes.js'
import { StrongroomError } from '../errors/strongroom-error.js'
import type { PurgeFile } from '../files/delete-file.js'
import type { Transactions } from '../ports/transactions.js'
import type { DocumentRow, DocumentStores } from './ports.js'

interface Dependencies {
  readonly db: Transactions<Pick<DocumentStores, 'documents' | 'files' | 'audit'>>
  readonly purge: PurgeFile
  /** Told of what is left to the purge job, or the sweep. */
  readonly onProblem: (error: unknown) => void
}

/**
 * Gives bytes up that nobody will confirm, and destroys them with their keys. Nothing where they were confirmed.
 * @throws StrongroomError `legal_hold` where one keeps them: they go on waiting
 */
export async function discardDocument(
  { db, purge, onProblem }: Dependencies,
  actor: Actor,
  { fileId, ownerId, kind }: DocumentRow,
  reason: ErrorCode | 'unconfirmed',
): Promise<void> {
  const isGivenUp = await db.transaction(async (stores) => {
    const at = new Date()
    await stores.files.lockOwner(ownerId)
    if ((await stores.documents.lock(fileId))?.state !== 'uploading') return false
    if (await stores.files.isHeld(fileId)) throw new StrongroomError('legal_hold')
    await stores.documents.setState(fileId, 'failed', at)
    await stores.files.markDeleted(fileId, actor.userId, at, at)
    await stores.audit.append(
      auditEvent(actor, {
        ...{ action: 'document.discard', outcome: 'success', reason, fileId },
        patientId: kind === 'record' ? ownerId : undefined,
      }),
    )
    return true
  })
  if (isGivenUp) await purge(actor, { fileId }).catch(onProblem)
}
