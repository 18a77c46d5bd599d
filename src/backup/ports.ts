import type { AuditStore } from '../audit/ports.js'
import type { FileStore, SweepStore } from '../files/ports.js'
import type { KeyStore } from '../keys/ports.js'
import type { RotationStore } from '../rotation/ports.js'

/** A row of `deployment_keys`, whatever its use: what is backed up need not be understood. */
export interface KeptRow {
  readonly use: string
  readonly master_key_id: string
  readonly wrapped: string
}

/** What may be known of the key that signs, and the wrapping it is in. */
export interface PublicHalf {
  readonly key_id: string
  /** PEM. */
  readonly public_key: string
  readonly wrapped: string
}

/** What backups and drills need of a database. */
export interface BackupStores {
  readonly keys: Pick<
    KeyStore,
    'deploymentKeys' | 'userKey' | 'signingKey' | 'insertPublicHalf'
  > & {
    /** False where there is one by now. */
    insertDeploymentKey(row: {
      readonly use: string
      readonly masterKeyId: string
      readonly wrapped: string
    }): Promise<boolean>
  }
  readonly rotation: Pick<RotationStore, 'countByMasterKey' | 'lockMasterKeys' | 'userKeysAfter'>
  readonly audit: Pick<AuditStore, 'append'>
  readonly sweep: Pick<SweepStore, 'versionsAfter'>
  readonly files: Pick<FileStore, 'find' | 'storedEntry' | 'isOwnerErased'>
}
