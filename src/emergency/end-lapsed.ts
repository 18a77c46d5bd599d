import { systemActor } from '../audit/system-actor.js'
import type { Transactions } from '../ports/transactions.js'
import { endEmergency } from './end-emergency.js'
import type { EmergencyStores } from './ports.js'

export const END_EMERGENCIES = 'end-emergencies'

/** How many are asked for at once. */
const BATCH = 100

interface Dependencies {
  readonly db: Transactions<EmergencyStores>
}

/**
 * Puts the end of those past it on record, so that log and webhooks tell of it. Nothing waits for this: each
 * use looks at the time itself.
 */
export function endLapsed({ db }: Dependencies) {
  return async ({ signal }: { readonly signal: AbortSignal }): Promise<void> => {
    const now = new Date()
    for (;;) {
      const lapsed = await db.stores.emergencies.lapsed(now, BATCH)
      for (const emergencyId of lapsed) {
        signal.throwIfAborted()
        await db.transaction(async (stores) => {
          const row = await stores.emergencies.lock(emergencyId)
          // Ended by somebody meanwhile.
          if (row === undefined || row.endedAt !== null) return
          const actor = systemActor(END_EMERGENCIES)
          await endEmergency(stores, actor, row, { at: row.endsAt, expired: true })
        })
      }
      if (lapsed.length < BATCH) return
    }
  }
}
