import type { FileStores } from '../files/ports.js'
import type { JobStore } from '../jobs/ports.js'
import type { KeyStore } from '../keys/ports.js'

/** What a hold or an erasure is about. */
export type Subject =
  | { readonly fileId: string; readonly personId: null }
  | { readonly fileId: null; readonly personId: string }

/** Nothing of a file, or of all files of a person, may be destroyed. Rows stay when it is over. */
export interface HoldRow {
  readonly holdId: string
  readonly fileId: string | null
  readonly personId: string | null
  /** The case's id, in the shape of a portal id. */
  readonly reference: string
  readonly placedBy: string
  readonly placedAt: Date
  readonly releasedBy: string | null
  readonly releasedAt: Date | null
}

export interface HoldStore {
  insert(row: HoldRow): Promise<void>
  /** Ends it; nothing where none of this id stands. */
  release(holdId: string, by: string, at: Date): Promise<HoldRow | undefined>
  /** Those that stand, or all that ever did; oldest first. */
  list(options: { readonly releasedToo: boolean }): Promise<HoldRow[]>
}

/** How much an erasure destroys, or did. */
export interface ErasureCounts {
  /** Versions of the person's key. */
  readonly userKeys: number
  /** Wrapped file keys. */
  readonly fileKeys: number
  readonly files: number
  readonly versions: number
  /** Records about the person that others can still open. */
  readonly recordsKept: number
}

export type OldCopies = 'removed' | 'left'

/**
 * Nobody asked for it; somebody could look at the destroyed rows all the while, and so a rewrite would
 * copy them; or the log was not at its end after all that was done.
 */
export type LeftBecause = 'not_asked' | 'old_snapshots' | 'log_goes_on' | 'not_owner'

export interface OldCopiesResult {
  readonly oldCopies: OldCopies
  readonly leftBecause?: LeftBecause
}

export interface ErasureRow extends ErasureCounts {
  readonly erasureId: string
  readonly kind: 'file' | 'version' | 'person'
  readonly fileId: string | null
  readonly version: number | null
  readonly personId: string | null
  readonly requestedBy: string
  readonly requestedAt: Date
  /** Master keys under which the keys concerned were wrapped then. */
  readonly masterKeyIds: readonly string[]
  /** All below: null until everything is done. */
  readonly finishedAt: Date | null
  /** Whether what the database's files still held of the destroyed rows was removed. */
  readonly oldCopies: OldCopies | null
  readonly backupsExpireAt: Date | null
}

export interface Finish {
  readonly finishedAt: Date
  readonly oldCopies: OldCopies
  readonly backupsExpireAt: Date
}

/** What a person has that an erasure concerns, and the facts of erasures. */
export interface ErasureStore {
  /** The person's row, locked against everything that would give them a key or a grant. */
  lockPerson(personId: string): Promise<{ readonly shreddedAt: Date | null } | undefined>
  /** The same without a lock. */
  findPerson(personId: string): Promise<{ readonly shreddedAt: Date | null } | undefined>
  /** Locks the owner and all with a grant, of the file or of every file of the person's. */
  lockHolders(subject: Subject): Promise<void>
  /** Locks what is held and the person can open: of two who alone can, one is shredded after the other. */
  lockHeldFiles(personId: string): Promise<void>
  /**
   * Whether a hold stands on the person, on a file of theirs, or on one that nobody else has a key of.
   */
  isPersonHeld(personId: string): Promise<boolean>
  countsOfPerson(personId: string): Promise<ErasureCounts>
  /** Files of others, none of them erased, that the person alone can open. */
  countClosed(personId: string): Promise<number>
  /** Of a file, or of one version of it. */
  countsOfFile(fileId: string, version: number | null): Promise<ErasureCounts>
  /** Null: of a key it is not known which master key wraps it. */
  masterKeysOfPerson(personId: string): Promise<(string | null)[]>
  masterKeysOfFile(fileId: string, version: number | null): Promise<(string | null)[]>
  /** The mark that no key may be made for them again. */
  markShredded(personId: string, at: Date): Promise<void>
  /** Destroys every version of the person's key. */
  destroyUserKeys(personId: string): Promise<void>
  /** Ends every grant the person holds. */
  endGrantsOf(personId: string, by: string, at: Date): Promise<void>
  /** Destroys purposes of grants and notes on emergencies that are sealed under the person's key. */
  destroyPurposes(personId: string): Promise<void>
  /** Whether wrapped file keys of the person's are left. */
  hasFileKeys(personId: string): Promise<boolean>
  /** Destroys wrapped file keys of the person's, at most `limit`. */
  destroyFileKeys(personId: string, limit: number): Promise<void>
  /**
   * Files that no grant opens any more at the time given and no hold keeps: the person's, and what they
   * once could open of others who are erased.
   */
  openByNobody(personId: string, limit: number, now: Date): Promise<string[]>
  /** Whether a grant keeps the file for somebody. */
  isOpen(fileId: string, now: Date): Promise<boolean>
  /** Destroys keys, metadata and fingerprint of a file, live or deleted. The sealed ids that were. */
  shredFile(fileId: string, by: string, at: Date): Promise<string[]>
  /** The same of one version that is not the current one. */
  shredVersion(fileId: string, version: number): Promise<string[]>
  insert(row: ErasureRow): Promise<void>
  find(erasureId: string): Promise<ErasureRow | undefined>
  /** Counts what was destroyed in the course of it. */
  addFile(erasureId: string, versions: number): Promise<void>
  /** Sealed bytes that are still to be removed. */
  addBlobs(erasureId: string, sealedIds: readonly string[]): Promise<void>
  /** Those, too, of sealings that others took the place of, of the file or of one version of it. */
  adoptBlobs(erasureId: string, fileId: string, version: number | null): Promise<void>
  blobs(erasureId: string, limit: number): Promise<string[]>
  removeBlob(sealedId: string): Promise<void>
  finish(erasureId: string, facts: Finish): Promise<void>
}

export interface ErasureStores extends FileStores {
  readonly holds: HoldStore
  readonly erasures: ErasureStore
  readonly keys: KeyStore
  readonly jobs: JobStore
}

/** What the database's own files still hold of rows that were destroyed. */
export interface OldCopiesRemover {
  /**
   * Removes it from tables, indexes and log: by itself on the embedded database; elsewhere it rewrites
   * the tables where `rewrite` is true, once nobody can look at the destroyed rows any more, for which
   * it waits a while, and else leaves them to the database.
   */
  remove(options: {
    readonly rewrite: boolean
    readonly signal?: AbortSignal | undefined
  }): Promise<OldCopiesResult>
}
