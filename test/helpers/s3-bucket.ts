import { randomUUID } from 'node:crypto'
import {
  CreateBucketCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  S3Client,
} from '@aws-sdk/client-s3'
import type { S3Settings } from '../../src/blobs/s3/s3-settings.js'

const MIB = 1024 * 1024

/** The real server tests of S3 run against: `TEST_S3_ENDPOINT`, with keys that may do everything there. */
export interface TestS3 {
  readonly endpoint: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
}

export function testS3(): TestS3 {
  const endpoint = process.env['TEST_S3_ENDPOINT']
  const accessKeyId = process.env['TEST_S3_ACCESS_KEY_ID']
  const secretAccessKey = process.env['TEST_S3_SECRET_ACCESS_KEY']
  if (endpoint === undefined || accessKeyId === undefined || secretAccessKey === undefined) {
    throw new Error('TEST_S3_ENDPOINT, _ACCESS_KEY_ID, _SECRET_ACCESS_KEY: a real server is needed')
  }
  return { endpoint, accessKeyId, secretAccessKey }
}

/** The settings of a store in a bucket of its own, as for a service. */
export function bucketSettings(extra: Partial<S3Settings> = {}): S3Settings {
  const { endpoint, accessKeyId, secretAccessKey } = testS3()
  return {
    ...{ bucket: `b-${randomUUID()}`, prefix: '', region: 'us-east-1', endpoint },
    ...{ forcePathStyle: true, useAccelerate: false, partSize: 5 * MIB },
    ...{ maxSockets: 64, timeoutMs: 10_000, maxAttempts: 3 },
    credentials: { accessKeyId, secretAccessKey },
    ...extra,
  }
}

/** The bucket read past the store. */
export function bucketOf({ bucket, region }: Pick<S3Settings, 'bucket' | 'region'>) {
  const { endpoint, accessKeyId, secretAccessKey } = testS3()
  const client = new S3Client({
    ...{ region, endpoint, forcePathStyle: true },
    credentials: { accessKeyId, secretAccessKey },
    requestChecksumCalculation: 'WHEN_REQUIRED',
  })
  return {
    name: bucket,
    client,
    make: () => client.send(new CreateBucketCommand({ Bucket: bucket })),
    /** Every object, and every multipart upload that is open. */
    keys: async () => {
      const keys: string[] = []
      let from: string | undefined
      do {
        const page = await client.send(
          new ListObjectsV2Command({ Bucket: bucket, ContinuationToken: from }),
        )
        keys.push(...(page.Contents ?? []).map(({ Key = '' }) => Key))
        from = page.NextContinuationToken
      } while (from !== undefined)
      return keys
    },
    uploads: async () => {
      const { Uploads } = await client.send(new ListMultipartUploadsCommand({ Bucket: bucket }))
      return (Uploads ?? []).map(({ Key = '' }) => Key)
    },
    close: () => {
      client.destroy()
    },
  }
}
