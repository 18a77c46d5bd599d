import type { Actor } from '../audit/audit-events.js'
import type { Transactions } from '../ports/transactions.js'
import type { FileStores } from './ports.js'

const BATCH = 100

/** The service itself, where no person asked. */
export function systemActor(requestId: string): Actor {
  return { userId: 'strongroom', roles: ['service'], ip: '-', userAgent: '-', requestId }
}

interface Dependencies {
  readonly db: Transactions<FileStores>
  readonly purge: (actor: Actor, file: { readonly fileId: string }) => Promise<void>
}

/** Purges every deleted file whose retention time is over; how many there were. Stops when `signal` aborts. */
export function purgeDue({ db, purge }: Dependencies) {
  return async (now = new Date(), signal?: AbortSignal): Promise<number> => {
    let count = 0
    for (;;) {
      const fileIds = await db.stores.files.purgeable(now, BATCH)
      for (const fileId of fileIds) {
        signal?.throwIfAborted()
        await purge(systemActor('purge'), { fileId })
      }
      count += fileIds.length
      if (fileIds.length < BATCH) return count
    }
  }
}
