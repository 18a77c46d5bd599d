import { Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import { type PutObjectCommandInput, S3Client } from '@aws-sdk/client-s3'
import { s3Credentials } from './s3-credentials.js'
import { type RetryReason, retryReasonOf } from './s3-errors.js'
import type { S3Settings } from './s3-settings.js'

/** Told of each call that is tried again: of which operation it is a part, and why. */
export type OnRetried = (operation: string, reason: RetryReason) => void

/** The bucket as the modules of this room speak to it. */
export interface S3Calls {
  readonly settings: S3Settings
  readonly client: S3Client
  readonly send: S3Client['send']
  /** The key of a name within the store. */
  readonly keyOf: (name: string) => string
  /** What every object is written with. */
  readonly written: Pick<
    PutObjectCommandInput,
    'Bucket' | 'ServerSideEncryption' | 'SSEKMSKeyId' | 'StorageClass'
  >
  /** Whether the server refuses to write over an object where asked to (`If-None-Match: *`). */
  hasConditions: boolean
}

/** One client with one pool of connections for a process. */
export function s3Calls(settings: S3Settings, onRetried: OnRetried = () => undefined): S3Calls {
  const client = s3Client(settings)
  const { bucket, prefix, sse, sseKmsKeyId, storageClass } = settings
  tellRepetitions(client, onRetried)
  return {
    ...{ settings, client, hasConditions: true },
    send: client.send.bind(client),
    keyOf: (name) => prefix + name,
    written: {
      Bucket: bucket,
      ...(sse === undefined ? {} : { ServerSideEncryption: sse }),
      ...(sseKmsKeyId === undefined ? {} : { SSEKMSKeyId: sseKmsKeyId }),
      ...(storageClass === undefined ? {} : { StorageClass: storageClass }),
    },
  }
}

export function s3Client(settings: S3Settings): S3Client {
  const { region, endpoint, timeoutMs, maxSockets, maxAttempts } = settings
  const credentials = s3Credentials(settings.credentials, region)
  const agent = { keepAlive: true, maxSockets }
  return new S3Client({
    region,
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(credentials === undefined ? {} : { credentials }),
    forcePathStyle: settings.forcePathStyle,
    useAccelerateEndpoint: settings.useAccelerate,
    maxAttempts,
    // Other servers than AWS refuse checksums they were not asked about; what is stored authenticates itself.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    requestHandler: {
      connectionTimeout: Math.min(timeoutMs, 5_000),
      requestTimeout: timeoutMs,
      throwOnRequestTimeout: true,
      httpAgent: new HttpAgent(agent),
      httpsAgent: new HttpsAgent(agent),
    },
  })
}

/** Sees each attempt of a call: the one after a failure is a repetition. */
function tellRepetitions(client: S3Client, onRetried: OnRetried): void {
  const failures = new WeakMap<object, RetryReason>()
  client.middlewareStack.add(
    (next, context) => async (args) => {
      const reason = failures.get(context)
      if (reason !== undefined) onRetried(operationOf(context.commandName ?? ''), reason)
      try {
        return await next(args)
      } catch (error) {
        failures.set(context, retryReasonOf(error))
        throw error
      }
    },
    { step: 'finalizeRequest', priority: 'low', name: 'tellRepetitions' },
  )
}

/** The operations of a blob store, by the commands they are made of. */
function operationOf(command: string): string {
  if (/^(PutObject|UploadPart|Create|Complete|Abort)/.test(command)) return 'put'
  if (command.startsWith('GetObject')) return 'read'
  if (command.startsWith('DeleteObject')) return 'remove'
  if (command.startsWith('List')) return 'list'
  return command.startsWith('HeadBucket') ? 'check' : 'other'
}
