import type { Config } from './config.js'
import type { AllStores } from './db/stores.js'
import { auditSink } from './integrations/audit-sink.js'
import { webhookReceiver } from './integrations/webhook-receiver.js'
import { bell } from './outbox/bell.js'
import { DELIVER_OUTBOX, deliverOutbox } from './outbox/deliver-outbox.js'
import { lookAfterOutbox } from './outbox/look-after-outbox.js'
import { outboxRules } from './outbox/outbox-rules.js'
import type { OutboxRules } from './outbox/ports.js'
import type { TracedCall } from './ports/tracing.js'
import type { Transactions } from './ports/transactions.js'
import type { WorkLog } from './ports/work-log.js'

type Settings = Config['outbox']

const TIMEOUT_MS = 10_000
/** From the end of a shift to the next: none, so that nothing waits between them. */
const BETWEEN_SHIFTS_MS = 0

/** Which events are to be told elsewhere; nothing where nobody is. */
export function rulesOf(settings: Settings, committed: () => void): OutboxRules | undefined {
  const { webhook, sink, webhookEvents } = settings
  if (webhook === undefined && sink === undefined) return undefined
  return outboxRules(
    { webhook: webhook !== undefined, sink: sink !== undefined, webhookEvents },
    committed,
  )
}

/** The bell that commits ring, before there are stores to commit with. */
export function openOutbox(settings: Settings) {
  const rings = bell()
  return {
    rings,
    rules: rulesOf(settings, () => {
      rings.ring()
    }),
  }
}

interface Parts {
  readonly settings: Settings
  readonly outbox: ReturnType<typeof openOutbox>
  readonly db: Transactions<AllStores>
  readonly log: WorkLog
  readonly traced: TracedCall | undefined
}

/** Telling others what happened: webhooks, and the portal's own log. */
export function wireOutbox({ settings, outbox: { rings, rules }, db, log, traced }: Parts) {
  const { webhook, sink, retry, giveUpMs } = settings
  const receivers = {
    ...(webhook === undefined
      ? {}
      : { webhook: webhookReceiver({ ...webhook, timeoutMs: TIMEOUT_MS, traced }) }),
    ...(sink === undefined ? {} : { sink: auditSink({ ...sink, timeoutMs: TIMEOUT_MS, traced }) }),
  }
  return {
    services: { lookAfterOutbox: lookAfterOutbox({ db }) },
    // Where nobody is told any more, what is left of the job of before is done at once, and removed.
    jobHandlers: {
      [DELIVER_OUTBOX]: deliverOutbox({ db, receivers, bell: rings, retry, giveUpMs, log }),
    },
    recurring: rules === undefined ? [] : [{ kind: DELIVER_OUTBOX, everyMs: BETWEEN_SHIFTS_MS }],
    close: async () => {
      await Promise.all(Object.values(receivers).map((receiver) => receiver.close()))
    },
  }
}
