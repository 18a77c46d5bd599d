import { Redis } from 'ioredis'
import type { WorkLog } from '../ports/work-log.js'

export interface RedisConnectionOptions {
  /** `redis:` or `rediss:`, with user and password where there are any. */
  readonly url: string
  readonly log: Pick<WorkLog, 'info' | 'warn'>
  /** Milliseconds after which a Redis that does not answer counts as away. */
  readonly timeLimitMs?: number
}

/** The one place that knows the driver. */
export interface RedisConnection {
  isThere(): boolean
  /**
   * Undefined, at once, while Redis is away; and where it turns out to be, after the time limit. It is not
   * known then whether it was done. Never rejects: `work` **must not** resolve to undefined.
   */
  run<T>(work: (client: Redis) => Promise<T>): Promise<T | undefined>
  /** What is published on the channel while Redis is there, by whomever. */
  subscribe(channel: string, listener: (message: string) => void): void
  close(): Promise<void>
}

const LONGEST_PAUSE_MS = 5_000
/** Milliseconds between two lines that say that Redis refuses. */
const SAY_EVERY_MS = 60_000

/** Milliseconds until it is tried again: 100, doubled, up to 5 s. */
const pauseMs = (times: number) => Math.min(100 * 2 ** Math.min(times - 1, 10), LONGEST_PAUSE_MS)

/** Reconnects for ever. Nothing waits for a connection: what cannot be sent now is not sent. */
function connect(url: string): Redis {
  return new Redis(url, {
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    connectTimeout: 2_000,
    // Of the handshake: what is asked of a connection that stands has a limit of its own.
    commandTimeout: 2_000,
    keepAlive: 10_000,
    retryStrategy: pauseMs,
    // After a failover the old primary only reads: the name leads to the new one.
    reconnectOnError: ({ message }) => message.startsWith('READONLY'),
  })
}

/**
 * A connection that is there or is not. A Redis that does not answer in time is taken for gone: the
 * connection is dropped, and whoever comes next does not wait, until a new one has answered.
 */
export function redisConnection(options: RedisConnectionOptions): RedisConnection {
  const { url, log, timeLimitMs = 200 } = options
  const client = connect(url)
  let subscriber: Redis | undefined
  let state: 'new' | 'there' | 'away' | 'closed' = 'new'
  const lose = (error: unknown) => {
    if (state === 'away' || state === 'closed') return
    state = 'away'
    log.warn({ reason: reasonOf(error) }, 'Redis is away: each node goes on by itself')
  }
  let saidRefusedAt = -Infinity
  const refused = (error: unknown) => {
    if (performance.now() - saidRefusedAt < SAY_EVERY_MS) return
    saidRefusedAt = performance.now()
    log.warn({ reason: reasonOf(error) }, 'Redis refuses: each node goes on by itself')
  }
  client.on('ready', () => {
    if (state === 'closed') return
    state = 'there'
    log.info({}, 'Redis is there')
  })
  client.on('error', lose)
  client.on('close', () => {
    lose(undefined)
  })

  return {
    isThere: () => state === 'there',
    run: async (work) => {
      if (state !== 'there') return undefined
      try {
        return await inTime(work(client), timeLimitMs)
      } catch (error) {
        // An answer all the same: what Redis refuses costs no time.
        if (error instanceof Error && error.name === 'ReplyError') {
          refused(error)
          return undefined
        }
        lose(error)
        // Connects anew, unless that is under way.
        if (client.status === 'ready') client.disconnect(true)
        return undefined
      }
    },
    subscribe: (channel, listener) => {
      subscriber ??= listening(url)
      const messages = subscriber
      messages.on('message', (from: string, message: string) => {
        if (from === channel) listener(message)
      })
      // After each connection: what the driver would do by itself fails with the first.
      messages.on('ready', () => {
        messages.subscribe(channel).catch(() => {
          messages.disconnect(true)
        })
      })
    },
    close: async () => {
      state = 'closed'
      for (const each of [client, subscriber]) each?.disconnect()
      await Promise.resolve()
    },
  }
}

/** Messages need a connection of their own. What becomes of it, the first one says. */
function listening(url: string): Redis {
  return connect(url).on('error', () => undefined)
}

class TooLate extends Error {}

async function inTime<T>(work: Promise<T>, limitMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      // An answer that came while this process was busy is read before.
      setImmediate(() => {
        setImmediate(reject, new TooLate())
      })
    }, limitMs)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}

/** Of messages nothing is told: they may repeat what was sent. */
function reasonOf(error: unknown): string {
  if (error instanceof TooLate) return 'no answer in time'
  if (!(error instanceof Error)) return 'connection closed'
  const { code } = error as Error & { readonly code?: unknown }
  return typeof code === 'string' ? code : (/^[A-Z]+(?= )/.exec(error.message)?.[0] ?? error.name)
}
