import t from 'tap'
import type { AuditEvent } from '../../../src/audit/audit-events.js'
import { defaultWebhookEvents, outboxRules } from '../../../src/outbox/outbox-rules.js'

const event = (action: string, outcome: AuditEvent['outcome'] = 'success') =>
  ({ action, outcome }) as AuditEvent

const rules = (webhookEvents: readonly string[], webhook = true, sink = true) => {
  const made = outboxRules({ webhook, sink, webhookEvents }, () => undefined)
  return (told: AuditEvent) => made.destinationsOf(told)
}

void t.test('the sink is told everything', (t) => {
  const destinationsOf = rules([], false)
  for (const outcome of ['success', 'denied', 'failed'] as const) {
    t.same(destinationsOf(event('auth.refused', outcome)), ['sink'])
  }
  t.end()
})

void t.test('webhooks are told what was named, and done', (t) => {
  const destinationsOf = rules(['file.delete', 'record.*', 'storage.*'], true, false)
  t.same(destinationsOf(event('file.delete')), ['webhook'])
  t.same(destinationsOf(event('file.delete', 'denied')), [], 'nothing was deleted')
  t.same(destinationsOf(event('file.upload')), [])
  t.same(destinationsOf(event('record.view')), ['webhook'])
  t.same(destinationsOf(event('record_type.create')), [], 'another prefix')
  t.same(destinationsOf(event('record.view', 'failed')), [])
  t.same(destinationsOf(event('storage.scrub', 'failed')), ['webhook'], 'here that is the news')
  t.end()
})

void t.test('by default: what was stored, given or destroyed; no reads', (t) => {
  const destinationsOf = rules(defaultWebhookEvents)
  t.same(destinationsOf(event('record.grant')), ['webhook', 'sink'])
  t.same(destinationsOf(event('emergency.open')), ['webhook', 'sink'])
  for (const read of ['file.view', 'record.download', 'file.list']) {
    t.same(destinationsOf(event(read)), ['sink'], read)
  }
  t.end()
})
