import { createCipheriv, createDecipheriv, randomBytes, randomUUID } from 'node:crypto'
import { type Peer, type PeerAnswer, type PeerRequest, startPeer } from './peer.js'
import { type Verdict, verifySignature } from './signature-v4.js'

/*
 * Stands in for AWS KMS, which does not run here: the JSON 1.1 protocol on a real socket, AES-GCM with
 * the encryption context as associated data, every signature checked. It answers as the API reference
 * says; it is not AWS KMS, and nothing was ever run against that.
 */

export type KeyState = 'Enabled' | 'Disabled' | 'PendingDeletion'

export interface KmsServer extends Peer {
  readonly region: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
  /** Makes a key; its id. */
  createKey(): string
  arnOf(keyId: string): string
  setState(keyId: string, state: KeyState): void
  /** What the credentials may do from now on. */
  allow(...operations: ('Encrypt' | 'Decrypt')[]): void
  /** Encrypts as the service would, whatever the plaintext. */
  encrypt(keyId: string, plaintext: Buffer, context: Context): string
  /** What signatures were found to be, in order. */
  readonly verdicts: Verdict[]
  /** Contexts that came with requests, in order. */
  readonly contexts: Context[]
}

type Context = Readonly<Record<string, string>>

interface Key {
  readonly bytes: Buffer
  state: KeyState
}

const region = 'eu-central-1'
const IV = 12
const TAG = 16
const ID = 36

export async function startKms(): Promise<KmsServer> {
  const keys = new Map<string, Key>()
  const accessKeyId = `AKIA${randomBytes(8).toString('hex').toUpperCase()}`
  const secretAccessKey = randomBytes(30).toString('base64')
  const secrets = new Map([[accessKeyId, { secretAccessKey }]])
  const verdicts: Verdict[] = []
  const contexts: Context[] = []
  let allowed: readonly string[] = ['Encrypt', 'Decrypt']
  const arnOf = (keyId: string) => `arn:aws:kms:${region}:123456789012:key/${keyId}`

  const act = (operation: string, body: KmsBody): object => {
    if (!allowed.includes(operation)) throw new Refusal('AccessDeniedException')
    const keyId = (body.KeyId ?? '').slice((body.KeyId ?? '').lastIndexOf('/') + 1)
    const key = keys.get(keyId)
    if (key === undefined) throw new Refusal('NotFoundException')
    if (key.state === 'Disabled') throw new Refusal('DisabledException')
    if (key.state === 'PendingDeletion') throw new Refusal('KMSInvalidStateException')
    const context = body.EncryptionContext ?? {}
    contexts.push(context)
    const common = { KeyId: arnOf(keyId), EncryptionAlgorithm: 'SYMMETRIC_DEFAULT' }
    if (operation === 'Encrypt') {
      const plaintext = Buffer.from(body.Plaintext ?? '', 'base64')
      return { ...common, CiphertextBlob: seal(keyId, key.bytes, plaintext, context) }
    }
    const blob = Buffer.from(body.CiphertextBlob ?? '', 'base64')
    if (blob.toString('latin1', 0, ID) !== keyId) {
      const isOurs = keys.has(blob.toString('latin1', 0, ID))
      throw new Refusal(isOurs ? 'IncorrectKeyException' : 'InvalidCiphertextException')
    }
    return { ...common, Plaintext: open(key.bytes, blob, context) }
  }

  const answer = (request: PeerRequest): PeerAnswer => {
    const mustSign = ['content-type', 'x-amz-target']
    const verdict = verifySignature({ region, service: 'kms', secrets, mustSign }, request)
    verdicts.push(verdict)
    const target = /^TrentService\.(\w+)$/.exec(String(request.headers['x-amz-target']))?.[1]
    try {
      if (request.headers['content-type'] !== 'application/x-amz-json-1.1') {
        throw new Refusal('UnsupportedMediaType')
      }
      const refused = refusalOf[verdict]
      if (refused !== undefined) throw new Refusal(refused)
      if (target !== 'Encrypt' && target !== 'Decrypt') {
        throw new Refusal('UnknownOperationException')
      }
      return amzJson(200, act(target, JSON.parse(request.body.toString()) as KmsBody))
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      return amzJson(400, { __type: error.message, message: 'as the service would say it' })
    }
  }
  const peer = await startPeer(answer)
  return {
    ...peer,
    region,
    accessKeyId,
    secretAccessKey,
    createKey: () => {
      const keyId = randomUUID()
      keys.set(keyId, { bytes: randomBytes(32), state: 'Enabled' })
      return keyId
    },
    arnOf,
    setState: (keyId, state) => {
      const key = keys.get(keyId)
      if (key !== undefined) key.state = state
    },
    allow: (...operations) => {
      allowed = operations
    },
    encrypt: (keyId, plaintext, context) =>
      seal(keyId, keys.get(keyId)?.bytes ?? Buffer.alloc(0), plaintext, context),
    verdicts,
    contexts,
  }
}

interface KmsBody {
  readonly KeyId?: string
  readonly Plaintext?: string
  readonly CiphertextBlob?: string
  readonly EncryptionContext?: Context
}

/** A KMS exception by its name. */
class Refusal extends Error {}

const refusalOf: Readonly<Partial<Record<Verdict, string>>> = {
  'no signature': 'MissingAuthenticationTokenException',
  'unknown key': 'UnrecognizedClientException',
  'wrong signature': 'InvalidSignatureException',
  expired: 'InvalidSignatureException',
}

/** An answer of the JSON 1.1 protocol. */
export function amzJson(status: number, body: object): PeerAnswer {
  const headers = {
    'content-type': 'application/x-amz-json-1.1',
    'x-amzn-requestid': randomUUID(),
    date: new Date().toUTCString(),
  }
  return { status, headers, body: JSON.stringify(body) }
}

/** Independent of the order of the entries, as KMS is. */
function associatedData(context: Context): Buffer {
  return Buffer.from(JSON.stringify(Object.entries(context).sort()))
}

function seal(keyId: string, key: Buffer, plaintext: Buffer, context: Context): string {
  const iv = randomBytes(IV)
  const cipher = createCipheriv('aes-256-gcm', key, iv).setAAD(associatedData(context))
  const sealed = Buffer.concat([cipher.update(plaintext), cipher.final()])
  return Buffer.concat([Buffer.from(keyId), iv, cipher.getAuthTag(), sealed]).toString('base64')
}

function open(key: Buffer, blob: Buffer, context: Context): string {
  const iv = blob.subarray(ID, ID + IV)
  const tag = blob.subarray(ID + IV, ID + IV + TAG)
  try {
    const decipher = createDecipheriv('aes-256-gcm', key, iv)
      .setAAD(associatedData(context))
      .setAuthTag(tag)
    const opened = [decipher.update(blob.subarray(ID + IV + TAG)), decipher.final()]
    return Buffer.concat(opened).toString('base64')
  } catch {
    throw new Refusal('InvalidCiphertextException')
  }
}
