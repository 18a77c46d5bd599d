import type { Config } from './config.js'
import type { IndexHash } from './keys/index-hash.js'
import type { SharedAnswers, SharedCounts, Signals } from './ports/shared-ports.js'
import type { WorkLog } from './ports/work-log.js'
import { answersKey, redisAnswers } from './redis/redis-answers.js'
import { redisCounts } from './redis/redis-counts.js'
import { redisNames } from './redis/redis-names.js'
import { redisSignals } from './redis/redis-signals.js'

/** Milliseconds other nodes may have an answer of the identity provider. */
const KEEP_ANSWERS_MS = 30_000

/** What the nodes of a deployment have in common beside the database; absent: each goes on by itself. */
export interface Shared {
  readonly counts: SharedCounts | undefined
  readonly answers: SharedAnswers | undefined
  readonly signals: Signals
  /** Told with readiness, which does not rest on it. */
  isThere(): Readonly<Record<string, boolean>>
  close(): Promise<void>
}

interface Parts {
  readonly config: Pick<Config, 'redisUrl'>
  readonly hash: Pick<IndexHash, 'of'>
  readonly log: WorkLog
  /** A command does one thing and shares nothing. */
  readonly background: boolean
}

export async function wireRedis({ config, hash, log, background }: Parts): Promise<Shared> {
  const url = background ? config.redisUrl : undefined
  if (url === undefined) return nothing
  // The client is loaded where there is a Redis.
  const { redisConnection } = await import('./redis/redis-connection.js')
  const redis = redisConnection({ url, log })
  const nameOf = redisNames(hash)
  const key = answersKey(hash)
  return {
    counts: redisCounts(redis, nameOf),
    answers: redisAnswers({ redis, nameOf, key, keepMs: KEEP_ANSWERS_MS }),
    signals: redisSignals(redis, nameOf),
    isThere: () => ({ redis: redis.isThere() }),
    close: async () => {
      await redis.close()
      key.destroy()
    },
  }
}

const nothing: Shared = {
  counts: undefined,
  answers: undefined,
  signals: { send: () => undefined, on: () => undefined },
  isThere: () => ({}),
  close: () => Promise.resolve(),
}
