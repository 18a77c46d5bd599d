import { FernetKey } from '../crypto/fernet-key.js'
import { StrongroomError } from '../errors/strongroom-error.js'
import { type KeyRing, keyRing } from '../keys/key-ring.js'
import type { UserKeyRow } from '../keys/ports.js'
import type { UserKey, UserKeys } from '../keys/user-keys.js'
import { inBatches } from './in-batches.js'
import type { HeldKeyRow, NewNote, NewWrapping, NoteRow } from './ports.js'
import {
  keyEvent,
  type RotationContext,
  type RotationDependencies,
  refuseUnknown,
} from './rotate-master.js'
import { claimsOf } from './user-key-rows.js'

export interface UserRotationReport {
  readonly user_id: string
  /** The version of their key that everything is wrapped with now. */
  readonly version: number
  /** File keys, and purposes of grants and emergencies, put under it now. */
  readonly rewrapped: number
  readonly purposes: number
  /** File keys opened again afterwards, all with that version. */
  readonly verified: number
}

export interface UserRotationContext extends RotationContext {
  /** The version an earlier turn made before it was broken off: it is gone on with. */
  readonly version?: number | undefined
  /** Told of the version that was made. */
  readonly made?: (version: number) => Promise<void>
}

export interface UserRotationDependencies extends RotationDependencies {
  readonly users: UserKeys
}

const BATCH = 200

/**
 * Gives a person a new key, and wraps all file keys they hold, and the purposes sealed for them, with
 * it; files are not touched. First everything is opened, so that nothing is begun that cannot be ended;
 * afterwards everything is opened again. The service goes on meanwhile. The versions before stay for
 * those who hold a wrapping in their hands, and are removed later (`retireUserKeys`).
 *
 * @throws StrongroomError `not_found` for whoever has no key; `damaged` where a wrapping does not open:
 *   nothing was changed then; `conflict` where a turn of the master key forbids it
 */
export function rotateUser(use: UserRotationDependencies) {
  return async (userId: string, context: UserRotationContext = {}): Promise<UserRotationReport> => {
    const { signal, progress, made } = context
    const total = 3 * (await use.db.stores.userKeyRotation.countHeldKeys(userId))
    let done = 0
    const eachBatch = async (work: (rows: HeldKeyRow[]) => Promise<void>) => {
      for await (const rows of heldKeys(use, userId)) {
        signal?.throwIfAborted()
        await work(rows)
        done += rows.length
        // Some may have been added since they were counted.
        progress?.(done, Math.max(total, done))
      }
    }
    const keys = keysOf(use, userId)
    await eachBatch((rows) => openAll(keys.ring(), userId, rows))
    const version = await nextVersion(use, userId, context.version)
    await made?.(version)
    const turn = { userId, version, ring: keys.ring(version) }
    const counts = { rewrapped: 0, purposes: 0, verified: 0 }
    await eachBatch(async (rows) => {
      counts.rewrapped += await rewrapBatch(use, turn, rows)
    })
    for await (const rows of notes(use, userId)) {
      signal?.throwIfAborted()
      counts.purposes += await resealBatch(use, turn, rows)
    }
    await eachBatch(async (rows) => {
      // Wrapped by an upload that had begun before: the version before is kept for it.
      const late = rows.filter(({ userKeyVersion }) => userKeyVersion !== version)
      counts.rewrapped += await rewrapBatch(use, turn, late)
      await openAll(
        turn.ring,
        userId,
        rows.filter((row) => !late.includes(row)),
      )
      counts.verified += rows.length - late.length
    })
    return { user_id: userId, version, ...counts }
  }
}

function heldKeys({ db }: UserRotationDependencies, userId: string) {
  return inBatches<HeldKeyRow>(BATCH, (after) =>
    db.stores.userKeyRotation.heldKeysAfter(userId, after, BATCH),
  )
}

function notes({ db }: UserRotationDependencies, userId: string) {
  return inBatches<NoteRow>(BATCH, (after) =>
    db.stores.userKeyRotation.notesAfter(userId, after?.noteId, BATCH),
  )
}

