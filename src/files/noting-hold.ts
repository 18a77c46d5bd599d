import type { Actor } from '../audit/audit-events.js'
import { auditLog } from '../audit/audit-log.js'
import { isStrongroomError } from '../errors/strongroom-error.js'
import type { Transactions } from '../ports/transactions.js'
import { actionOf } from './file-action.js'
import type { FileRow, FileStores } from './ports.js'

interface Attempt {
  readonly actor: Actor
  readonly file: FileRow
  readonly verb: 'delete' | 'update'
}

/** Does what a legal hold may refuse; a refusal is on record before it is answered. */
export async function notingHold<T>(
  { db }: { readonly db: Transactions<Pick<FileStores, 'audit'>> },
  { actor, file, verb }: Attempt,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (isStrongroomError(error, 'legal_hold')) {
      const { fileId, kind, ownerId, version } = file
      await auditLog(db).note(actor, {
        action: actionOf(kind, verb),
        ...{ outcome: 'denied', reason: error.code, fileId, version },
        patientId: kind === 'record' ? ownerId : undefined,
      })
    }
    throw error
  }
}
