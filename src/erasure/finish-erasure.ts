import { auditEvent } from '../audit/audit-log.js'
import { systemActor } from '../audit/system-actor.js'
import type { BlobStore } from '../blobs/blob-store.js'
import { StrongroomError } from '../errors/strongroom-error.js'
import { actionOf } from '../files/file-action.js'
import type { NewJob } from '../jobs/ports.js'
import type { Transactions } from '../ports/transactions.js'
import type { ErasureRow, ErasureStores, OldCopiesRemover, OldCopiesResult } from './ports.js'

export const SHRED = 'shred'

/** What an erasure is finished as, by hand too; `rewrite` as in `FinishContext`. */
export function shredJob(erasureId: string, { rewrite = false } = {}): NewJob {
  const payload = { erasureId, ...(rewrite ? { rewrite: 'true' } : {}) }
  return { jobId: erasureId, kind: SHRED, payload }
}

interface Dependencies {
  readonly db: Transactions<ErasureStores>
  readonly blobs: Pick<BlobStore, 'remove'>
  readonly oldCopies: OldCopiesRemover
  /** Days after which no backup is kept. */
  readonly backupRetentionDays: number
}

export interface FinishContext {
  /** Rewrites the tables also where the database is not ours alone. */
  readonly rewrite?: boolean
  readonly signal?: AbortSignal | undefined
  /** Told how many files and sealed bytes are done with. */
  readonly progress?: (done: number) => void
}

/** With why old copies are left, where this call left them. */
export type FinishedErasure = ErasureRow & Pick<OldCopiesResult, 'leftBecause'>

export type FinishErasure = (erasureId: string, context?: FinishContext) => Promise<FinishedErasure>

const KEYS_A_STEP = 1_000
const FILES_A_STEP = 100
const DAY_MS = 86_400_000

/**
 * Everything that follows from destroyed keys, in steps of which each may be the last: what is left of
 * it is found again. Wrapped file keys, files nobody can open any more, sealed bytes, old copies; then
 * the time from which backups are counted. Done again after it was finished, it does no more than
 * to rewrite the tables where that is asked for and was not done.
 *
 * @throws StrongroomError `not_found`
 */
export function finishErasure(use: Dependencies): FinishErasure {
  return async (erasureId, context = {}) => {
    const row = await use.db.stores.erasures.find(erasureId)
    if (row === undefined) throw new StrongroomError('not_found')
    const { rewrite = false } = context
    if (row.finishedAt !== null && !(rewrite && row.oldCopies === 'left')) return row
    const step = stepping(context)
    if (row.personId !== null) {
      await destroyFileKeys(use, row.personId, step)
      await purgeFiles(use, erasureId, row.personId, step)
    }
    await removeBytes(use, erasureId, step)
    const { signal } = context
    const { oldCopies, ...why } = await use.oldCopies.remove({ rewrite, signal })
    const finishedAt = new Date()
    const backupsExpireAt = new Date(finishedAt.getTime() + use.backupRetentionDays * DAY_MS)
    await use.db.stores.erasures.finish(erasureId, { finishedAt, oldCopies, backupsExpireAt })
    return { ...row, ...(await use.db.stores.erasures.find(erasureId)), ...why }
  }
}

type Step = (done: number) => void

function stepping({ signal, progress }: FinishContext): Step {
  let all = 0
  return (done) => {
    signal?.throwIfAborted()
    all += done
    progress?.(all)
  }
}

async function destroyFileKeys({ db }: Dependencies, personId: string, step: Step): Promise<void> {
  // A short batch may be one of which others destroyed the rest meanwhile.
  while (await db.stores.erasures.hasFileKeys(personId)) {
    step(0)
    await db.stores.erasures.destroyFileKeys(personId, KEYS_A_STEP)
  }
}

async function purgeFiles(
  use: Dependencies,
  erasureId: string,
  personId: string,
  step: Step,
): Promise<void> {
  // One clock for looking and doing: what the one finds, the other must not leave for ever.
  const now = new Date()
  for (;;) {
    const fileIds = await use.db.stores.erasures.openByNobody(personId, FILES_A_STEP, now)
    for (const fileId of fileIds) {
      step(1)
      await purgeOne(use, { erasureId, fileId, now })
    }
    if (fileIds.length < FILES_A_STEP) return
  }
}

interface Purging {
  readonly erasureId: string
  readonly fileId: string
  readonly now: Date
}

async function purgeOne({ db }: Dependencies, { erasureId, fileId, now }: Purging): Promise<void> {
  await db.transaction(async ({ audit, erasures, files }) => {
    const found = await files.find(fileId)
    if (found === undefined) return
    await files.lockOwner(found.ownerId)
    const file = await files.lockFile(fileId)
    // A grant may have been given meanwhile by somebody who could open it, and a hold placed on that.
    if (file === undefined || (await files.isHeld(fileId))) return
    if (await erasures.isOpen(fileId, now)) return
    const sealedIds = await erasures.shredFile(fileId, 'strongroom', now)
    await erasures.addBlobs(erasureId, sealedIds)
    await erasures.adoptBlobs(erasureId, fileId, null)
    await erasures.addFile(erasureId, sealedIds.length)
    await audit.append(
      auditEvent(systemActor('shred'), {
        action: actionOf(file.kind, 'purge'),
        outcome: 'success',
        fileId,
        patientId: file.kind === 'record' ? file.ownerId : undefined,
        version: file.version,
      }),
    )
  })
}

async function removeBytes(
  { blobs, db }: Dependencies,
  erasureId: string,
  step: Step,
): Promise<void> {
  for (;;) {
    const sealedIds = await db.stores.erasures.blobs(erasureId, FILES_A_STEP)
    for (const sealedId of sealedIds) {
      step(1)
      await blobs.remove(sealedId)
      await db.stores.erasures.removeBlob(sealedId)
    }
    if (sealedIds.length < FILES_A_STEP) return
  }
}
