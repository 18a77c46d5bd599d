import { randomUUID } from 'node:crypto'
import {
  type BucketLocationConstraint,
  CreateBucketCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadBucketCommand,
  PutObjectCommand,
} from '@aws-sdk/client-s3'
import { StrongroomError } from '../../errors/strongroom-error.js'
import type { S3Calls } from './s3-calls.js'
import { factsOf, isTaken, knowsNoConditions, s3Error } from './s3-errors.js'

/** The bucket is there, made where it is missing and that is wanted. */
export async function assureBucket(s3: S3Calls, create: boolean): Promise<void> {
  try {
    await s3.send(new HeadBucketCommand({ Bucket: s3.settings.bucket }))
  } catch (error) {
    if (factsOf(error).status !== 404) throw startError(error)
    if (!create) {
      throw new StrongroomError('storage_unavailable', {
        detail: 'S3_BUCKET: there is no such bucket; S3_CREATE_BUCKET=true would make it',
        cause: error,
      })
    }
    await createBucket(s3)
  }
}

async function createBucket(s3: S3Calls): Promise<void> {
  const { bucket, region, endpoint } = s3.settings
  // us-east-1 is what a bucket without a place gets, and the one place that may not be named.
  const isNamed = endpoint === undefined && region !== 'us-east-1'
  const place = { LocationConstraint: region as BucketLocationConstraint }
  try {
    await s3.send(
      new CreateBucketCommand({
        Bucket: bucket,
        ...(isNamed ? { CreateBucketConfiguration: place } : {}),
      }),
    )
  } catch (error) {
    // Another node was faster.
    if (factsOf(error).name !== 'BucketAlreadyOwnedByYou') throw startError(error)
  }
}

/**
 * Writes, reads and deletes an object, and learns whether this server refuses to write over one where asked
 * to: not all do, and some do not say so.
 */
export async function tryBucket(s3: S3Calls): Promise<void> {
  const Key = s3.keyOf(`probe/${randomUUID()}`)
  const Bucket = s3.settings.bucket
  const put = (condition: object) =>
    s3.send(
      new PutObjectCommand({ ...s3.written, Key, Body: Buffer.from('strongroom'), ...condition }),
    )
  try {
    await put({})
    try {
      s3.hasConditions = await put({ IfNoneMatch: '*' }).then(
        () => false,
        (error: unknown) => {
          if (isTaken(error)) return true
          if (knowsNoConditions(error)) return false
          throw error
        },
      )
      const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key }))
      if ((await Body?.transformToString()) !== 'strongroom') throw new Error('not what was put')
    } finally {
      await s3.send(new DeleteObjectCommand({ Bucket, Key }))
    }
  } catch (error) {
    throw startError(error)
  }
}

/** What an operator can act on, by what S3 calls it. */
const advice: ReadonlyMap<string, string> = new Map([
  ['InvalidAccessKeyId', 'AWS_ACCESS_KEY_ID: S3 does not know this key'],
  ['SignatureDoesNotMatch', 'AWS_SECRET_ACCESS_KEY: is not the secret of this key'],
  ['ExpiredToken', 'AWS_SESSION_TOKEN: the credentials have expired'],
  ['CredentialsProviderError', 'AWS_ACCESS_KEY_ID: no credentials are given or found'],
  ['AccessDenied', 'S3_BUCKET: these credentials may not do there what the service does'],
  ['RequestTimeTooSkewed', 'The clock of this machine is wrong: S3 refuses its signatures'],
  ['PermanentRedirect', 'AWS_REGION: the bucket is in another region'],
  ['AuthorizationHeaderMalformed', 'AWS_REGION: the bucket is in another region'],
])

function startError(error: unknown): StrongroomError {
  const { name, status } = factsOf(error)
  const detail =
    advice.get(name) ??
    // A HEAD has no body that would name it.
    (status === 403 ? advice.get('AccessDenied') : undefined) ??
    (status === 301 ? advice.get('PermanentRedirect') : undefined) ??
    `S3_BUCKET: the bucket cannot be used (${name})`
  return new StrongroomError('storage_unavailable', { detail, cause: s3Error(error) })
}
