import { Redis } from 'ioredis'

/** What a Redis says when it is asked once. */
export type RedisFacts =
  | { readonly isThere: true; readonly version: string; readonly ms: number }
  /** As the driver or Redis call it: `ECONNREFUSED`, `WRONGPASS`. */
  | { readonly isThere: false; readonly reason: string }

const LIMIT_MS = 2_000

/** Connects, asks, and lets go. */
export async function askRedis(url: string): Promise<RedisFacts> {
  const client = new Redis(url, {
    ...{ lazyConnect: true, enableOfflineQueue: false, maxRetriesPerRequest: 0 },
    ...{ connectTimeout: LIMIT_MS, commandTimeout: LIMIT_MS, retryStrategy: () => null },
  })
  let failure: unknown
  client.on('error', (error) => {
    failure ??= error
  })
  try {
    await client.connect()
    const begun = performance.now()
    const info = await client.info('server')
    const version = /^redis_version:([\w.]+)/m.exec(info)?.[1] ?? 'of unknown version'
    return { isThere: true, version, ms: Math.round(performance.now() - begun) }
  } catch (error) {
    return { isThere: false, reason: reasonOf(failure ?? error) }
  } finally {
    client.disconnect()
  }
}

/** Of messages the first word alone: the rest may repeat what was sent. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown'
  const { code } = error as Error & { readonly code?: unknown }
  return typeof code === 'string' ? code : (/^[A-Z]+(?= )/.exec(error.message)?.[0] ?? error.name)
}
