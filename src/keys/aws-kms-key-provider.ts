import { DecryptCommand, EncryptCommand, KMSClient } from '@aws-sdk/client-kms'
import { CryptoError } from '../crypto/crypto-error.js'
import { claimsContext } from './key-bytes.js'
import { type KeyFault, KeysUnavailableError } from './keys-unavailable.js'
import {
  type RemoteKey,
  type RemoteOptions,
  remoteKeyId,
  remoteKeyProvider,
} from './remote-key-provider.js'
import type { KeyHolder } from './several-key-providers.js'

export interface AwsKmsOptions extends RemoteOptions {
  /** Ids or ARNs of symmetric keys, at least one; the first wraps. No aliases: they may change keys. */
  readonly keyIds: readonly string[]
  readonly region: string
  /** Absent: that of the region. */
  readonly endpoint?: string | undefined
  /** Absent: what the SDK finds by itself (environment, web identity, container, machine). */
  readonly credentials?: AwsCredentials | undefined
}

export interface AwsCredentials {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string
}

const holder = 'aws-kms'
const EncryptionAlgorithm = 'SYMMETRIC_DEFAULT'

/**
 * Master keys in AWS KMS. The claims are the encryption context, an entry a field: KMS binds them as
 * associated data and writes them to CloudTrail. Never run against the real service (docs/OPERATIONS.md).
 */
export function awsKmsKeyProvider(options: AwsKmsOptions): KeyHolder {
  const { region, endpoint, credentials, keyIds, timeoutMs } = options
  const client = new KMSClient({
    region,
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(credentials === undefined ? {} : { credentials }),
    // We repeat by ourselves, within one time limit for all attempts.
    maxAttempts: 1,
    requestHandler: { connectionTimeout: timeoutMs, requestTimeout: timeoutMs },
  })
  return remoteKeyProvider({
    ...options,
    holder,
    prefix: 'kms',
    keys: keyIds.map((keyId) => kmsKey(client, keyId)),
    close: () => {
      client.destroy()
      return Promise.resolve()
    },
  })
}

/** The same key by its id, its ARN, or as a replica in another region is the same master key. */
function kmsKey(client: KMSClient, KeyId: string): RemoteKey {
  const masterKeyId = remoteKeyId(holder, KeyId.slice(KeyId.lastIndexOf('/') + 1))
  const asking = async <T>(signal: AbortSignal, send: () => Promise<T>): Promise<T> => {
    try {
      return await send()
    } catch (error) {
      throw faultOf(error, masterKeyId, signal)
    }
  }
  return {
    masterKeyId,
    encrypt: (bytes, claims, signal) =>
      asking(signal, async () => {
        const command = new EncryptCommand({
          KeyId,
          EncryptionAlgorithm,
          Plaintext: bytes,
          EncryptionContext: claimsContext(claims),
        })
        const { CiphertextBlob } = await client.send(command, { abortSignal: signal })
        return Buffer.from(present(CiphertextBlob, masterKeyId)).toString('base64')
      }),
    decrypt: async (ciphertext, claims, signal) => {
      const CiphertextBlob = canonicalBytes(ciphertext)
      return await asking(signal, async () => {
        const command = new DecryptCommand({
          KeyId,
          EncryptionAlgorithm,
          CiphertextBlob,
          EncryptionContext: claimsContext(claims),
        })
        const { Plaintext } = await client.send(command, { abortSignal: signal })
        return present(Plaintext, masterKeyId)
      })
    },
  }
}

function present(bytes: Uint8Array | undefined, masterKeyId: string): Uint8Array {
  if (bytes === undefined || bytes.length === 0) {
    throw new KeysUnavailableError('garbage', { holder, masterKeyId })
  }
  return bytes
}

/** Standard base64, of which each value has one text. */
function canonicalBytes(text: string): Buffer {
  const bytes = Buffer.from(text, 'base64')
  if (bytes.length === 0 || bytes.toString('base64') !== text) throw new CryptoError('malformed')
  return bytes
}

/** What KMS calls its exceptions (API reference, Encrypt, Decrypt, common errors) → what they mean. */
const faults: ReadonlyMap<string, KeyFault> = new Map([
  ['ThrottlingException', 'throttled'],
  ['Throttling', 'throttled'],
  ['RequestLimitExceeded', 'throttled'],
  ['TooManyRequestsException', 'throttled'],
  ['LimitExceededException', 'throttled'],
  ['DependencyTimeoutException', 'failing'],
  ['KMSInternalException', 'failing'],
  ['KeyUnavailableException', 'failing'],
  ['InternalFailure', 'failing'],
  ['ServiceUnavailable', 'failing'],
  ['ServiceUnavailableException', 'failing'],
  ['ExpiredTokenException', 'no_credentials'],
  ['ExpiredToken', 'no_credentials'],
  ['CredentialsProviderError', 'no_credentials'],
  ['TokenProviderError', 'no_credentials'],
  ['AccessDeniedException', 'denied'],
  ['AccessDenied', 'denied'],
  ['NotAuthorized', 'denied'],
  ['OptInRequired', 'denied'],
  ['UnrecognizedClientException', 'denied'],
  ['InvalidClientTokenId', 'denied'],
  ['InvalidSignatureException', 'denied'],
  ['SignatureDoesNotMatch', 'denied'],
  ['IncompleteSignature', 'denied'],
  ['MissingAuthenticationToken', 'denied'],
  ['DisabledException', 'disabled'],
  ['KMSInvalidStateException', 'disabled'],
  ['NotFoundException', 'missing'],
  ['InvalidKeyUsageException', 'unfit'],
  ['TimeoutError', 'timeout'],
])

/** The ciphertext was made for another context or by another key, or was changed. */
const damage = ['InvalidCiphertextException', 'IncorrectKeyException']

/** The SDK's errors are named after KMS's exceptions; node's own have a code such as ECONNREFUSED. */
function faultOf(error: unknown, masterKeyId: string, signal: AbortSignal): Error {
  if (error instanceof KeysUnavailableError) return error
  const { name, code, status, clockMended } = factsOf(error)
  if (damage.includes(name)) return new CryptoError('unauthentic')
  const said = code ?? (status === undefined ? name : `${name} ${status}`)
  const fault = signal.aborted
    ? 'timeout'
    : clockMended
      ? 'failing'
      : (faults.get(name) ?? faultOfStatus(status, code))
  return new KeysUnavailableError(fault, { holder, masterKeyId, said, cause: error })
}

function faultOfStatus(status: number | undefined, code: string | undefined): KeyFault {
  if (status === undefined) return code === undefined ? 'garbage' : 'unreachable'
  if (status === 429) return 'throttled'
  if (status >= 500) return 'failing'
  return status >= 400 ? 'refused' : 'garbage'
}

interface SdkFacts {
  readonly name: string
  readonly code: string | undefined
  readonly status: number | undefined
  /** The SDK has seen by the answer that this clock is wrong, and signs by KMS's from now on. */
  readonly clockMended: boolean
}

function factsOf(error: unknown): SdkFacts {
  const member = (value: unknown, name: string): unknown =>
    typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined
  const [code, metadata] = [member(error, 'code'), member(error, '$metadata')]
  const status = member(metadata, 'httpStatusCode')
  return {
    name: error instanceof Error ? error.name : 'Error',
    code: typeof code === 'string' ? code : undefined,
    status: typeof status === 'number' ? status : undefined,
    clockMended: member(metadata, 'clockSkewCorrected') === true,
  }
}
