import { randomUUID } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { CryptoError } from '../crypto/crypto-error.js'
import { openText, sealText } from '../crypto/fernet.js'
import { FernetKey } from '../crypto/fernet-key.js'
import type { SharedAnswer, SharedAnswers } from '../ports/shared-ports.js'
import type { RedisConnection } from './redis-connection.js'
import type { RedisName } from './redis-names.js'

export interface RedisAnswersOptions {
  readonly redis: Pick<RedisConnection, 'run'>
  readonly nameOf: RedisName
  /** Of this use alone. */
  readonly key: FernetKey
  /** Milliseconds an answer is kept. */
  readonly keepMs: number
}

/** Milliseconds between two looks whether another node has its answer. */
const LOOK_EVERY_MS = 50

/** The answer; else whether the lock (KEYS[2]) is now the caller's (ARGV[1]), for so long (ARGV[2]). */
const TAKE = `local answer = redis.call('get', KEYS[1])
if answer then return answer end
if redis.call('set', KEYS[2], ARGV[1], 'nx', 'px', ARGV[2]) then return 1 end
return 0`

/** Lets go of the lock, where it is still the caller's; leaves an answer (ARGV[2]) where there is one. */
const LEAVE = `if redis.call('get', KEYS[2]) ~= ARGV[1] then return 0 end
if ARGV[2] ~= '' then redis.call('set', KEYS[1], ARGV[2], 'px', ARGV[3]) end
return redis.call('del', KEYS[2])`

/** The key of answers: the deployment's, so that every node opens every node's. */
export function answersKey(hash: { of(use: string, ...parts: string[]): Buffer }): FernetKey {
  const bytes = hash.of('shared-answers-key', '1')
  const key = FernetKey.fromBytes(bytes)
  bytes.fill(0)
  return key
}

/** One node asks, under a lock; the others have its answer out of Redis, where it lies sealed. */
export function redisAnswers({ redis, nameOf, key, keepMs }: RedisAnswersOptions): SharedAnswers {
  const sealed = sealedAnswers(key, keepMs)
  const leave = async (keys: Keys, owner: string, answer: string) => {
    await redis.run((client) => client.eval(LEAVE, 2, ...keys, owner, answer, keepMs))
  }
  const askFirst = async (name: string, keys: Keys, owner: string, ask: () => Promise<string>) => {
    try {
      const text = await ask()
      await leave(keys, owner, sealed.seal(name, text))
      return { text, ageMs: 0 }
    } catch (error) {
      await leave(keys, owner, '')
      throw error
    }
  }
  return {
    once: async (name, ask, tellLimitMs) => {
      const keys: Keys = [nameOf('answer', name), nameOf('answer-lock', name)]
      const owner = randomUUID()
      // Longer than asking takes: whoever asked longer ago is gone.
      const lockMs = tellLimitMs + 1_000
      const end = performance.now() + 2 * lockMs
      while (performance.now() < end) {
        const found = await redis.run((client) => client.eval(TAKE, 2, ...keys, owner, lockMs))
        if (found === 1) return await askFirst(name, keys, owner, ask)
        // Redis is away, or holds what this deployment did not write.
        if (found !== 0) return sealed.open(name, found) ?? { text: await ask(), ageMs: 0 }
        await pause(LOOK_EVERY_MS)
      }
      return { text: await ask(), ageMs: 0 }
    },
  }
}

type Keys = readonly [answer: string, lock: string]

/** Sealed with its name and time: whoever writes to Redis cannot pass one off for another, or for new. */
function sealedAnswers(key: FernetKey, keepMs: number) {
  return {
    seal: (name: string, text: string) =>
      sealText(key, Buffer.from(JSON.stringify([name, Date.now(), text]))),
    open: (name: string, token: unknown): SharedAnswer | undefined => {
      if (typeof token !== 'string') return undefined
      const [of, at, text] = partsOf(key, token)
      if (of !== name || typeof at !== 'number' || typeof text !== 'string') return undefined
      const ageMs = Math.max(Date.now() - at, 0)
      return ageMs > keepMs ? undefined : { text, ageMs }
    },
  }
}

function partsOf(key: FernetKey, token: string): readonly unknown[] {
  try {
    return JSON.parse(openText(key, token).toString()) as unknown[]
  } catch (error) {
    if (error instanceof CryptoError) return []
    throw error
  }
}
