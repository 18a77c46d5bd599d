import type { AuditStore } from '../audit/ports.js'
import type { DeploymentKeyRow, KeyStore, UserKeyRow } from '../keys/ports.js'

/** A user key's row with the master key that wraps it; null where that was never looked at. */
export interface WrappedUserKey extends UserKeyRow {
  readonly masterKeyId: string | null
}

/** A node that serves, and the master keys it runs with, the one that wraps first. */
export interface KeyNode {
  readonly nodeId: string
  readonly masterKeyIds: readonly string[]
  readonly seenAt: Date
}

export interface RotationStore {
  /** In the order of person and version, from the first or after `after`. */
  userKeysAfter(
    after: Pick<UserKeyRow, 'userId' | 'version'> | undefined,
    limit: number,
  ): Promise<WrappedUserKey[]>
  /** How many user keys each master key wraps; null: not known. */
  countByMasterKey(): Promise<{ masterKeyId: string | null; keys: number }[]>
  /** Puts another wrapping in the place of `row.wrapped`; false where it is no longer that. */
  rewrapUserKey(row: UserKeyRow, wrapped: string, masterKeyId: string): Promise<boolean>
  rewrapIndexKey(row: DeploymentKeyRow, wrapped: string, masterKeyId: string): Promise<boolean>
  removeCheckValue(masterKeyId: string): Promise<void>
  /** Serialises what changes master keys until the transaction ends. */
  lockMasterKeys(): Promise<void>
  sawNode(node: KeyNode): Promise<void>
  forgetNode(nodeId: string): Promise<void>
  nodesSince(seenAfter: Date): Promise<KeyNode[]>
}

export interface RotationStores {
  readonly keys: KeyStore
  readonly rotation: RotationStore
  readonly audit: AuditStore
}
