import type { AuditStore, SealedNoteRow } from '../audit/ports.js'
import type { IdempotencyStore } from '../idempotency/ports.js'
import type { GrantBasis } from '../keys/wrapping.js'

/** A general file has an owner; a medical record's owner is its patient; a document has an owner and a space. */
export type FileKind = 'general' | 'record' | 'document'

export interface FileRow {
  readonly fileId: string
  readonly kind: FileKind
  /** The owner; of a record the patient. */
  readonly ownerId: string
  readonly uploaderId: string
  readonly recordId: string | null
  readonly recordTypeId: string | null
  /** Number of the current version, from 1. */
  readonly version: number
  readonly createdAt: Date
  readonly updatedAt: Date
  readonly deletedAt: Date | null
  readonly purgeAfter: Date | null
}

export interface VersionRow {
  readonly fileId: string
  readonly version: number
  readonly sealedId: string
  /** Bytes in the blob store. */
  readonly sealedLength: number
  readonly segmentSizeLog2: number
  readonly contentType: string
  /** Bytes of data, for lists and quotas; the sealed metadata is what counts. */
  readonly size: number
  /** Sealed metadata, a raw token. */
  readonly metadata: Buffer
  readonly createdBy: string
  readonly createdAt: Date
}

export interface GrantRow {
  readonly grantId: string
  readonly fileId: string
  readonly userId: string
  readonly basis: GrantBasis
  readonly canDownload: boolean
  readonly canShare: boolean
  readonly expiresAt: Date | null
  /** Sealed under the owner's key, about the grant's id. */
  readonly purpose: SealedNoteRow | null
  readonly grantedBy: string
  readonly grantedAt: Date
}

export interface WrappedKeyRow {
  readonly sealedId: string
  readonly grantId: string
  readonly userKeyVersion: number
  readonly wrapped: string
}

/** A grant that stands, with the wrapped key of the version asked for. */
export interface HeldGrant extends GrantRow {
  readonly key: { readonly userKeyVersion: number; readonly wrapped: string }
}

/** A file at one of its versions, with the grants one person holds on it. */
export interface FileEntry {
  readonly file: FileRow
  readonly version: VersionRow
  readonly held: readonly HeldGrant[]
}

/** An emergency access that is open. */
export interface StandingEmergency {
  readonly emergencyId: string
  /** How many different records it opens. */
  readonly maxRecords: number
}

export interface EmergencyReads {
  /**
   * Counts the record among those it opened, and keeps it open until the transaction ends. 'spent': it has
   * opened as many others as it may.
   */
  spend(emergency: StandingEmergency, fileId: string, at: Date): Promise<'open' | 'over' | 'spent'>
}

export interface FileCursor {
  readonly at: Date
  readonly id: string
}

export interface ListQuery {
  readonly limit: number
  readonly after?: FileCursor | undefined
}

export interface OwnedQuery extends ListQuery {
  /** True: those that were deleted and can be restored, instead of those that are live. */
  readonly deleted: boolean
}

export interface GrantedQuery extends ListQuery {
  readonly patientId?: string | undefined
  readonly recordTypeId?: string | undefined
  /** Creation time, both inclusive. */
  readonly from?: Date | undefined
  readonly to?: Date | undefined
  /** Record types that are left out. */
  readonly exceptTypeIds?: readonly string[] | undefined
}

/** Documents of one owner: those of a patient are records. */
export interface DocumentQuery extends ListQuery {
  readonly ownerId: string
  readonly kind: 'record' | 'document'
  readonly clinicHash?: Buffer | undefined
}

