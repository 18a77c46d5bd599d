import type { StoredNote } from './account-ports.js'

/** What somebody may do in a bucket; the prefix is in the note. */
export interface PermissionRow {
  readonly permissionId: string
  readonly userId: string
  readonly bucket: string
  readonly note: StoredNote
  readonly canRead: boolean
  readonly canWrite: boolean
  readonly canDelete: boolean
  readonly canList: boolean
  readonly createdAt: Date
  readonly updatedAt: Date
}

export interface PermissionStore {
  /** False: this person has one of that prefix there already. `spaceId`: whose key the note is sealed under. */
  insert(
    row: PermissionRow,
    sealed: { readonly spaceId: string; readonly prefixHash: Buffer },
  ): Promise<boolean>
  find(permissionId: string): Promise<PermissionRow | undefined>
  /** Newest first; of one person where named. */
  list(wish: {
    readonly userId?: string | undefined
    readonly limit: number
    readonly after: { readonly at: Date; readonly id: string } | undefined
  }): Promise<PermissionRow[]>
  /** One person's in one bucket: all of them. */
  of(userId: string, bucket: string): Promise<PermissionRow[]>
  /** `changed`: somebody else changed it meanwhile. */
  replace(
    row: PermissionRow,
    was: string,
    sealed: { readonly spaceId: string; readonly prefixHash: Buffer },
  ): Promise<'done' | 'changed' | 'taken'>
  remove(permissionId: string): Promise<boolean>
}
