import type { AuditStore } from '../audit/ports.js'
import type { FileStores } from '../files/ports.js'
import type { StoredNote } from '../people/account-ports.js'
import type { TicketStore } from '../tickets/ports.js'

/** An object: a file that is found by a key. The key is in the sealed metadata of the file. */
export interface ObjectRow {
  readonly fileId: string
  readonly bucket: string
  /** Keyed hash of bucket and key. */
  readonly keyHash: Buffer
  /** Keyed hash of bucket and the folder it is in. */
  readonly folderHash: Buffer
  readonly createdAt: Date
}

/** An object as it is found: with whose file it is. */
export interface FoundObject extends ObjectRow {
  readonly ownerId: string
}

/** A folder is there as long as something is in it. */
export interface FolderRow {
  readonly folderId: string
  readonly bucket: string
  readonly folderHash: Buffer
  readonly parentHash: Buffer
  /** Its path, sealed under the bucket's key. */
  readonly note: StoredNote
  readonly createdAt: Date
}

/** A place for an object whose bytes are still to come. */
export interface PlaceRow {
  readonly fileId: string
  readonly bucket: string
  readonly uploaderId: string
  /** What was said of it beforehand; gone with its uploader's keys. */
  readonly note: StoredNote | null
  readonly createdAt: Date
  /** Until when bytes are taken. */
  readonly expiresAt: Date
}

/** Something in a folder, at its place in the order of a list. */
export type Child =
  | { readonly kind: 'folder'; readonly at: Date; readonly id: string; readonly folder: SealedPath }
  | { readonly kind: 'object'; readonly at: Date; readonly id: string; readonly keyHash: Buffer }

export type SealedPath = Pick<FolderRow, 'bucket' | 'folderHash' | 'note'>

export interface ChildQuery {
  readonly folderHash: Buffer
  /** Of what is in it these alone; absent: all. */
  readonly only?: { readonly folders: readonly Buffer[]; readonly keys: readonly Buffer[] }
  readonly limit: number
  readonly after: { readonly at: Date; readonly id: string } | undefined
}

export interface ObjectStore {
  find(keyHash: Buffer): Promise<FoundObject | undefined>
  findByFile(fileId: string): Promise<ObjectRow | undefined>
  /** Keeps it until the transaction ends. */
  lock(keyHash: Buffer): Promise<ObjectRow | undefined>
  /** False: there is an object of that key. */
  insert(row: ObjectRow): Promise<boolean>
  remove(fileId: string): Promise<void>
  /** What is directly in a folder, oldest first. */
  children(query: ChildQuery): Promise<Child[]>
  /** Those of these hashes of keys and of folders of which there is something. */
  there(hashes: readonly Buffer[]): Promise<Buffer[]>
}

export interface FolderStore {
  /** Those of these that are there. */
  known(folderHashes: readonly Buffer[]): Promise<Buffer[]>
  /** Nobody removes it until the transaction ends. False: it is not there. */
  keep(folderHash: Buffer): Promise<boolean>
  /** False: it is there. @throws StrongroomError `keys_unavailable` (the bucket's key turned meanwhile) */
  insert(row: FolderRow, spaceId: string): Promise<boolean>
  /** Something went from it. */
  markEmptied(folderHash: Buffer, at: Date): Promise<void>
  /** Those something went from. */
  emptied(limit: number): Promise<Buffer[]>
  /**
   * Removes it where nothing is in it, and says what it was in; else takes note that something is.
   * Waits for those who keep it.
   */
  removeEmpty(folderHash: Buffer, at: Date): Promise<Buffer | undefined>
}

export interface PlaceStore {
  /** @throws StrongroomError `person_erased`, `keys_unavailable` (the uploader's key turned meanwhile) */
  insert(row: PlaceRow): Promise<void>
  find(fileId: string): Promise<PlaceRow | undefined>
  /** With what was said of it. False: it is gone. */
  remove(fileId: string): Promise<boolean>
  /** Removes those whose time for bytes was over then. */
  tidy(before: Date): Promise<void>
}

export interface BucketStores extends FileStores {
  readonly objects: ObjectStore
  readonly folders: FolderStore
  readonly places: PlaceStore
  readonly tickets: TicketStore
  readonly audit: AuditStore
}
