import {
  createHash,
  createPrivateKey,
  createPublicKey,
  type KeyObject,
  sign,
  verify,
} from 'node:crypto'
import { decodeBase64Url } from './base64url.js'
import type { FernetKey } from './fernet-key.js'

// Ed25519 (RFC 8032): signatures of 64 bytes over the message itself, without a hash of our choosing.

/** The DER of a PKCS #8 private key (RFC 8410, section 7), up to the 32 bytes of the seed. */
const pkcs8Prefix = Buffer.from('302e020100300506032b657004220420', 'hex')

/** Signs for the deployment. */
export interface SigningKey {
  /** The first 16 hex digits of the SHA-256 of the public key (SubjectPublicKeyInfo, DER). */
  readonly keyId: string
  /** PEM, SubjectPublicKeyInfo. */
  readonly publicKey: string
  sign(message: Uint8Array): Buffer
}

/** The 32 bytes of `seed` as a key that signs; the caller may overwrite its own afterwards. */
export function signingKey(seed: FernetKey): SigningKey {
  const bytes = decodeBase64Url(seed.exportText())
  const der = Buffer.concat([pkcs8Prefix, bytes])
  bytes.fill(0)
  const secret = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
  der.fill(0)
  const open = createPublicKey(secret)
  return {
    keyId: keyIdOf(open),
    publicKey: open.export({ format: 'pem', type: 'spki' }).toString(),
    sign: (message) => sign(null, message, secret),
  }
}

/** The other half: whoever has only this can check, and not sign. */
export interface VerifyingKey {
  readonly keyId: string
  verify(message: Uint8Array, signature: Uint8Array): boolean
}

/** Nothing where `pem` is not the public half of an Ed25519 key. */
export function verifyingKey(pem: string): VerifyingKey | undefined {
  const key = publicKeyIn(pem)
  if (key?.asymmetricKeyType !== 'ed25519') return undefined
  return {
    keyId: keyIdOf(key),
    verify: (message, signature) => verify(null, message, key, signature),
  }
}

/** Never a private key, of which node would make the public half. */
function publicKeyIn(pem: string): KeyObject | undefined {
  if (!pem.trim().startsWith('-----BEGIN PUBLIC KEY-----')) return undefined
  try {
    return createPublicKey(pem)
  } catch {
    return undefined
  }
}

function keyIdOf(key: KeyObject): string {
  const der = key.export({ format: 'der', type: 'spki' })
  return createHash('sha256').update(der).digest('hex').slice(0, 16)
}
