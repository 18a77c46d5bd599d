import type { Static } from 'typebox'
import type { RotationDependencies } from '../rotation/rotate-master.js'
import { keyOperations } from './key-operations.js'
import { type StorageDependencies, storageOperations } from './storage-operations.js'

type Dependencies = StorageDependencies & RotationDependencies

/** The closed list of operations, by the name they are asked for. */
export function operations(use: Dependencies) {
  return {
    ...storageOperations(use),
    ...keyOperations(use),
  }
}

export type Operations = ReturnType<typeof operations>
export type OperationName = keyof Operations
export type InputOf<Name extends OperationName> = Static<Operations[Name]['input']>
export type ResultOf<Name extends OperationName> = Awaited<ReturnType<Operations[Name]['run']>>
