import { FernetKey } from '../crypto/fernet-key.js'
import { type SigningKey, signingKey } from '../crypto/signing-key.js'
import { isStrongroomError } from '../errors/strongroom-error.js'
import { WrongKeysError } from './deployment-keys.js'
import type { KeyProvider } from './key-provider.js'
import type { DeploymentKeyRow, KeyStore } from './ports.js'

interface Dependencies {
  readonly provider: KeyProvider
  readonly store: KeyStore
}

const claims = { use: 'signing-key' } as const

/**
 * The key that signs for this deployment: erasure certificates. Made once, at the first start that
 * knows of such a key; its public half is kept for good, so that a key that is missing afterwards, or
 * is another one, is a refusal and never a new key.
 * @throws WrongKeysError with what to do
 */
export async function openSigningKey({ provider, store }: Dependencies): Promise<SigningKey> {
  const known = await store.signingKey()
  if (known === undefined) return await makeSigningKey({ provider, store })
  const row = (await store.deploymentKeys()).find(({ use }) => use === 'signing-key')
  if (row === undefined) {
    throw new WrongKeysError('The key that signs for this deployment is missing from the database.')
  }
  const key = await unwrapped(provider, row)
  if (key.keyId !== known.keyId) {
    throw new WrongKeysError('The key that signs for this deployment is not the one it had.')
  }
  return key
}

async function makeSigningKey({ provider, store }: Dependencies): Promise<SigningKey> {
  const seed = FernetKey.generate()
  const key = signingKey(seed)
  const wrapped = await provider.wrap(seed, claims)
  seed.destroy()
  const [masterKeyId] = provider.masterKeyIds
  if (await store.insertSigningKey({ ...claims, masterKeyId, wrapped }, key)) return key
  // Another node was first: its key is the deployment's.
  if ((await store.signingKey()) !== undefined) return await openSigningKey({ provider, store })
  throw new WrongKeysError('The public half of the key that signs is missing from the database.')
}

async function unwrapped(provider: KeyProvider, row: DeploymentKeyRow): Promise<SigningKey> {
  try {
    const seed = await provider.unwrap(row.wrapped, claims)
    const key = signingKey(seed)
    seed.destroy()
    return key
  } catch (cause) {
    if (!isStrongroomError(cause, 'damaged')) throw cause
    throw new WrongKeysError(
      `No master key given opens the key that signs, which master key ${row.masterKeyId} wraps. ` +
        'Give that key in MASTER_KEYS (a comma-separated list; all of them open).',
      { cause },
    )
  }
}
