import { createHmac } from 'node:crypto'
import type { IndexHash } from '../keys/index-hash.js'
import type { AuditEvent } from './audit-events.js'

/** The writer of events that had no key to code them with: before there were codes, or keys were lost. */
export const UNSIGNED_WRITER = '00000000-0000-0000-0000-000000000000'

/** Where an event stands in the log. */
export interface EventPlace {
  /** The process that wrote it: a random UUID for each start. */
  readonly writerId: string
  /** That writer's number for it, from 1. */
  readonly number: number
  /** Every number up to this one was certain to the writer when it wrote this. */
  readonly settled: number
}

export type PlacedEvent = AuditEvent & EventPlace

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
