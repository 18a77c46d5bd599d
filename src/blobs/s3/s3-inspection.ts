import {
  GetBucketEncryptionCommand,
  GetBucketLifecycleConfigurationCommand,
  GetBucketLoggingCommand,
  GetBucketPolicyStatusCommand,
  GetBucketVersioningCommand,
  GetPublicAccessBlockCommand,
  HeadBucketCommand,
} from '@aws-sdk/client-s3'
import { isStrongroomError } from '../../errors/strongroom-error.js'
import { s3Calls } from './s3-calls.js'
import { factsOf } from './s3-errors.js'
import type { S3Settings } from './s3-settings.js'
import { tryBucket } from './s3-start.js'

/** What a bucket says of itself. Undefined: it does not say, or these credentials may not ask. */
export interface BucketFacts {
  /** What an operator can act on, where an object cannot be written, read and deleted. */
  readonly problem: string | undefined
  /** Whether the server refuses to write over an object where asked to. */
  readonly hasConditions: boolean
  /** Milliseconds its clock is ahead. */
  readonly clockAheadMs: number | undefined
  /** Public access is blocked as a whole, or its policy is not public. */
  readonly isPrivate: boolean | undefined
  readonly isVersioned: boolean | undefined
  readonly isEncrypted: boolean | undefined
  readonly endsUploads: boolean | undefined
  readonly isLogged: boolean | undefined
}

/** Asks a bucket about itself, with one object that is written, read and deleted. */
export async function inspectBucket(settings: S3Settings): Promise<BucketFacts> {
  const s3 = s3Calls(settings)
  const Bucket = { Bucket: settings.bucket }
  try {
    const clockAheadMs = await clockOf(s3, Bucket)
    const problem = await tryBucket(s3).then(
      () => undefined,
      (error: unknown) => {
        if (isStrongroomError(error)) return error.detail ?? error.code
        throw error
      },
    )
    if (problem !== undefined) return { ...unknown, problem, clockAheadMs }
    return {
      ...{ problem, clockAheadMs, hasConditions: s3.hasConditions },
      isPrivate: await isPrivate(s3, Bucket),
      isVersioned: await told(s3.send(new GetBucketVersioningCommand(Bucket)), ({ Status }) => {
        return Status === 'Enabled'
      }),
      isEncrypted: await told(
        s3.send(new GetBucketEncryptionCommand(Bucket)),
        ({ ServerSideEncryptionConfiguration: each }) => (each?.Rules?.length ?? 0) > 0,
      ),
      endsUploads: await told(
        s3.send(new GetBucketLifecycleConfigurationCommand(Bucket)),
        ({ Rules = [] }) =>
          Rules.some(
            (rule) =>
              rule.Status === 'Enabled' && rule.AbortIncompleteMultipartUpload !== undefined,
          ),
      ),
      isLogged: await told(s3.send(new GetBucketLoggingCommand(Bucket)), ({ LoggingEnabled }) => {
        return LoggingEnabled !== undefined
      }),
    }
  } finally {
    s3.client.destroy()
  }
}

const unknown = {
  ...{ hasConditions: false, isPrivate: undefined, isVersioned: undefined },
  ...{ isEncrypted: undefined, endsUploads: undefined, isLogged: undefined },
}

type Calls = ReturnType<typeof s3Calls>

/** S3 says that there is no such configuration by an error. */
const absent =
  /^(?:NoSuchLifecycleConfiguration|ServerSideEncryptionConfigurationNotFoundError|NoSuchPublicAccessBlockConfiguration|NoSuchBucketPolicy)$/

async function told<T>(
  asking: Promise<T>,
  of: (answer: T) => boolean,
): Promise<boolean | undefined> {
  try {
    return of(await asking)
  } catch (error) {
    return absent.test(factsOf(error).name) ? false : undefined
  }
}

async function isPrivate(s3: Calls, Bucket: { readonly Bucket: string }) {
  const isBlocked = await told(
    s3.send(new GetPublicAccessBlockCommand(Bucket)),
    ({ PublicAccessBlockConfiguration: block }) =>
      block?.BlockPublicAcls === true &&
      block.BlockPublicPolicy === true &&
      block.IgnorePublicAcls === true &&
      block.RestrictPublicBuckets === true,
  )
  if (isBlocked !== false) return isBlocked
  const isPublic = await told(
    s3.send(new GetBucketPolicyStatusCommand(Bucket)),
    ({ PolicyStatus }) => PolicyStatus?.IsPublic === true,
  )
  return isPublic === true ? false : undefined
}

async function clockOf(
  s3: Calls,
  Bucket: { readonly Bucket: string },
): Promise<number | undefined> {
  let date: string | undefined
  s3.client.middlewareStack.add(
    (next) => async (args) => {
      const answer = await next(args)
      const { headers } = answer.response as { readonly headers?: Record<string, string> }
      date ??= headers?.['date']
      return answer
    },
    { step: 'deserialize', priority: 'low', name: 'seeDate' },
  )
  await s3.send(new HeadBucketCommand(Bucket)).catch(() => undefined)
  s3.client.middlewareStack.remove('seeDate')
  const time = date === undefined ? Number.NaN : Date.parse(date)
  return Number.isNaN(time) ? undefined : time - Date.now()
}
