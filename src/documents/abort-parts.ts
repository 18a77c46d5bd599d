import type { Actor } from '../audit/audit-events.js'
import { type AuditLog, auditEvent } from '../audit/audit-log.js'
import type { ErrorCode } from '../errors/error-codes.js'
import { StrongroomError } from '../errors/strongroom-error.js'
import type { PurgeFile } from '../files/delete-file.js'
import type { Transactions } from '../ports/transactions.js'
import type { DocumentRights } from './document-rights.js'
import { notingRefusal } from './noting-refusal.js'
import { dropParts, ownPartsUpload } from './parts-upload.js'
import type { DocumentRow, DocumentStores } from './ports.js'

interface DiscardUse {
  readonly db: Transactions<DocumentStores>
  readonly purge: PurgeFile
  readonly onProblem: (error: unknown) => void
}

interface Dependencies extends DiscardUse {
  readonly audit: AuditLog
  readonly rights: Pick<DocumentRights, 'checkAsker'>
}

export type AbortParts = (actor: Actor, id: string) => Promise<void>

/**
 * Gives an upload in parts up; what came of it is destroyed.
 * @throws StrongroomError `not_found`, `not_assigned`, `legal_hold`; `ticket_over` where it is whole already
 */
export function abortParts(use: Dependencies): AbortParts {
  return async (actor, id) => {
    const row = await ownPartsUpload(use, actor, id, 'document.discard')
    const patientId = row.kind === 'record' ? row.ownerId : undefined
    const about = { action: 'document.discard', fileId: row.fileId, patientId } as const
    await notingRefusal(use, actor, about, async () => {
      if (!(await discardParts(use, actor, row, 'aborted')))
        throw new StrongroomError('ticket_over')
    })
  }
}

/**
 * False where it is whole already. Where it was given up before, what is left of it goes.
 * @throws StrongroomError `legal_hold` where one keeps what came
 */
export async function discardParts(
  { db, purge, onProblem }: DiscardUse,
  actor: Actor,
  { fileId, ownerId, kind }: DocumentRow,
  reason: ErrorCode | 'unconfirmed' | 'aborted',
): Promise<boolean> {
  const dropped = await db.transaction(async (stores) => {
    const at = new Date()
    await stores.files.lockOwner(ownerId)
    const state = (await stores.documents.lock(fileId))?.state
    if (state !== 'Awaiting' && state !== 'failed') return undefined
    if (state === 'failed' && (await stores.documentParts.list(fileId)).length === 0) return []
    if (await stores.documentParts.isHeld(fileId)) throw new StrongroomError('legal_hold')
    await stores.documents.setState(fileId, 'failed', at)
    const ids = await dropParts(stores, actor, fileId, at)
    await stores.audit.append(
      auditEvent(actor, {
        ...{ action: 'document.discard', outcome: 'success', reason, fileId },
        patientId: kind === 'record' ? ownerId : undefined,
      }),
    )
    return ids
  })
  for (const each of dropped ?? []) await purge(actor, { fileId: each }).catch(onProblem)
  return dropped !== undefined
}