/** The person's keys, each asked for once; wraps with `version`, where it is to wrap. */
function keysOf({ users }: UserRotationDependencies, userId: string) {
  const known = new Map<number, Promise<UserKey>>()
  const forOpening = (_userId: string, version: number) => {
    const found = known.get(version) ?? users.forOpening(userId, version)
    known.set(version, found)
    return found
  }
  return {
    ring: (version = 0): KeyRing =>
      keyRing({ forOpening, forWrapping: () => forOpening(userId, version) }),
  }
}

async function openAll(ring: KeyRing, userId: string, rows: readonly HeldKeyRow[]): Promise<void> {
  for (const row of rows) {
    const key = await ring.unwrapFileKey(row, row.sealedId, { ...row, userId })
    key.destroy()
  }
}

/** Makes the next version of the person's key, or goes on with one that was made. */
async function nextVersion(
  use: UserRotationDependencies,
  userId: string,
  made: number | undefined,
): Promise<number> {
  const { db, provider } = use
  const active = await db.stores.keys.activeUserKey(userId)
  if (active === undefined) {
    throw new StrongroomError('not_found', {
      detail: 'This person has no key: nothing is sealed for them',
    })
  }
  if (active.version === made) return made
  const [first] = provider.masterKeyIds
  await refuseUnknown(db.stores.keys, first)
  const next = { userId, version: active.version + 1 }
  const key = FernetKey.generate()
  const row: UserKeyRow = { ...next, wrapped: await provider.wrap(key, claimsOf(next)) }
  key.destroy()
  await db.transaction(async ({ audit, keys, rotation, userKeyRotation }) => {
    // Whoever retires a master key waits: no key is left under it unseen.
    await rotation.lockMasterKeys()
    await refuseUnknown(keys, first)
    if ((await userKeyRotation.lockUserKeys(userId)) !== active.version) {
      throw new StrongroomError('conflict', { detail: 'This key was turned by another meanwhile' })
    }
    await userKeyRotation.insertNextUserKey(row, first)
    await audit.append(keyEvent('keys.user_rotate', { subjectId: userId, count: next.version }))
  })
  return next.version
}

interface Turn {
  readonly userId: string
  readonly version: number
  readonly ring: KeyRing
}

/** How many were put under the new version. Wrapped outside, committed in one transaction. */
async function rewrapBatch(
  { db }: UserRotationDependencies,
  { userId, version, ring }: Turn,
  rows: readonly HeldKeyRow[],
): Promise<number> {
  const changes: NewWrapping[] = []
  for (const row of rows) {
    if (row.userKeyVersion === version) continue
    const terms = { ...row, userId }
    const key = await ring.unwrapFileKey(row, row.sealedId, terms)
    try {
      const { wrapped } = await ring.wrapFileKey(key, row.sealedId, terms)
      changes.push({ ...row, was: row.wrapped, wrapped })
    } finally {
      key.destroy()
    }
  }
  if (changes.length === 0) return 0
  return await db.transaction(async ({ audit, userKeyRotation }) => {
    const count = await userKeyRotation.rewrapHeldKeys(version, changes)
    await audit.append(keyEvent('keys.user_rewrap', { subjectId: userId, count }))
    return count
  })
}

async function resealBatch(
  { db }: UserRotationDependencies,
  { userId, version, ring }: Turn,
  rows: readonly NoteRow[],
): Promise<number> {
  const changes: NewNote[] = []
  for (const row of rows) {
    if (row.userKeyVersion === version) continue
    const text = await ring.openNote(userId, row.about, row)
    const { sealed } = await ring.sealNote(userId, row.about, text)
    changes.push({ noteId: row.noteId, was: row.sealed, sealed })
  }
  if (changes.length === 0) return 0
  return await db.transaction(async ({ audit, userKeyRotation }) => {
    const count = await userKeyRotation.resealNotes(version, changes)
    await audit.append(keyEvent('keys.user_rewrap', { subjectId: userId, count }))
    return count
  })
}
