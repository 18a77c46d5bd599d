import { systemActor } from '../audit/system-actor.js'
import type { PurgeFile } from '../files/delete-file.js'
import type { Transactions } from '../ports/transactions.js'
import { discardDocument } from './discard-document.js'
import type { DocumentStores } from './ports.js'

const BATCH = 100

interface Dependencies {
  readonly db: Transactions<DocumentStores>
  readonly purge: PurgeFile
}

/** Gives up the places that nobody sent anything to, and the bytes that nobody confirmed. */
export function tidyDocuments(use: Dependencies) {
  const { documents } = use.db.stores
  return async ({ signal }: { readonly signal: AbortSignal }): Promise<void> => {
    const at = new Date()
    await documents.giveUp(at)
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
