import type { AuditEvent } from '../audit/audit-events.js'
import type { Destination, OutboxRules } from './ports.js'

/**
 * What a receiver of webhooks is told where `WEBHOOK_EVENTS` says nothing: what was stored, changed
 * hands or was destroyed, and what somebody should look at. Reads are for the sink.
 */
export const defaultWebhookEvents: readonly string[] = [
  'file.upload',
  'file.version_add',
  'file.delete',
  'file.restore',
  'file.purge',
  'file.shred',
  'document.upload',
  'object.upload',
  'object.delete',
  'record.upload',
  'record.version_add',
  'record.delete',
  'record.restore',
  'record.purge',
  'record.shred',
  'record.grant',
  'record.revoke',
  'record.team_grant',
  'person.shred',
  'emergency.*',
  'alert.*',
]

/** Of these a failure is the news; of all else only what was done. */
const worksByItself = /^(?:alert|keys|storage)\./

interface Settings {
  readonly webhook: boolean
  readonly sink: boolean
  /** Actions, or `prefix.*`. */
  readonly webhookEvents: readonly string[]
}

/** A refusal is told to the sink alone: a webhook `file.delete` has to mean that a file was deleted. */
export function outboxRules(
  { webhook, sink, webhookEvents }: Settings,
  committed: () => void,
): OutboxRules {
  const isTold = matcher(webhookEvents)
  return {
    committed,
    destinationsOf: ({ action, outcome }: AuditEvent): Destination[] => [
      ...(webhook && isTold(action) && isDone(action, outcome) ? (['webhook'] as const) : []),
      ...(sink ? (['sink'] as const) : []),
    ],
  }
}

function isDone(action: string, outcome: AuditEvent['outcome']): boolean {
  return outcome === 'success' || (outcome === 'failed' && worksByItself.test(action))
}

function matcher(patterns: readonly string[]): (action: string) => boolean {
  const names = new Set(patterns)
  return (action) => names.has(action) || names.has(`${action.slice(0, action.indexOf('.'))}.*`)
}
