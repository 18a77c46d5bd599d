import { createHmac } from 'node:crypto'
import { CryptoError } from '../crypto/crypto-error.js'
import { FernetKey } from '../crypto/fernet-key.js'
import type { KeyProvider, NamedUnwrapping } from './key-provider.js'
import { unwrapKey, wrapKey } from './wrapping.js'

/**
 * Master keys from the environment or a file. As with MultiFernet the first wraps, all unwrap.
 * @param texts Fernet keys in url-safe base64 (44 characters), at least one
 * @throws CryptoError `malformed` for a text that is no key
 */
export function localKeyProvider(texts: readonly string[]): KeyProvider {
  const keys = texts.map((text) => FernetKey.fromText(text))
  const ids = texts.map(masterKeyId)
  const [firstKey, firstId] = [keys[0], ids[0]]
  if (firstKey === undefined || firstId === undefined) throw new Error('A master key is needed')
  const masters = keys.map((key, at) => ({ key, masterKeyId: ids[at] ?? '' }))
  const unwrapNamed: KeyProvider['unwrapNamed'] = (text, claims) =>
    new Promise((resolve) => {
      resolve(unwrapWithAny(masters, (key) => unwrapKey(key, text, claims)))
    })
  return {
    masterKeyIds: [firstId, ...ids.slice(1)],
    wrap: (key, claims) => Promise.resolve(wrapKey(firstKey, key, claims)),
    wrapWith: (id, key, claims) => {
      const wrapper = keys[ids.indexOf(id)]
      if (wrapper === undefined) throw new Error('No such master key')
      return Promise.resolve(wrapKey(wrapper, key, claims))
    },
    unwrap: async (text, claims) => (await unwrapNamed(text, claims)).key,
    unwrapNamed,
  }
}

/** A token that another of the keys wraps is unauthentic under this one; every other fault is final. */
function unwrapWithAny(
  masters: readonly NamedUnwrapping[],
  unwrap: (master: FernetKey) => FernetKey,
): NamedUnwrapping {
  for (const { key, masterKeyId } of masters) {
    try {
      return { key: unwrap(key), masterKeyId }
    } catch (error) {
      if (!(error instanceof CryptoError) || error.reason !== 'unauthentic') throw error
    }
  }
  throw new CryptoError('unauthentic')
}

function masterKeyId(text: string): string {
  return createHmac('sha256', Buffer.from(text, 'base64url'))
    .update('strongroom master key id')
    .digest('hex')
    .slice(0, 16)
}
