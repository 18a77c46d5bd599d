import { createHmac } from 'node:crypto'
import { Agent } from 'undici'
import type { Receiver, StoredEvent } from '../outbox/ports.js'
import type { TracedCall } from '../ports/tracing.js'
import { KEEP_ALIVE_MS, postEvents } from './post-events.js'

interface Options {
  readonly url: string
  /** Keys of 24 to 64 bytes. Each signs, so that a receiver may know the old one or the new. */
  readonly secrets: readonly Uint8Array[]
  readonly timeoutMs: number
  readonly traced?: TracedCall | undefined
}

/**
 * A receiver of webhooks as the Standard Webhooks specification has them (standardwebhooks.com, version 1):
 * one event a request, its id the same at each attempt.
 */
export function webhookReceiver({ url, secrets, timeoutMs, traced }: Options): Receiver {
  const agent = new Agent({ connections: 8, keepAliveTimeout: KEEP_ALIVE_MS })
  return {
    most: 1,
    send: async ([event], signal) => {
      if (event === undefined) return { kind: 'delivered' }
      const body = JSON.stringify(webhookBody(event))
      const headers = signedHeaders(secrets, event.eventId, new Date(), body)
      return await postEvents(
        { destination: 'webhook', url, headers, body },
        { agent, timeoutMs, traced },
        signal,
      )
    },
    close: () => agent.destroy(),
  }
}

/** What was done, in ids and numbers: who wants more asks the service, with rights of their own. */
export function webhookBody(event: StoredEvent) {
  return {
    type: event.action,
    timestamp: event.at.toISOString(),
    data: {
      event_id: event.eventId,
      outcome: event.outcome,
      reason: event.reason,
      actor_id: event.actorId,
      on_behalf_of: event.onBehalfOf,
      file_id: event.fileId,
      version: event.version,
      patient_id: event.patientId,
      subject_id: event.subjectId,
      grant_id: event.grantId,
      emergency_id: event.emergencyId,
      bytes: event.bytes,
    },
  }
}

/** Signed is `id.timestamp.body`, the time in whole seconds; a signature for each secret. */
export function signedHeaders(
  secrets: readonly Uint8Array[],
  id: string,
  at: Date,
  body: string,
): Record<string, string> {
  const timestamp = String(Math.floor(at.getTime() / 1_000))
  const signatures = secrets.map(
    (secret) =>
      `v1,${createHmac('sha256', secret).update(`${id}.${timestamp}.${body}`).digest('base64')}`,
  )
  return {
    'webhook-id': id,
    'webhook-timestamp': timestamp,
    'webhook-signature': signatures.join(' '),
  }
}
