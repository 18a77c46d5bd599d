import { systemActor } from '../audit/system-actor.js'
import { isStrongroomError } from '../errors/strongroom-error.js'
import type { PurgeFile } from '../files/delete-file.js'
import type { Transactions } from '../ports/transactions.js'
import { discardParts } from './abort-parts.js'
import { discardDocument } from './discard-document.js'
import type { DocumentStores } from './ports.js'

const BATCH = 100
const DAY_MS = 86_400_000
/** An upload that began in time may still be under way for so long. */
const GRACE_MS = DAY_MS
/** How long it is known that one was given up. */
const KEPT_MS = 30 * DAY_MS

interface Dependencies {
  readonly db: Transactions<DocumentStores>
  readonly purge: PurgeFile
  readonly onProblem: (error: unknown) => void
}

/** Gives up the places that nobody sent anything to, and the bytes that nobody confirmed. */
export function tidyDocuments(use: Dependencies) {
  const { documents } = use.db.stores
  return async ({ signal }: { readonly signal: AbortSignal }): Promise<void> => {
    const at = new Date()
    await documents.giveUp(new Date(at.getTime() - GRACE_MS))
    await documents.forget(new Date(at.getTime() - KEPT_MS))
    await discardLeftParts(use, signal)
    for (;;) {
      const rows = await documents.unconfirmed(at, BATCH)
      for (const row of rows) {
        signal.throwIfAborted()
        await discardDocument(use, systemActor('documents'), row, 'unconfirmed')
      }
      if (rows.length < BATCH) return
    }
  }
}

/** Parts of what was never made whole. */
async function discardLeftParts(use: Dependencies, signal: AbortSignal): Promise<void> {
  for (;;) {
    const rows = await use.db.stores.documentParts.leftOver(BATCH)
    let discarded = 0
    for (const row of rows) {
      signal.throwIfAborted()
      try {
        await discardParts(use, systemActor('documents'), row, 'unconfirmed')
        discarded++
      } catch (error) {
        // Placed since we looked: that one waits, and the others do not wait for it.
        if (!isStrongroomError(error, 'legal_hold')) throw error
      }
    }
    if (rows.length < BATCH || discarded === 0) return
  }
}
