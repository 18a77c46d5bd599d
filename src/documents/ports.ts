import type { AuditStore } from '../audit/ports.js'
import type { FileStores } from '../files/ports.js'
import type { JobStore } from '../jobs/ports.js'
import type { StoredNote } from '../people/account-ports.js'
import type { RecordTypeStore, TeamGrantStore } from '../records/ports.js'
import type { TicketStore } from '../tickets/ports.js'

/** Of whose calls it is: those that confirm (`docs`), and those that do not. */
export type DocumentFamily = 'docs' | 'presign'

/**
 * Asked for; its bytes have come and wait to be confirmed; there; given up. Words of the contract (API.md, D).
 */
export type DocumentState = 'Awaiting' | 'uploading' | 'Completed' | 'failed'

/** A document that was asked for: what it becomes is the file of the same id. */
export interface DocumentRow {
  readonly fileId: string
  readonly family: DocumentFamily
  readonly kind: 'record' | 'document'
  readonly key: string
  /** Of a record the patient. */
  readonly ownerId: string
  readonly uploaderId: string
  /** Of a document; a record has none. */
  readonly spaceId: string | null
  readonly recordTypeId: string | null
  readonly clinicHash: Buffer | null
  readonly state: DocumentState
  /** Whether its bytes come in parts, and it is whole when somebody says so. */
  readonly inParts: boolean
  /** What was said of it beforehand; gone with its owner's keys, or once it is complete. */
  readonly note: StoredNote | null
  readonly createdAt: Date
  readonly updatedAt: Date
  /** Until when bytes are taken. */
  readonly expiresAt: Date
}

export interface DocumentStore {
  /** @throws StrongroomError `person_erased`, `keys_unavailable` (the note's key turned meanwhile) */
  insert(row: DocumentRow): Promise<void>
  find(fileId: string): Promise<DocumentRow | undefined>
  findByKey(key: string): Promise<DocumentRow | undefined>
  /** Keeps it until the transaction ends. */
  lock(fileId: string): Promise<DocumentRow | undefined>
  /** Those of these ids. */
  list(fileIds: readonly string[]): Promise<DocumentRow[]>
  setState(fileId: string, state: DocumentState, at: Date): Promise<void>
  /**
   * Gives up those whose time for bytes was over then and that got none, or whose file is gone. How many. What came of
   * one in parts waits while a hold stands on it.
   */
  giveUp(before: Date): Promise<number>
  /** Removes those that were given up before then. */
  forget(before: Date): Promise<void>
  /** Those whose bytes nobody confirmed in time, and that no hold keeps. */
  unconfirmed(at: Date, limit: number): Promise<DocumentRow[]>
}

/** One part that has come: a file of its own that waits. */
export interface DocumentPartRow {
  readonly documentId: string
  /** From 1. */
  readonly partNumber: number
  readonly fileId: string
  /** Bytes. */
  readonly size: number
}

/** To be changed with the document locked. */
export interface DocumentPartStore {
  /** Takes the place of one of the same number: the file that was that one. */
  put(row: DocumentPartRow, at: Date): Promise<string | undefined>
  /** By number. */
  list(documentId: string): Promise<DocumentPartRow[]>
  /** The files they were. */
  remove(documentId: string): Promise<string[]>
  /** Whether a hold stands on the document's owner, or on any of its parts; to be asked with the owner locked. */
  isHeld(documentId: string): Promise<boolean>
  /** Documents that were given up and still have parts, which no hold keeps. */
  leftOver(limit: number): Promise<DocumentRow[]>
}

export interface DocumentStores extends FileStores {
  readonly documents: DocumentStore
  readonly documentParts: DocumentPartStore
  readonly tickets: TicketStore
  readonly audit: AuditStore
  readonly jobs: JobStore
  readonly types: RecordTypeStore
  readonly team: TeamGrantStore
}
