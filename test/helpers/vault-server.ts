import { createCipheriv, createDecipheriv, randomBytes, randomUUID } from 'node:crypto'
import { type Peer, type PeerAnswer, type PeerRequest, startPeer } from './peer.js'

/*
 * Stands in for HashiCorp Vault, which does not run here: encrypt and decrypt of the Transit engine on a
 * real socket, with bodies and errors of the shape its API documentation gives, AES-GCM with the
 * associated data. It is not Vault, and nothing was ever run against that.
 */

export interface VaultServer extends Peer {
  /** The token it takes. */
  token: string
  sealed: boolean
  /** Answers what is unauthentic with 500, as some versions do. */
  old: boolean
  readonly keys: Map<string, VaultKey>
  /** Bodies of requests, in order. */
  readonly bodies: Readonly<Record<string, unknown>>[]
}

export interface VaultKey {
  readonly versions: Buffer[]
  minDecryptionVersion?: number
  minEncryptionVersion?: number
  /** Of a type that knows no associated data. */
  isAead?: boolean
  /** As servers do that have never heard of associated data. */
  ignoresAssociatedData?: boolean
  derived?: boolean
}

export interface VaultSetting {
  readonly mount?: string
  readonly namespace?: string
}

const NONCE = 12
const TAG = 16

export async function startVault({ mount = 'transit', namespace }: VaultSetting = {}) {
  const keys = new Map<string, VaultKey>()
  const bodies: Readonly<Record<string, unknown>>[] = []
  const state = { token: `hvs.${randomBytes(24).toString('base64url')}`, sealed: false, old: false }

  const answer = ({ method, url, headers, body }: PeerRequest): PeerAnswer => {
    if (state.sealed) return errors(503, 'Vault is sealed')
    if (headers['x-vault-token'] !== state.token) {
      return errors(403, '2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n')
    }
    const found = new RegExp(`^/v1/${mount}/(encrypt|decrypt)/([\\w.-]+)$`).exec(url)
    const isHere = (headers['x-vault-namespace'] ?? '') === (namespace ?? '')
    if (found === null || !isHere) return errors(404, `no handler for route "${url.slice(4)}"`)
    if (method !== 'POST' && method !== 'PUT') return errors(405, 'unsupported operation')
    const given = JSON.parse(body.toString()) as Body
    bodies.push({ ...given })
    const key = keys.get(found[2] ?? '')
    if (key === undefined) return errors(400, 'encryption key not found')
    try {
      if (key.derived === true) {
        throw new UserError(
          "missing 'context' for key derivation; the key was created using a derived key, which means additional, per-request information must be included in order to perform operations with the key",
        )
      }
      if (key.isAead === false && given.associated_data !== undefined) {
        throw new UserError("'[0].associated_data' provided for non-AEAD cipher suite rsa-2048")
      }
      return data(found[1] === 'encrypt' ? encrypt(key, given) : decrypt(key, given))
    } catch (error) {
      if (!(error instanceof UserError)) throw error
      const isOld = state.old && error.message.startsWith('cipher:')
      return isOld
        ? errors(500, `1 error occurred:\n\t* ${error.message}\n\n`)
        : errors(400, error.message)
    }
  }
  const peer = await startPeer(answer)
  return Object.assign(state, peer, { keys, bodies }) satisfies VaultServer
}

interface Body {
  readonly plaintext?: string
  readonly ciphertext?: string
  readonly associated_data?: string
  readonly key_version?: number
}

class UserError extends Error {}

function errors(status: number, ...list: string[]): PeerAnswer {
  return json(status, { errors: list })
}

function data(content: object): PeerAnswer {
  return json(200, {
    request_id: randomUUID(),
    lease_id: '',
    renewable: false,
    lease_duration: 0,
    data: content,
    wrap_info: null,
    warnings: null,
    auth: null,
    mount_type: 'transit',
  })
}

function json(status: number, body: object): PeerAnswer {
  const headers = { 'content-type': 'application/json', 'cache-control': 'no-store' }
  return { status, headers, body: `${JSON.stringify(body)}\n` }
}

function associatedDataOf(key: VaultKey, text: string | undefined): Buffer {
  return Buffer.from(key.ignoresAssociatedData === true ? '' : (text ?? ''), 'base64')
}

function encrypt(key: VaultKey, { plaintext, associated_data, key_version = 0 }: Body): object {
  if (plaintext === undefined) throw new UserError('missing plaintext to encrypt')
  const version = key_version === 0 ? key.versions.length : key_version
  if (version > key.versions.length) {
    throw new UserError('requested version for encryption is higher than the latest key version')
  }
  if (version < (key.minEncryptionVersion ?? 0)) {
    throw new UserError(
      'requested version for encryption is less than the minimum encryption key version',
    )
  }
  const nonce = randomBytes(NONCE)
  const cipher = createCipheriv('aes-256-gcm', key.versions[version - 1] ?? '', nonce).setAAD(
    associatedDataOf(key, associated_data),
  )
  const sealed = [nonce, cipher.update(Buffer.from(plaintext, 'base64')), cipher.final()]
  const bytes = Buffer.concat([...sealed, cipher.getAuthTag()])
  return { ciphertext: `vault:v${version}:${bytes.toString('base64')}`, key_version: version }
}

function decrypt(key: VaultKey, { ciphertext, associated_data }: Body): object {
  const found = /^vault:v(\d+):(.+)$/.exec(ciphertext ?? '')
  if (found === null) throw new UserError('invalid ciphertext: no prefix')
  const version = Number(found[1])
  if (version > key.versions.length) throw new UserError('invalid ciphertext: version is too new')
  if (version < (key.minDecryptionVersion ?? 0)) {
    throw new UserError('ciphertext or signature version is disallowed by policy (too old)')
  }
  const bytes = Buffer.from(found[2] ?? '', 'base64')
  if (bytes.length < NONCE + TAG) throw new UserError('invalid ciphertext length')
  try {
    const decipher = createDecipheriv(
      'aes-256-gcm',
      key.versions[version - 1] ?? '',
      bytes.subarray(0, NONCE),
    )
      .setAAD(associatedDataOf(key, associated_data))
      .setAuthTag(bytes.subarray(bytes.length - TAG))
    const opened = [decipher.update(bytes.subarray(NONCE, bytes.length - TAG)), decipher.final()]
    return { plaintext: Buffer.concat(opened).toString('base64') }
  } catch {
    throw new UserError('cipher: message authentication failed')
  }
}
