import type { AlertStore } from '../alerts/ports.js'
import { type AuditWriter, type WritingScope } from '../audit/coded-events.js'
import type { AuditMonthStore, ReportStore, SealStore, VerifyStore } from '../audit/ports.js'
import type { FolderStore, ObjectStore, PlaceStore } from '../buckets/ports.js'
import type { DocumentPartStore, DocumentStore } from '../documents/ports.js'
import type { EmergencyStore } from '../emergency/ports.js'
import type { ErasureStore, HoldStore } from '../erasure/ports.js'
import { isStrongroomError } from '../errors/strongroom-error.js'
import type { ResealStore, SweepStore } from '../files/ports.js'
import type { JobStore } from '../jobs/ports.js'
import type { KeyStore } from '../keys/ports.js'
import type { OutboxRules, OutboxStore } from '../outbox/ports.js'
import type { AccountStore, LoginAttemptStore } from '../people/account-ports.js'
import type { PermissionStore } from '../people/permission-ports.js'
import type { Transactions } from '../ports/transactions.js'
import type { RecordStores } from '../records/ports.js'
import type { RotationStore, UserKeyRotationStore } from '../rotation/ports.js'
import type { TicketStore } from '../tickets/ports.js'
import { accountsTable } from './accounts-table.js'
import { alertsTable } from './alerts-table.js'
import { assignmentsTable } from './assignments-table.js'
import { auditEventsTable } from './audit-events-table.js'
import { auditMonthsTable } from './audit-months-table.js'
import { auditReportsTable } from './audit-reports-table.js'
import { auditSealsTable } from './audit-seals-table.js'
import { auditVerifyTable } from './audit-verify-table.js'
import { bucketFoldersTable } from './bucket-folders-table.js'
import { bucketObjectsTable } from './bucket-objects-table.js'
import { bucketUploadsTable } from './bucket-uploads-table.js'
import type { Database, Sql } from './database.js'
import { deploymentKeysTable } from './deployment-keys-table.js'
import { documentPartsTable } from './document-parts-table.js'
import { documentsTable } from './documents-table.js'
import { emergenciesTable } from './emergencies-table.js'
import { erasuresTable } from './erasures-table.js'
import { filesTable } from './files-table.js'
import { idempotencyTable } from './idempotency-table.js'
import { jobsTable } from './jobs-table.js'
import { legalHoldsTable } from './legal-holds-table.js'
import { loginAttemptsTable } from './login-attempts-table.js'
import { outboxTable } from './outbox-table.js'
import { permissionsTable } from './permissions-table.js'
import { recordTypesTable } from './record-types-table.js'
import { resealTable } from './reseal-table.js'
import { rotationTable } from './rotation-table.js'
import { sweepTable } from './sweep-table.js'
import { teamGrantsTable } from './team-grants-table.js'
import { ticketsTable } from './tickets-table.js'
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
  readonly emergencies: EmergencyStore
  readonly accounts: AccountStore
  readonly logins: LoginAttemptStore
  readonly permissions: PermissionStore
  readonly tickets: TicketStore
  readonly documents: DocumentStore
  readonly documentParts: DocumentPartStore
  readonly objects: ObjectStore
  readonly folders: FolderStore
  readonly places: PlaceStore
  readonly outbox: OutboxStore
  readonly seals: SealStore
  readonly verify: VerifyStore
  readonly reports: ReportStore
  readonly auditMonths: AuditMonthStore
  readonly alerts: AlertStore
}

export interface StoreOptions {
  /** Which events are told elsewhere, too; absent: none. */
  readonly outbox?: OutboxRules | undefined
}

/** What goes with each event that is appended. */
interface Appending {
  readonly place: WritingScope['place']
  readonly outbox: OutboxRules | undefined
}

/**
 * The stores, each statement by itself or in a transaction. `writer` numbers the events and is told what
 * became of them.
 */
export function transactions(
  db: Database,
  writer: AuditWriter,
  { outbox }: StoreOptions = {},
): Transactions<AllStores> {
  const inScope = scopes(writer, outbox)
  const alone = storesOn(db, { place: notAlone, outbox })
  return {
    stores: {
      ...alone,
      // A single statement is a transaction too.
      audit: {
        ...alone.audit,
        append: (event) =>
          inScope(({ place }) => auditEventsTable(db, place, outbox).append(event)),
      },
    },
    transaction: (work) =>
      inScope((scope) =>
        db.transaction((sql) => {
          scope.again()
          return work(storesOn(sql, { place: scope.place, outbox }))
        }),
      ),
  }
}

function notAlone(): never {
  throw new Error('An event by itself has a scope of its own')
}

function scopes(writer: AuditWriter, outbox: OutboxRules | undefined) {
  return async <T>(work: (scope: WritingScope) => Promise<T>): Promise<T> => {
    const scope = writer.begin()
    try {
      const result = await work(scope)
      scope.committed()
      outbox?.committed()
      return result
    } catch (error) {
      if (isStrongroomError(error, 'commit_unknown')) scope.unknown()
      else scope.rolledBack()
      throw error
    }
  }
}

function storesOn(sql: Sql, { place, outbox }: Appending): AllStores {
  return {
    files: filesTable(sql),
    audit: auditEventsTable(sql, place, outbox),
    seals: auditSealsTable(sql),
    verify: auditVerifyTable(sql),
    reports: auditReportsTable(sql),
    auditMonths: auditMonthsTable(sql),
    alerts: alertsTable(sql),
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
    emergencies: emergenciesTable(sql),
    accounts: accountsTable(sql),
    logins: loginAttemptsTable(sql),
    permissions: permissionsTable(sql),
    tickets: ticketsTable(sql),
    documents: documentsTable(sql),
    documentParts: documentPartsTable(sql),
    objects: bucketObjectsTable(sql),
    folders: bucketFoldersTable(sql),
    places: bucketUploadsTable(sql),
    outbox: outboxTable(sql),
  }
}
