import { type AuditWriter, type WritingScope } from '../audit/coded-events.js'
import type { AuditStore, ReportStore, SealStore, VerifyStore } from '../audit/ports.js'
import type { ErasureStore, HoldStore } from '../erasure/ports.js'
import { isStrongroomError } from '../errors/strongroom-error.js'
import type { ResealStore, SweepStore } from '../files/ports.js'
import type { JobStore } from '../jobs/ports.js'
import type { KeyStore } from '../keys/ports.js'
import type { Transactions } from '../ports/transactions.js'
import type { RecordStores } from '../records/ports.js'
import type { RotationStore, UserKeyRotationStore } from '../rotation/ports.js'
import { assignmentsTable } from './assignments-table.js'
import { auditEventsTable } from './audit-events-table.js'
import { auditReportsTable } from './audit-reports-table.js'
import { auditSealsTable } from './audit-seals-table.js'
import { auditVerifyTable } from './audit-verify-table.js'
import type { Database, Sql } from './database.js'
import { deploymentKeysTable } from './deployment-keys-table.js'
import { erasuresTable } from './erasures-table.js'
import { filesTable } from './files-table.js'
import { idempotencyTable } from './idempotency-table.js'
import { jobsTable } from './jobs-table.js'
import { legalHoldsTable } from './legal-holds-table.js'
import { recordTypesTable } from './record-types-table.js'
import { resealTable } from './reseal-table.js'
import { rotationTable } from './rotation-table.js'
import { sweepTable } from './sweep-table.js'
import { teamGrantsTable } from './team-grants-table.js'
import { userKeyRotationTable } from './user-key-rotation-table.js'
import { userKeysTable } from './user-keys-table.js'

/** Every store there is; a use case names those it works with. */
export interface AllStores extends RecordStores {
  readonly keys: KeyStore
  readonly jobs: JobStore
  readonly sweep: SweepStore
  readonly reseal: ResealStore
  readonly rotation: RotationStore
  readonly userKeyRotation: UserKeyRotationStore
  readonly holds: HoldStore
  readonly erasures: ErasureStore
  readonly seals: SealStore
  readonly verify: VerifyStore
  readonly reports: ReportStore
}

/**
 * The stores, each statement by itself or in a transaction. `writer` numbers the events and is told what
 * became of them.
 */
export function transactions(db: Database, writer: AuditWriter): Transactions<AllStores> {
  return {
    stores: { ...storesOn(db, notAlone), audit: auditAlone(db, writer) },
    transaction: (work) =>
      inScope(writer, (scope) =>
        db.transaction((sql) => {
          scope.again()
          return work(storesOn(sql, scope.place))
        }),
      ),
  }
}

function notAlone(): never {
  throw new Error('An event by itself has a scope of its own')
}

/** A single statement is a transaction too. */
function auditAlone(db: Database, writer: AuditWriter): AuditStore {
  const reading = auditEventsTable(db, notAlone)
  return {
    ...reading,
    append: (event) => inScope(writer, (scope) => auditEventsTable(db, scope.place).append(event)),
  }
}

async function inScope<T>(
  writer: AuditWriter,
  work: (scope: WritingScope) => Promise<T>,
): Promise<T> {
  const scope = writer.begin()
  try {
    const result = await work(scope)
    scope.committed()
    return result
  } catch (error) {
    if (isStrongroomError(error, 'commit_unknown')) scope.unknown()
    else scope.rolledBack()
    throw error
  }
}

function storesOn(sql: Sql, place: WritingScope['place']): AllStores {
  return {
    files: filesTable(sql),
    audit: auditEventsTable(sql, place),
    seals: auditSealsTable(sql),
    verify: auditVerifyTable(sql),
    reports: auditReportsTable(sql),
    idempotency: idempotencyTable(sql),
    types: recordTypesTable(sql),
    assignments: assignmentsTable(sql),
    team: teamGrantsTable(sql),
    keys: { ...userKeysTable(sql), ...deploymentKeysTable(sql) },
    jobs: jobsTable(sql),
    sweep: sweepTable(sql),
    reseal: resealTable(sql),
    rotation: rotationTable(sql),
    userKeyRotation: userKeyRotationTable(sql),
    holds: legalHoldsTable(sql),
    erasures: erasuresTable(sql),
  }
}
