import { backoffMs, type RetryTimes } from './backoff.js'
import type {
  Destination,
  OutboxStore,
  Receipt,
  Receiver,
  StoredEvent,
  WaitingMessage,
} from './ports.js'
import type { Presence } from './presence.js'

export interface DeliverOptions {
  readonly outbox: OutboxStore
  readonly destination: Destination
  readonly receiver: Receiver
  readonly there: Presence
  readonly retry: RetryTimes
  /** Milliseconds after which a message that still fails is given up. */
  readonly giveUpMs: number
}

/** However old a message is, it was tried so often before it is given up. */
const LEAST_ATTEMPTS = 5

type Sendable = WaitingMessage & { readonly event: StoredEvent }

/**
 * Sends messages one request after the other, and stops at the first that is not taken: those behind it
 * wait for it. False where several were refused at once, of which any may be to blame.
 */
export function deliver(use: DeliverOptions) {
  const { outbox, destination, receiver, there } = use

  return async (messages: readonly WaitingMessage[], signal: AbortSignal): Promise<boolean> => {
    const sendable = await thoseOfTheLog(messages)
    for (let at = 0; at < sendable.length; at += receiver.most) {
      // Another lane may have found meanwhile that nobody is there.
      if (signal.aborted || (at > 0 && there.pausedMs() > 0)) return true
      const parcel = sendable.slice(at, at + receiver.most)
      const receipt = await receiver.send(
        parcel.map(({ event }) => event),
        signal,
      )
      if (receipt === undefined) return true
      if (receipt.kind === 'refused' && parcel.length > 1) return false
      if (!(await settle(parcel, receipt))) return true
    }
    return true
  }

  /** Whether the next may follow. */
  async function settle(parcel: readonly Sendable[], receipt: Receipt): Promise<boolean> {
    const [first] = parcel
    if (first === undefined) return true
    if (receipt.kind !== 'away') {
      if (there.answered()) await outbox.hasten(destination)
      there.setGone(receipt.kind === 'gone')
    }
    switch (receipt.kind) {
      case 'delivered':
        await outbox.delivered(parcel.map(({ id }) => id))
        return true
      case 'gone':
        await outbox.died(first.id, new Date(), receipt.reason)
        return true
      case 'away':
        there.failed(receipt.reason, receipt.retryAfterMs)
        await postpone(first, receipt.reason, receipt.retryAfterMs)
        return false
      case 'refused':
        await postpone(first, receipt.reason)
        return false
    }
  }

  async function postpone(
    { id, attempts, createdAt }: WaitingMessage,
    reason: string,
    retryAfterMs = 0,
  ): Promise<void> {
    const now = new Date()
    const madeBefore = new Date(now.getTime() - use.giveUpMs)
    if (createdAt <= madeBefore && attempts + 1 >= LEAST_ATTEMPTS) {
      await outbox.died(id, now, reason)
      // What is as old has waited as long for the same one.
      if (there.isAway()) await outbox.allDied(destination, madeBefore, now, reason)
      return
    }
    const asked = Math.min(retryAfterMs, use.retry.maxMs)
    const wait = Math.max(backoffMs(attempts + 1, use.retry), asked)
    await outbox.failed(id, new Date(now.getTime() + wait), reason)
  }

  /** An event that is no longer in the log cannot be told any more. */
  async function thoseOfTheLog(messages: readonly WaitingMessage[]): Promise<Sendable[]> {
    const found: Sendable[] = []
    for (const message of messages) {
      const { event } = message
      if (event === undefined) await outbox.died(message.id, new Date(), 'event_gone')
      else found.push({ ...message, event })
    }
    return found
  }
}
