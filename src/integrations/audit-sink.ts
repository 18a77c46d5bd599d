import { createHash } from 'node:crypto'
import { Agent } from 'undici'
import type { Receiver, StoredEvent } from '../outbox/ports.js'
import type { TracedCall } from '../ports/tracing.js'
import { KEEP_ALIVE_MS, postEvents } from './post-events.js'

interface Options {
  readonly url: string
  readonly token: string | undefined
  readonly timeoutMs: number
  readonly traced?: TracedCall | undefined
}

/** Events in one request. */
const MOST_EVENTS = 100

/**
 * The portal's own log: a JSON array of events in their order, each with every field. `Idempotency-Key`
 * is the same for the same events.
 */
export function auditSink({ url, token, timeoutMs, traced }: Options): Receiver {
  const agent = new Agent({ connections: 1, keepAliveTimeout: KEEP_ALIVE_MS })
  return {
    most: MOST_EVENTS,
    send: async (events, signal) => {
      const headers = {
        'idempotency-key': keyOf(events),
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      }
      const body = JSON.stringify(events.map(sinkEvent))
      const receipt = await postEvents(
        { destination: 'sink', url, headers, body },
        { agent, timeoutMs, traced },
        signal,
      )
      // A log that says it is gone is moved or broken: nothing is thrown away for that.
      return receipt?.kind === 'gone' ? { ...receipt, kind: 'away' } : receipt
    },
    close: () => agent.destroy(),
  }
}

function keyOf(events: readonly StoredEvent[]): string {
  const hash = createHash('sha256')
  for (const { eventId } of events) hash.update(eventId)
  return hash.digest('base64url')
}

/** As docs/AUDIT-EVENTS.md names the fields; what an event does not have is null. */
export function sinkEvent(event: StoredEvent) {
  return {
    event_id: event.eventId,
    at: event.at.toISOString(),
    actor_id: event.actorId,
    on_behalf_of: event.onBehalfOf ?? null,
    roles: event.roles,
    action: event.action,
    outcome: event.outcome,
    reason: event.reason ?? null,
    file_id: event.fileId ?? null,
    version: event.version ?? null,
    patient_id: event.patientId ?? null,
    subject_id: event.subjectId ?? null,
    grant_id: event.grantId ?? null,
    bytes: event.bytes ?? null,
    read_session: event.readSession ?? null,
    emergency_id: event.emergencyId ?? null,
    ip: event.ip,
    user_agent: event.userAgent,
    request_id: event.requestId,
    writer_id: event.writerId,
    writer_number: event.writerNumber,
    settled: event.settled,
    mac: Buffer.from(event.mac).toString('base64'),
  }
}
