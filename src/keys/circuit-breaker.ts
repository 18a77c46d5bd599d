import { isAway, type KeysUnavailableError } from './keys-unavailable.js'

/** How long nobody is asked again after an outage was met. */
export const OPEN_MS = 5_000

/**
 * Lets work through while it succeeds. After an outage every call fails at once for some seconds, then
 * one call at a time tries: an outage costs one request its time limit, not all of them.
 * @param again the error of a call that was not made, from that of the one that was
 */
export function circuitBreaker(
  again: (met: KeysUnavailableError) => KeysUnavailableError,
  openMs = OPEN_MS,
): <T>(work: () => Promise<T>) => Promise<T> {
  let met: KeysUnavailableError | undefined
  let closedUntil = 0
  let trying = false
  return async (work) => {
    const isTrial = met !== undefined
    if (met !== undefined) {
      if (trying || performance.now() < closedUntil) throw again(met)
      trying = true
    }
    try {
      const result = await work()
      met = undefined
      return result
    } catch (error) {
      // A refusal is an answer: whoever gives it is there.
      met = isAway(error) ? error : undefined
      closedUntil = performance.now() + openMs
      throw error
    } finally {
      if (isTrial) trying = false
    }
  }
}
