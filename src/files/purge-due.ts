import { systemActor } from '../audit/system-actor.js'
import type { Transactions } from '../ports/transactions.js'
import type { PurgeFile } from './delete-file.js'
import type { FileStores } from './ports.js'

const BATCH = 100

interface Dependencies {
  readonly db: Transactions<FileStores>
  readonly purge: PurgeFile
}

export interface PurgeReport {
  /** Files whose keys and bytes were destroyed now. */
  readonly purged: number
  /** Files whose time has come and that a hold keeps. */
  readonly held: number
}

export interface PurgeContext {
  readonly signal?: AbortSignal
  readonly progress?: (done: number) => void
}

export type PurgeDue = (now?: Date, context?: PurgeContext) => Promise<PurgeReport>

/** Purges every deleted file whose retention time is over and that no hold keeps. */
export function purgeDue({ db, purge }: Dependencies): PurgeDue {
  return async (now = new Date(), { signal, progress } = {}) => {
    let purged = 0
    for (;;) {
      const fileIds = await db.stores.files.purgeable(now, BATCH)
      for (const fileId of fileIds) {
        signal?.throwIfAborted()
        if ((await purge(systemActor('purge'), { fileId }, now)) === 'purged') purged += 1
        progress?.(purged)
      }
      if (fileIds.length < BATCH) return { purged, held: await db.stores.files.heldBack(now) }
    }
  }
}
