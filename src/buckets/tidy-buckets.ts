import type { Transactions } from '../ports/transactions.js'
import type { BucketStores } from './ports.js'

/** An upload that began in time may still be under way for so long. */
const GRACE_MS = 86_400_000
const BATCH = 100

type Dependencies = { readonly db: Transactions<Pick<BucketStores, 'folders' | 'places'>> }

export type TidyFolder = (folderHash: Buffer) => Promise<void>

/**
 * Removes a folder in which nothing is left, and those around it in which nothing is left then. Each by itself: no
 * two are locked at once, in which others could be waiting for each other.
 */
export function tidyFolder({ db }: Dependencies): TidyFolder {
  return async (folderHash) => {
    let next: Buffer | undefined = folderHash
    while (next !== undefined) {
      const hash: Buffer = next
      next = await db.transaction(({ folders }) => folders.removeEmpty(hash, new Date()))
    }
  }
}

/** Gives up the places that nobody sent anything to, and removes the empty folders that were left. */
export function tidyBuckets({ db }: Dependencies) {
  const tidy = tidyFolder({ db })
  return async ({ signal }: { readonly signal: AbortSignal }): Promise<void> => {
    await db.stores.places.tidy(new Date(Date.now() - GRACE_MS))
    for (;;) {
      const emptied = await db.stores.folders.emptied(BATCH)
      for (const folderHash of emptied) {
        signal.throwIfAborted()
        await tidy(folderHash)
      }
      if (emptied.length < BATCH) return
    }
  }
}
