import { CryptoError } from '../crypto/crypto-error.js'
import type { KeyProvider } from './key-provider.js'

/** A provider among several: knows its own wrappings by how their text begins. */
export interface KeyHolder extends RunningKeyProvider {
  opens(text: string): boolean
}

/** A provider that may have connections. */
export interface RunningKeyProvider extends KeyProvider {
  /** Whether what wraps now can be used; good for some seconds, never throws. */
  isAnswering(): Promise<boolean>
  close(): Promise<void>
}

/** Master keys in this process: always there. A wrapping of theirs is a token, in which no colon is. */
export function localKeyHolder(provider: KeyProvider): KeyHolder {
  return {
    ...provider,
    opens: (text) => !text.includes(':'),
    isAnswering: () => Promise.resolve(true),
    close: () => Promise.resolve(),
  }
}

/**
 * Several providers as one: the first one's first key wraps, each opens its own wrappings. So keys can
 * be moved from one to the other as from master key to master key.
 */
export function severalKeyProviders(
  holders: readonly [KeyHolder, ...KeyHolder[]],
): RunningKeyProvider {
  const [first, ...others] = holders
  const holderOf = (text: string): KeyHolder => {
    const holder = holders.find((each) => each.opens(text))
    if (holder === undefined) throw new CryptoError('malformed')
    return holder
  }
  return {
    masterKeyIds: [
      ...first.masterKeyIds,
      ...others.flatMap(({ masterKeyIds }) => [...masterKeyIds]),
    ],
    wrap: (key, claims) => first.wrap(key, claims),
    wrapWith: (id, key, claims) => {
      const holder = holders.find(({ masterKeyIds }) => masterKeyIds.includes(id))
      if (holder === undefined) throw new Error('No such master key')
      return holder.wrapWith(id, key, claims)
    },
    unwrap: async (text, claims) => await holderOf(text).unwrap(text, claims),
    unwrapNamed: async (text, claims) => await holderOf(text).unwrapNamed(text, claims),
    isAnswering: () => first.isAnswering(),
    close: async () => {
      await Promise.all(holders.map((holder) => holder.close()))
    },
  }
}