export interface FileStore {
  /** Makes people others refer to known (principals), without keys. */
  ensurePeople(userIds: readonly string[]): Promise<void>
  /** Serialises changes of one owner's files until the transaction ends. */
  lockOwner(ownerId: string): Promise<void>
  /** The row, locked until the transaction ends. */
  lockFile(fileId: string): Promise<FileRow | undefined>
  /** One that waits to be confirmed, too. */
  find(fileId: string): Promise<FileRow | undefined>
  /** The file at `version` (the current one by default), live or deleted, not purged. */
  entry(fileId: string, userId: string, version?: number): Promise<FileEntry | undefined>
  /** The same for what looks after sealed bytes: one that waits to be confirmed, too. */
  storedEntry(fileId: string, userId: string, version?: number): Promise<FileEntry | undefined>
  /** Those of these ids that are not purged, at their current version, in no order. */
  entries(fileIds: readonly string[], userId: string): Promise<FileEntry[]>
  /** One whose bytes are there and wait to be confirmed. */
  awaitingEntry(fileId: string, userId: string): Promise<FileEntry | undefined>
  /** Live files of this kind, owner and fingerprint, at their current version. */
  entriesByFingerprint(
    kind: FileKind,
    ownerId: string,
    fingerprint: Buffer,
    userId: string,
  ): Promise<FileEntry[]>
  /** General files of an owner, newest first. */
  ownedEntries(ownerId: string, query: OwnedQuery): Promise<FileEntry[]>
  /** Live records on which the person holds a grant that stands, newest first. */
  grantedEntries(userId: string, query: GrantedQuery): Promise<FileEntry[]>
  /** Documents that are complete, newest first, with what the person holds on each. */
  documentEntries(userId: string, query: DocumentQuery): Promise<FileEntry[]>
  /**
   * False where a live general file of the owner has this fingerprint. `awaitsUntil`: it waits to be confirmed, and
   * is removed after that.
   */
  insertFile(row: FileRow, fingerprint: Buffer, awaitsUntil?: Date): Promise<boolean>
  /** It waits no more; false where it did not, or is gone. */
  settle(fileId: string, at: Date): Promise<boolean>
  insertVersion(row: VersionRow): Promise<void>
  /** Every version, newest first. */
  versions(fileId: string): Promise<VersionRow[]>
  /** @throws StrongroomError `person_erased` where its person was; or the owner, where it has a purpose */
  insertGrant(row: GrantRow): Promise<void>
  /** Grants that stand (not revoked; perhaps past their end), oldest first. */
  grants(fileId: string): Promise<GrantRow[]>
  /** Marks the grant revoked and destroys its wrapped keys; false where it did not stand. */
  revokeGrant(grantId: string, by: string, at: Date): Promise<boolean>
  /** `keys_unavailable` where the key it is wrapped with, or the sealing, is no longer there. */
  insertWrappedKey(row: WrappedKeyRow): Promise<void>
  /** False where a live general file of the owner has this fingerprint. */
  setCurrentVersion(
    fileId: string,
    version: number,
    fingerprint: Buffer,
    at: Date,
  ): Promise<boolean>
  /** False where this sealing is no longer there. */
  setMetadata(sealedId: string, metadata: Buffer): Promise<boolean>
  touch(fileId: string, at: Date): Promise<void>
  markDeleted(fileId: string, by: string, at: Date, purgeAfter: Date): Promise<void>
  /** False where the same bytes are live again. */
  markRestored(fileId: string, at: Date): Promise<boolean>
  /** Destroys grants' keys, metadata and fingerprint; the row stays. The sealed ids that were. */
  purge(fileId: string, at: Date): Promise<string[]>
  /** Deleted files whose time has come and that are under no hold, oldest first. */
  purgeable(now: Date, limit: number): Promise<string[]>
  /** Deleted files whose time has come and that a hold keeps: how many. */
  heldBack(now: Date): Promise<number>
  /** Whether a hold stands on the file, or on its owner; to be asked with both of them locked. */
  isHeld(fileId: string): Promise<boolean>
  /** Whether the keys of the file's owner were destroyed: their grants are ended then. */
  isOwnerErased(fileId: string): Promise<boolean>
  /** Bytes of all versions of a person's general files, deleted ones included until their purge. */
  usage(ownerId: string): Promise<number>
  insertIntent(sealedId: string, at: Date): Promise<void>
  removeIntent(sealedId: string): Promise<void>
  /** Grant ids among these whose reading must end: revoked, or their file deleted. */
  endedGrants(grantIds: readonly string[]): Promise<string[]>
}

/** Where a row says that sealed bytes are. */
export type StoredVersion = Pick<VersionRow, 'sealedId' | 'sealedLength' | 'fileId' | 'version'>

/** What the sweeper compares with the blob store; lists are in the order of sealed ids. */
export interface SweepStore {
  /** Versions of every file that was not purged, from the first or after `sealedId`. */
  versionsAfter(sealedId: string | undefined, limit: number): Promise<StoredVersion[]>
  storedVersion(sealedId: string): Promise<StoredVersion | undefined>
  countVersions(): Promise<number>
  /** Sealed ids of uploads begun before then that were neither committed nor discarded. */
  intentsBefore(before: Date, after: string | undefined, limit: number): Promise<string[]>
}

/** One version of a file. */
export type VersionPlace = Pick<VersionRow, 'fileId' | 'version'>

/** Sealing anew: lists are in the order of file and version. */
export interface ResealStore {
  /** Versions of a file, or those a person holds a key of; deleted files too, purged ones not. */
  versionsAfter(
    wish: { readonly userId: string } | { readonly fileId: string },
    after: VersionPlace | undefined,
    limit: number,
  ): Promise<VersionPlace[]>
  countVersions(wish: { readonly userId: string } | { readonly fileId: string }): Promise<number>
  /** Everyone's grants that stand, with their key of this sealing; oldest first. */
  holders(sealedId: string): Promise<HeldGrant[]>
  /**
   * Puts another sealing in the place of `row`, and destroys all wrapped keys of that; false where its
   * sealing or its metadata is no longer that.
   */
  replace(row: VersionRow, next: Omit<VersionRow, 'fileId' | 'version'>): Promise<boolean>
}

/** The stores the use cases of files work with. */
export interface FileStores {
  readonly files: FileStore
  readonly audit: AuditStore
  readonly idempotency: IdempotencyStore
}
