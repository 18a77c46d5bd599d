import { ConnectionError, StrongroomError } from './errors.js'

export interface RetryOptions {
  /** Attempts in all, 4 if not given; 1: none is repeated. */
  readonly attempts?: number | undefined
  /** Milliseconds the first wait is at most, if the service says nothing; each further one twice that. 500. */
  readonly baseMs?: number | undefined
  /** Milliseconds any wait is at most; who is told to wait for longer fails at once. 30,000. */
  readonly mostMs?: number | undefined
}

/**
 * When a call may be made again. `always`: doing it twice is as doing it once. `refused`: only where the service
 * said that it did nothing. `never`: what is to be sent cannot be sent again.
 */
export type Repeatable = 'always' | 'refused' | 'never'

interface Attempts {
  readonly retry: RetryOptions
  readonly signal: AbortSignal | undefined
  /** Asked after each failure. */
  readonly repeatable: () => Repeatable
}

/** Runs `work` until it succeeds or must not be repeated; then throws its last error, or the signal's reason. */
export async function retrying<T>(work: () => Promise<T>, options: Attempts): Promise<T> {
  const { retry, signal, repeatable } = options
  for (let attempt = 1; ; attempt++) {
    signal?.throwIfAborted()
    try {
      return await work()
    } catch (error) {
      signal?.throwIfAborted()
      const wait = mayRepeat(error, repeatable()) ? waitBefore(error, attempt, retry) : undefined
      if (wait === undefined) throw error
      await pause(wait, signal)
    }
  }
}

/** Whether `error` is one that passes, and the call one that may be made again after it. */
export function mayRepeat(error: unknown, repeatable: Repeatable): boolean {
  if (repeatable === 'never') return false
  if (error instanceof ConnectionError) return repeatable === 'always'
  if (!(error instanceof StrongroomError)) return false
  const { status, code, retryAfter } = error
  // Whether the change was made is not known to the service either.
  if (code === 'commit_unknown' && repeatable !== 'always') return false
  if (status === 429) return true
  return retryAfter !== undefined && (status === 503 || code === 'in_progress')
}

/**
 * Milliseconds to wait after the `attempt`-th failure: what the service says and up to as much again of `baseMs`,
 * else a random part of a wait that doubles, so that many clients do not come back at once. Undefined: no more.
 */
export function waitBefore(
  error: unknown,
  attempt: number,
  { attempts = 4, baseMs = 500, mostMs = 30_000 }: RetryOptions,
  random = Math.random,
): number | undefined {
  if (attempt >= attempts) return undefined
  const said = error instanceof StrongroomError ? error.retryAfter : undefined
  if (said === undefined) return random() * Math.min(baseMs * 2 ** (attempt - 1), mostMs)
  return said * 1000 > mostMs ? undefined : said * 1000 + random() * baseMs
}

/** Milliseconds; rejects with the signal's reason as soon as it aborts. */
export function pause(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const over = () => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', over)
      if (signal?.aborted === true) reject(signal.reason as Error)
      else resolve()
    }
    const timer = setTimeout(over, milliseconds)
    signal?.addEventListener('abort', over)
    if (signal?.aborted === true) over()
  })
}
