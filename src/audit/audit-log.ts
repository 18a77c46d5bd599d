import { randomUUID } from 'node:crypto'
import { isStrongroomError, StrongroomError } from '../errors/strongroom-error.js'
import type { Transactions } from '../ports/transactions.js'
import type { Actor, AuditEvent, AuditFacts } from './audit-events.js'
import type { AuditStore } from './ports.js'

/** Makes an event of who and what; `append` it in the transaction of the change. */
export function auditEvent(actor: Actor, facts: AuditFacts): AuditEvent {
  const { userId, service, ...rest } = actor
  const who = service === undefined ? { actorId: userId } : { actorId: service, onBehalfOf: userId }
  return { eventId: randomUUID(), at: new Date(), ...who, ...rest, ...facts }
}

export interface AuditLog {
  /**
   * Writes an event that no change goes with: a refusal, a listing.
   * @throws StrongroomError `audit_unavailable`, or `database_moved`: the caller answers nothing it has
   * not recorded
   */
  note(actor: Actor, facts: AuditFacts): Promise<void>
}

export function auditLog(db: Transactions<{ audit: AuditStore }>): AuditLog {
  return {
    note: async (actor, facts) => {
      try {
        await db.stores.audit.append(auditEvent(actor, facts))
      } catch (cause) {
        // The log is there: what was asked for cannot be written into it, or anywhere.
        if (isStrongroomError(cause, 'invalid_field', 'database_moved')) throw cause
        throw new StrongroomError('audit_unavailable', { cause, retryAfter: 2 })
      }
    },
  }
}
