import { createHash } from 'node:crypto'
import { CryptoError } from '../crypto/crypto-error.js'
import { FernetKey } from '../crypto/fernet-key.js'
import { StrongroomError } from '../errors/strongroom-error.js'
import type { KeyProvider } from './key-provider.js'
import type { KeyStore, UserKeyRow } from './ports.js'

export interface UserKey {
  readonly userId: string
  readonly version: number
  /** Belongs to the cache: use it, do not keep or destroy it. */
  readonly key: FernetKey
}

/** Each person's key: made with their first grant, stored wrapped, cached unwrapped for a bounded time. */
export interface UserKeys {
  /** The key new wrappings use; made where the person has none yet. */
  forWrapping(userId: string): Promise<UserKey>
  /** The key of that version. `damaged` where there is none or its wrapping says something else. */
  forOpening(userId: string, version: number): Promise<UserKey>
}

interface Dependencies {
  readonly provider: KeyProvider
  readonly store: Pick<KeyStore, 'activeUserKey' | 'userKey' | 'insertFirstUserKey'>
  /** Milliseconds an unwrapped key stays in memory. */
  readonly cacheMs?: number
  readonly cacheSize?: number
}

export function userKeys(dependencies: Dependencies): UserKeys {
  const { provider, store, cacheMs = 300_000, cacheSize = 10_000 } = dependencies
  const cache = new KeyCache(cacheMs, cacheSize)

  const unwrap = async (row: UserKeyRow): Promise<UserKey> => {
    const { userId, version } = row
    const key = await cache.get(row, () =>
      provider.unwrap(row.wrapped, { use: 'user-key', user: userId, version }),
    )
    return { userId, version, key }
  }

  const makeFirst = async (userId: string): Promise<UserKeyRow> => {
    const key = FernetKey.generate()
    const claims = { use: 'user-key', user: userId, version: 1 } as const
    const row = { userId, version: 1, wrapped: await provider.wrap(key, claims) }
    key.destroy()
    if (await store.insertFirstUserKey(row, provider.masterKeyIds[0])) return row
    const made = await store.activeUserKey(userId)
    if (made === undefined) throw retired(provider.masterKeyIds[0])
    return made
  }

  return {
    // The id asked for, not the row's: a row under another's id must not open.
    forWrapping: async (userId) => {
      const row = (await store.activeUserKey(userId)) ?? (await makeFirst(userId))
      return await unwrap({ ...row, userId })
    },
    forOpening: async (userId, version) => {
      const row = await store.userKey(userId, version)
      if (row === undefined) throw new CryptoError('malformed')
      return await unwrap({ ...row, userId, version })
    },
  }
}

/** This node wraps with a master key that was given up: others serve on, and a restart mends it. */
function retired(masterKeyId: string): StrongroomError {
  const context = { reason: 'master_key_retired', master_key: masterKeyId }
  return new StrongroomError('keys_unavailable', { retryAfter: 60, context })
}

/** By person, version and hash of the wrapping: a changed row is never served from memory. */
class KeyCache {
  readonly #entries = new Map<string, { key: Promise<FernetKey>; until: number }>()

  constructor(
    readonly ttlMs: number,
    readonly size: number,
  ) {}

  async get(row: UserKeyRow, unwrap: () => Promise<FernetKey>): Promise<FernetKey> {
    const digest = createHash('sha256').update(row.wrapped).digest('base64')
    const name = JSON.stringify([row.userId, row.version, digest])
    const found = this.#entries.get(name)
    if (found !== undefined && found.until > performance.now()) return await found.key
    const key = unwrap()
    this.#remember(name, key)
    try {
      return await key
    } catch (error) {
      this.#entries.delete(name)
      throw error
    }
  }

  /** Keys that fall out are left to the collector: a reader may still be using them. */
  #remember(name: string, key: Promise<FernetKey>): void {
    this.#entries.delete(name)
    this.#entries.set(name, { key, until: performance.now() + this.ttlMs })
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= this.size) break
      this.#entries.delete(oldest)
    }
  }
}
