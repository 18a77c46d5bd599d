import { setTimeout as pause } from 'node:timers/promises'
import { isAway, type KeysUnavailableError } from './keys-unavailable.js'

interface Limits {
  /** For all attempts together. One attempt gets half, so that a hanging one leaves time for another. */
  readonly timeoutMs: number
  readonly timedOut: () => KeysUnavailableError
}

const FIRST_PAUSE_MS = 100
const LONGEST_PAUSE_MS = 1_000
/** Less time than this is not worth an attempt. */
const SHORTEST_ATTEMPT_MS = 50

/**
 * Attempts again and again what fails for an outage, with pauses that grow and are drawn at random,
 * until the time is up. What fails for any other reason fails at once.
 */
export async function withinTime<T>(
  { timeoutMs, timedOut }: Limits,
  attempt: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const deadline = performance.now() + timeoutMs
  for (let failures = 0; ; failures += 1) {
    const left = deadline - performance.now()
    try {
      return await attemptFor(Math.min(left, timeoutMs / 2), timedOut, attempt)
    } catch (error) {
      if (!isAway(error)) throw error
      const longest = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** failures)
      const ms = longest * (0.5 + Math.random() / 2)
      if (performance.now() + ms + SHORTEST_ATTEMPT_MS > deadline) throw error
      await pause(ms)
    }
  }
}

/** Ends also where a driver does not heed the signal, as while it looks for credentials. */
async function attemptFor<T>(
  ms: number,
  timedOut: () => KeysUnavailableError,
  attempt: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const over = new AbortController()
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      reject(timedOut())
      over.abort()
    }, ms)
  })
  try {
    return await Promise.race([attempt(over.signal), late])
  } finally {
    clearTimeout(timer)
  }
}
