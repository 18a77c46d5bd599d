import type { Actor, AuditAction } from '../audit/audit-events.js'
import { auditEvent } from '../audit/audit-log.js'
import type { AuditStore } from '../audit/ports.js'
import type { Transactions } from '../ports/transactions.js'
import type {
  Destination,
  ListedMessage,
  MessageFilter,
  OutboxCount,
  OutboxStore,
} from './ports.js'

interface Dependencies {
  readonly db: Transactions<{ audit: AuditStore; outbox: OutboxStore }>
}

export interface OutboxListing {
  readonly counts: readonly OutboxCount[]
  readonly messages: readonly ListedMessage[]
}

/** What an operator does about messages that were not delivered; each change with its event. */
export function lookAfterOutbox({ db }: Dependencies) {
  const change =
    (action: AuditAction, what: 'replay' | 'drop') =>
    async (filter: MessageFilter, actor: Actor): Promise<number> =>
      await db.transaction(async ({ outbox, audit }) => {
        const changed = await outbox[what](filter)
        for (const [destination, count] of changed) {
          await audit.append(auditEvent(actor, facts(action, destination, count)))
        }
        return [...changed.values()].reduce((sum, count) => sum + count, 0)
      })
  return {
    list: async (filter: MessageFilter, limit: number): Promise<OutboxListing> => ({
      counts: await db.stores.outbox.count(),
      messages: await db.stores.outbox.list(filter, limit),
    }),
    /** Has them tried again, each at its old place in its resource's order; how many. */
    replay: change('outbox.replay', 'replay'),
    /** Removes them undelivered; how many. */
    drop: change('outbox.drop', 'drop'),
  }
}

export type LookAfterOutbox = ReturnType<typeof lookAfterOutbox>

function facts(action: AuditAction, destination: Destination, count: number) {
  return { action, outcome: 'success', subjectId: destination, bytes: count } as const
}
