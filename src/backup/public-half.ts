import { signingKey } from '../crypto/signing-key.js'
import { isStrongroomError } from '../errors/strongroom-error.js'
import type { KeyProvider } from '../keys/key-provider.js'
import type { KeptRow, PublicHalf } from './ports.js'

/** What may be known of the key that signs; nothing where the provider's keys do not open it. */
export async function publicHalfOf(
  provider: Pick<KeyProvider, 'unwrap'>,
  { wrapped }: KeptRow,
): Promise<PublicHalf | undefined> {
  try {
    const seed = await provider.unwrap(wrapped, { use: 'signing-key' })
    const { keyId, publicKey } = signingKey(seed)
    seed.destroy()
    return { key_id: keyId, public_key: publicKey, wrapped }
  } catch (error) {
    if (isStrongroomError(error, 'damaged')) return undefined
    throw error
  }
}
