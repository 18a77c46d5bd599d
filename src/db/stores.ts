import type { ErasureStore, HoldStore } from '../erasure/ports.js'
import type { ResealStore, SweepStore } from '../files/ports.js'
import type { JobStore } from '../jobs/ports.js'
import type { KeyStore } from '../keys/ports.js'
import type { OutboxRules, OutboxStore } from '../outbox/ports.js'
import type { Transactions } from '../ports/transactions.js'
import type { RecordStores } from '../records/ports.js'
import type { RotationStore, UserKeyRotationStore } from '../rotation/ports.js'
import { assignmentsTable } from './assignments-table.js'
import { auditEventsTable } from './audit-events-table.js'
import type { Database, Sql } from './database.js'
import { deploymentKeysTable } from './deployment-keys-table.js'
import { erasuresTable } from './erasures-table.js'
import { filesTable } from './files-table.js'
import { idempotencyTable } from './idempotency-table.js'
import { jobsTable } from './jobs-table.js'
import { legalHoldsTable } from './legal-holds-table.js'
import { outboxTable } from './outbox-table.js'
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
  readonly outbox: OutboxStore
}

export interface StoreOptions {
  /** Which events are told elsewhere, too; absent: none. */
  readonly outbox?: OutboxRules | undefined
}

export function transactions(db: Database, { outbox }: StoreOptions = {}): Transactions<AllStores> {
  const { audit, ...stores } = storesOn(db, outbox)
  return {
    stores: {
      ...stores,
      audit: {
        ...audit,
        append: async (event) => {
          await audit.append(event)
          outbox?.committed()
        },
      },
    },
    transaction: async (work) => {
      const result = await db.transaction((sql) => work(storesOn(sql, outbox)))
      outbox?.committed()
      return result
    },
  }
}

function storesOn(sql: Sql, outbox: OutboxRules | undefined): AllStores {
  return {
    files: filesTable(sql),
    audit: auditEventsTable(sql, outbox),
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
    outbox: outboxTable(sql),
  }
}
