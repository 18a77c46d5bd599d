import { createHmac } from 'node:crypto'
import type { IndexHash } from '../keys/index-hash.js'
import type { PlacedEvent } from './coded-events.js'

/** Keys of the log, derived from the index key: who has only the database has none of them. */
export interface AuditKeys {
  readonly events: Buffer
  readonly seals: Buffer
}

export function auditKeys(hash: Pick<IndexHash, 'of'>): AuditKeys {
  return { events: hash.of('audit-event-key'), seals: hash.of('audit-seal-key') }
}

/**
 * HMAC-SHA-256 over all that an event says and where it stands (docs/FORMAT.md, "Audit"): the JSON of an
 * array in this order, null for what is absent.
 */
export function eventCode(key: Uint8Array, event: PlacedEvent): Buffer {
  const fields = [
    ...[event.writerId, event.number, event.settled],
    ...[event.eventId, event.at.getTime(), event.actorId, event.onBehalfOf, event.roles],
    ...[event.action, event.outcome, event.reason, event.fileId, event.subjectId],
    ...[event.patientId, event.grantId, event.version, event.bytes, event.ip, event.userAgent],
    ...[event.requestId, event.readSession, event.emergencyId],
  ]
  return createHmac('sha256', key).update(JSON.stringify(fields, asStored)).digest()
}

/** As the database gives it back: absent is null, and half a surrogate pair is a replacement character. */
function asStored(_name: string, value: unknown): unknown {
  if (typeof value === 'string') return value.toWellFormed()
  return value ?? null
}
