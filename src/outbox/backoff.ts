export interface RetryTimes {
  /** Milliseconds until the second attempt. */
  readonly firstMs: number
  /** The longest wait between two. */
  readonly maxMs: number
}

/**
 * Milliseconds until what failed `failures` times is tried again: doubled each time up to the longest,
 * of which a random half, so that what failed together does not come back together.
 * @param random from 0 up to 1
 */
export function backoffMs(
  failures: number,
  { firstMs, maxMs }: RetryTimes,
  random: () => number = Math.random,
): number {
  const whole = Math.min(firstMs * 2 ** Math.min(Math.max(failures - 1, 0), 40), maxMs)
  return Math.round(whole * (0.5 + random() / 2))
}
