import type { Static } from 'typebox'
import { type AsJobDependencies, asJob } from './as-job.js'
import { type AuditDependencies, auditOperations } from './audit-operations.js'
import { type BackupDependencies, backupOperations } from './backup-operations.js'
import { type DatabaseMoveDependencies, databaseOperations } from './database-operations.js'
import { type ErasureDependencies, erasureOperations } from './erasure-operations.js'
import { type JobDependencies, jobOperations } from './job-operations.js'
import { type KeyDependencies, keyOperations } from './key-operations.js'
import { type MoveDependencies, moveOperations } from './move-operations.js'
import { type OutboxDependencies, outboxOperations } from './outbox-operations.js'
import { type PeopleDependencies, peopleOperations } from './people-operations.js'
import { type StorageDependencies, storageOperations } from './storage-operations.js'

type Dependencies = AsJobDependencies &
  ErasureDependencies &
  OutboxDependencies &
  PeopleDependencies &
  AuditDependencies &
  MoveDependencies &
  DatabaseMoveDependencies &
  Omit<StorageDependencies & KeyDependencies & JobDependencies & BackupDependencies, 'asJob'>

/** The closed list of operations, by the name they are asked for. */
export function operations(dependencies: Dependencies) {
  const use = { ...dependencies, asJob: asJob(dependencies) }
  return {
    ...storageOperations(use),
    ...moveOperations(use),
    ...databaseOperations(use),
    ...keyOperations(use),
    ...jobOperations(use),
    ...backupOperations(use),
    ...erasureOperations(use),
    ...outboxOperations(use),
    ...auditOperations(use),
    ...peopleOperations(use),
  }
}

export type Operations = ReturnType<typeof operations>
export type OperationName = keyof Operations
export type InputOf<Name extends OperationName> = Static<Operations[Name]['input']>
export type ResultOf<Name extends OperationName> = Awaited<ReturnType<Operations[Name]['run']>>
