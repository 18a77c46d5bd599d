import type { Actor } from '../audit/audit-events.js'
import type { AuditLog } from '../audit/audit-log.js'
import { StrongroomError } from '../errors/strongroom-error.js'
import type { OpenEntry } from '../files/open-entry.js'
import { openListed } from '../files/open-listed.js'
import type { GrantedQuery } from '../files/ports.js'
import type { Transactions } from '../ports/transactions.js'
import type { WorkLog } from '../ports/work-log.js'
import type { RecordPage } from './list-records.js'
import type { Emergencies, RecordStores } from './ports.js'
import { summarizeRecord } from './record-summary.js'

export type ListEmergencyRecords = (
  actor: Actor,
  emergency: { readonly emergencyId: string; readonly patientId: string },
  query: Pick<GrantedQuery, 'limit' | 'after' | 'recordTypeId'>,
) => Promise<RecordPage>

interface Dependencies {
  readonly db: Transactions<Pick<RecordStores, 'files'>>
  readonly audit: AuditLog
  readonly emergencies: Emergencies
  readonly openEntry: OpenEntry
  readonly log: Pick<WorkLog, 'error'>
}

/**
 * The records that an emergency access of the caller's opens, newest first, so that the right one is found.
 * @throws StrongroomError `emergency_over`; `not_found` where it is not theirs, or not their last one on that
 *   patient; on record
 */
export function listEmergencyRecords(use: Dependencies): ListEmergencyRecords {
  const { db, audit, emergencies } = use
  const action = 'record.list'
  return async (actor, { emergencyId, patientId }, query) => {
    const facts = { action, patientId, emergencyId } as const
    const known = await emergencies.between(actor.userId, patientId)
    if (known?.emergencyId !== emergencyId || known.isOver) {
      const code = known?.emergencyId === emergencyId ? 'emergency_over' : 'not_found'
      await audit.note(actor, { ...facts, outcome: 'denied', reason: code })
      throw new StrongroomError(code)
    }
    const sensitive = await emergencies.sensitiveTypes()
    const found = await db.stores.files.grantedEntries(patientId, {
      ...query,
      patientId,
      exceptTypeIds: sensitive.filter((id) => !known.sensitiveTypes.includes(id)),
      limit: query.limit + 1,
    })
    const page = found.slice(0, query.limit)
    const entries = page.flatMap((entry) =>
      entry.held.filter(({ basis }) => basis === 'own').map((grant) => ({ entry, grant })),
    )
    const { listed, damaged } = await openListed(
      ...([use, actor, action, entries] as const),
      ({ entry, metadata }) => summarizeRecord(entry.file, metadata),
    )
    await audit.note(actor, { ...facts, outcome: 'success' })
    const last = found.length > query.limit ? page.at(-1) : undefined
    return {
      records: listed,
      damaged,
      next: last && { at: last.file.createdAt, id: last.file.fileId },
    }
  }
}
