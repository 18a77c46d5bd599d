/** Wakes whoever waits for it. A ring while nobody waits is not lost to who asks by `rung`. */
export interface Bell {
  ring(): void
  /** How often it has rung. */
  rung(): number
  /** Resolves when it has rung more often than `seen`, the time is over, or `signal` aborts. */
  wait(seen: number, ms: number, signal: AbortSignal): Promise<void>
}

export function bell(): Bell {
  let count = 0
  const waiting = new Set<() => void>()
  return {
    ring: () => {
      count += 1
      for (const wake of waiting) wake()
    },
    rung: () => count,
    wait: async (seen, ms, signal) => {
      if (count !== seen || signal.aborted) return
      await new Promise<void>((resolve) => {
        const wake = () => {
          clearTimeout(timer)
          waiting.delete(wake)
          signal.removeEventListener('abort', wake)
          resolve()
        }
        const timer = setTimeout(wake, ms)
        waiting.add(wake)
        signal.addEventListener('abort', wake)
      })
    },
  }
}
