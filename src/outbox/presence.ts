import type { WorkLog } from '../ports/work-log.js'
import { backoffMs, type RetryTimes } from './backoff.js'
import type { Destination } from './ports.js'

export interface PresenceOptions {
  readonly destination: Destination
  readonly retry: RetryTimes
  /** Failures in a row after which it counts as away: 1 to 3. */
  readonly mostFailures: number
  readonly log: Pick<WorkLog, 'info' | 'warn'>
}

/** Failures in a row after which an operator is told: one alone is a connection that was closed. */
const TELL_AFTER = 3
/** The longest an absent destination is left alone before one message tries, unless it says longer. */
const MAX_PAUSE_MS = 60_000

/**
 * Whether a destination is there. One that is away costs a request now and then, not one for each
 * message that waits for it; the log says so when it goes and when it is back.
 */
export function presence({ destination, retry, mostFailures, log }: PresenceOptions) {
  let failures = 0
  let pauses = 0
  let pausedUntil = 0
  let isKnown = false
  let isGone = false
  const isAway = () => failures >= mostFailures
  const pause = (ms: number) => {
    pausedUntil = Math.max(pausedUntil, performance.now() + ms)
  }
  return {
    isAway,
    /** How often it was left alone since it is away. */
    pauses: () => pauses,
    /** Milliseconds it is to be left alone. */
    pausedMs: () => Math.max(pausedUntil - performance.now(), 0),
    /**
     * It gave an answer that says it is there, if perhaps not the one that was hoped for. True where that
     * was not known: what failed before may be tried at once.
     */
    answered: (): boolean => {
      const isNews = !isKnown || isAway()
      if (isAway()) pausedUntil = 0
      if (failures >= TELL_AFTER) {
        log.warn({ destination, failures }, 'a destination of events is back')
      }
      isKnown = true
      failures = 0
      pauses = 0
      return isNews
    },
    failed: (reason: string, retryAfterMs = 0): void => {
      const wasPaused = performance.now() < pausedUntil
      failures += 1
      if (retryAfterMs > 0) pause(Math.min(retryAfterMs, retry.maxMs))
      if (failures === TELL_AFTER) {
        log.warn({ destination, reason }, 'a destination of events is away: they wait for it')
      }
      // What was under way when the pause began says nothing new.
      if (!isAway() || wasPaused) return
      pauses += 1
      const maxMs = Math.min(retry.maxMs, MAX_PAUSE_MS)
      pause(backoffMs(pauses, { firstMs: retry.firstMs, maxMs }))
    },
    /** Whether it wants nothing ever again: said once. */
    setGone: (says: boolean): void => {
      const isNews = says && !isGone
      isGone = says
      if (!isNews) return
      log.warn({ destination }, 'a destination of events says it is gone: they become dead letters')
    },
  }
}

export type Presence = ReturnType<typeof presence>
