import { CryptoError } from '../crypto/crypto-error.js'
import { FernetKey } from '../crypto/fernet-key.js'
import { StrongroomError } from '../errors/strongroom-error.js'
import type { Meter } from '../ports/meter.js'
import { KeyCache } from './key-cache.js'
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
  /** Milliseconds an unwrapped key serves before the provider is asked again. */
  readonly cacheMs?: number
  /** Milliseconds it goes on serving after it was unwrapped while the provider is away; 0: not at all. */
  readonly outageMs?: number
  readonly cacheSize?: number
  readonly meter?: Pick<Meter, 'keyLookedUp'> | undefined
}

export function userKeys(dependencies: Dependencies): UserKeys {
  const { provider, store, cacheMs = 300_000, outageMs = 0, cacheSize = 10_000 } = dependencies
  const { meter } = dependencies
  const limits = { freshMs: cacheMs, outageMs, size: cacheSize }
  const cache = new KeyCache(limits, (found) => {
    meter?.keyLookedUp(found)
  })

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
