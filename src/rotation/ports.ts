import type { AuditStore } from '../audit/ports.js'
import type { DeploymentKeyRow, KeyStore, UserKeyRow } from '../keys/ports.js'
import type { GrantBasis } from '../keys/wrapping.js'

/** A user key's row with the master key that wraps it; null where that was never looked at. */
export interface WrappedUserKey extends UserKeyRow {
  readonly masterKeyId: string | null
}

/** A node that serves, and the master keys it runs with, the one that wraps first. */
export interface KeyNode {
  readonly nodeId: string
  readonly masterKeyIds: readonly string[]
}

export interface RotationStore {
  /** In the order of person and version, from the first or after `after`. */
  userKeysAfter(
    after: Pick<UserKeyRow, 'userId' | 'version'> | undefined,
    limit: number,
  ): Promise<WrappedUserKey[]>
  /** How many user keys each master key wraps; null: not known. */
  countByMasterKey(): Promise<{ masterKeyId: string | null; keys: number }[]>
  /**
   * Puts another wrapping in the place of `row.wrapped`; false where it is no longer that, or the master
   * key was retired meanwhile.
   */
  rewrapUserKey(row: UserKeyRow, wrapped: string, masterKeyId: string): Promise<boolean>
  rewrapDeploymentKey(row: DeploymentKeyRow, wrapped: string, masterKeyId: string): Promise<boolean>
  removeCheckValue(masterKeyId: string): Promise<void>
  /** Serialises what changes master keys until the transaction ends. */
  lockMasterKeys(): Promise<void>
  /** Notes that a master key was given up. */
  markRetired(masterKeyId: string): Promise<void>
  /** Now, by the clock of the database. */
  sawNode(node: KeyNode): Promise<void>
  forgetNode(nodeId: string): Promise<void>
  /** Forgets the nodes not heard of for so long; 0: every one. */
  forgetNodesNotSeenWithin(ms: number): Promise<void>
  /** Those seen within so many milliseconds. */
  nodesSeenWithin(ms: number): Promise<KeyNode[]>
}

/** A file key wrapped for one person, on the terms of their grant. */
export interface HeldKeyRow {
  readonly grantId: string
  readonly sealedId: string
  readonly userKeyVersion: number
  readonly wrapped: string
  readonly basis: GrantBasis
  readonly expiresAt: Date | null
}

/** A text sealed under a person's key: the purpose of a grant on one of their records, or an emergency's. */
export interface NoteRow {
  readonly noteId: string
  /** The thing it is about, bound into it. */
  readonly about: string
  readonly sealed: string
  readonly userKeyVersion: number
}

export interface NewWrapping extends Pick<HeldKeyRow, 'grantId' | 'sealedId' | 'wrapped'> {
  /** The wrapping it takes the place of, if that is still there. */
  readonly was: string
}

export interface NewNote extends Pick<NoteRow, 'noteId' | 'sealed'> {
  readonly was: string
}

/** Turning one person's key; lists are in the order of their ids, after the last one seen. */
export interface UserKeyRotationStore {
  /** Locks the person's keys until the transaction ends; the version new wrappings use. */
  lockUserKeys(userId: string): Promise<number | undefined>
  /** A further version, which new wrappings use from now on; the others are superseded. */
  insertNextUserKey(row: UserKeyRow, masterKeyId: string): Promise<void>
  /** Wrapped keys of the person's grants. */
  heldKeysAfter(
    userId: string,
    after: Pick<HeldKeyRow, 'grantId' | 'sealedId'> | undefined,
    limit: number,
  ): Promise<HeldKeyRow[]>
  countHeldKeys(userId: string): Promise<number>
  /** Purposes of grants on the person's records, revoked ones too, and notes on emergency access to them. */
  notesAfter(userId: string, after: string | undefined, limit: number): Promise<NoteRow[]>
  /** How many were put in place: those that changed meanwhile are left alone. */
  rewrapHeldKeys(userKeyVersion: number, rows: readonly NewWrapping[]): Promise<number>
  resealNotes(userKeyVersion: number, rows: readonly NewNote[]): Promise<number>
  /** People of whom something is still under a version superseded for so many milliseconds or longer. */
  peopleBehind(sinceMs: number, limit: number): Promise<string[]>
  /**
   * Spent versions, superseded since so many milliseconds or longer, locked until the transaction ends: nobody
   * wraps with them any more.
   */
  lockSupersededUserKeys(sinceMs: number, limit: number): Promise<Omit<UserKeyRow, 'wrapped'>[]>
  /** False where anything still needs it. */
  removeUserKey(row: Omit<UserKeyRow, 'wrapped'>): Promise<boolean>
}

export interface RotationStores {
  readonly keys: KeyStore
  readonly rotation: RotationStore
  readonly userKeyRotation: UserKeyRotationStore
  readonly audit: AuditStore
}
