import type { Actor } from '../audit/audit-events.js'
import { auditEvent } from '../audit/audit-log.js'
import { StrongroomError } from '../errors/strongroom-error.js'
import type { BucketStores, ObjectRow } from './ports.js'

/** Somebody else changed what a transaction rests on, while it was made ready: to be done again. */
export class ChangedMeanwhile extends Error {}

const DAY_MS = 86_400_000
/** Each time somebody else was first, so that there is no end to it only where others never end. */
const MOST_TRIES = 50

/** Runs `work` again, with a look at things as they are then, where another one was first. */
export async function untilUnchanged<T>(work: () => Promise<T>): Promise<T> {
  for (let tries = 0; tries < MOST_TRIES; tries++) {
    try {
      return await work()
    } catch (error) {
      if (!(error instanceof ChangedMeanwhile)) throw error
    }
  }
  throw new StrongroomError('conflict')
}

export interface Retirement {
  readonly actor: Actor
  readonly at: Date
  /** Days until bytes and keys are destroyed. */
  readonly retentionDays: number
  readonly reason: 'replaced' | undefined
  readonly subjectId: string
}

/**
 * Ends an object as a file is deleted: found no more, destroyed after the retention time. Its owner **must** be locked,
 * and its row. Says when it may be destroyed; undefined: its file is gone already.
 * @throws StrongroomError `legal_hold`: nothing is changed
 */
export async function retireObject(
  { files, objects, folders, audit }: BucketStores,
  { fileId, folderHash }: ObjectRow,
  { actor, at, retentionDays, reason, subjectId }: Retirement,
): Promise<Date | undefined> {
  const file = await files.lockFile(fileId)
  if (await files.isHeld(fileId)) throw new StrongroomError('legal_hold')
  await objects.remove(fileId)
  // What is replaced leaves no gap.
  if (reason === undefined) await folders.markEmptied(folderHash, at)
  if (file === undefined || file.deletedAt !== null) return undefined
  const purgeAfter = new Date(at.getTime() + retentionDays * DAY_MS)
  await files.markDeleted(fileId, actor.userId, at, purgeAfter)
  await audit.append(
    auditEvent(actor, {
      ...{ action: 'object.delete', outcome: 'success', reason, fileId },
      ...{ version: file.version, subjectId },
    }),
  )
  return purgeAfter
}
