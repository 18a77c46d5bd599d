import { setTimeout as wait } from 'node:timers/promises'

/** Waits until something holds; the milliseconds it took. Fails after `limit` milliseconds. */
export async function eventually(
  what: string,
  holds: () => Promise<boolean> | boolean,
  limit = 10_000,
): Promise<number> {
  const start = performance.now()
  while (!(await holds())) {
    if (performance.now() - start > limit) throw new Error(`${what}: not within ${limit} ms`)
    await wait(50)
  }
  return performance.now() - start
}
