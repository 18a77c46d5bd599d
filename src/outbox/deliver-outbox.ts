import type { JobHandler } from '../jobs/job-runner.js'
import { type CourierOptions, courier } from './courier.js'
import type { Destination, Receiver } from './ports.js'

export const DELIVER_OUTBOX = 'deliver-outbox'

interface Dependencies
  extends Pick<CourierOptions, 'db' | 'bell' | 'retry' | 'giveUpMs' | 'log' | 'lookEveryMs'> {
  readonly receivers: Partial<Readonly<Record<Destination, Receiver>>>
}

/** Milliseconds one node delivers before it gives the lease back, to take it again. */
const SHIFT_MS = 600_000
/** Resources that a receiver of webhooks is told of at a time. */
const WEBHOOK_LANES = 8

/**
 * Delivers what is in the outbox, and then what is put there, for a shift: a job of which the lease makes
 * sure that one node does it. With no destination it is done at once.
 */
export function deliverOutbox({ receivers: { webhook, sink }, ...use }: Dependencies): JobHandler {
  const couriers: ReturnType<typeof courier>[] = []
  if (webhook !== undefined) {
    couriers.push(
      courier({ ...use, destination: 'webhook', receiver: webhook, lanes: WEBHOOK_LANES }),
    )
  }
  if (sink !== undefined) {
    couriers.push(courier({ ...use, destination: 'sink', receiver: sink, lanes: 1 }))
  }
  return async (_job, { signal }) => {
    const untilMs = performance.now() + SHIFT_MS
    const broken = new AbortController()
    const either = AbortSignal.any([signal, broken.signal])
    const ends = await Promise.allSettled(
      couriers.map(async (carry) => {
        try {
          await carry(either, untilMs)
        } catch (error) {
          broken.abort()
          throw error
        }
      }),
    )
    for (const end of ends) if (end.status === 'rejected') throw end.reason
  }
}
