import { randomUUID } from 'node:crypto'
import { mkdir, readdir, readFile, rm, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import {
  AbortMultipartUploadCommand,
  DeleteBucketCommand,
  DeleteBucketPolicyCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  PutBucketPolicyCommand,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3'

/** Where a service under test keeps sealed bytes, read past it: a folder, or with `TEST_STORAGE=s3` a bucket. */
export interface SealedPlace {
  /** What the service is told of it. */
  readonly settings: Readonly<Record<string, string>>
  /** Everything that is there, complete or not. The last part of a name is the sealed id. */
  readonly list: () => Promise<string[]>
  readonly read: (name: string) => Promise<Buffer>
  /** In place of what is there. */
  readonly write: (name: string, bytes: Buffer) => Promise<void>
  readonly remove: (name: string) => Promise<void>
  /** Waits until part of an upload has reached it, or, of a bucket, what is held for its first part. */
  readonly reached: (before: number) => Promise<void>
  /** Makes it take nothing more; how to mend it, and how the service's log calls it. */
  readonly breakDown: () => Promise<{ readonly errno: string; readonly mend: () => Promise<void> }>
  readonly close: () => Promise<void>
}

export function sealedPlace(filesDir: string): SealedPlace {
  return process.env['TEST_STORAGE'] === 's3' ? bucket() : folder(filesDir)
}

function folder(filesDir: string): SealedPlace {
  const list = async () => {
    const entries = await readdir(filesDir, { recursive: true, withFileTypes: true })
    return entries
      .filter((entry) => entry.isFile())
      .map(({ parentPath, name }) => join(parentPath, name))
  }
  return {
    ...{ settings: {}, list, read: readFile, write: writeFile, remove: unlink },
    reached: async (before) => {
      for (let tries = 0; tries < 500; tries++) {
        if ((await list()).length > before) return
        await wait(10)
      }
      throw new Error('No bytes came to the store')
    },
    breakDown: async () => {
      const incoming = join(filesDir, 'incoming')
      await rm(incoming, { recursive: true })
      await writeFile(incoming, '')
      const mend = async () => {
        await rm(incoming)
        await mkdir(incoming, { mode: 0o700 })
      }
      return { errno: 'ENOTDIR', mend }
    },
    close: () => Promise.resolve(),
  }
}

function fromEnvironment(name: string): string {
  const value = process.env[name]
  if (value === undefined) throw new Error(`${name}: TEST_STORAGE=s3 needs a real server`)
  return value
}

function bucket(): SealedPlace {
  const Bucket = `acceptance-${randomUUID()}`
  const endpoint = fromEnvironment('TEST_S3_ENDPOINT')
  const accessKeyId = fromEnvironment('TEST_S3_ACCESS_KEY_ID')
  const secretAccessKey = fromEnvironment('TEST_S3_SECRET_ACCESS_KEY')
  const client = new S3Client({
    ...{ endpoint, region: 'us-east-1', forcePathStyle: true },
    credentials: { accessKeyId, secretAccessKey },
    requestChecksumCalculation: 'WHEN_REQUIRED',
  })
  const remove = async (Key: string) => {
    await client.send(new DeleteObjectCommand({ Bucket, Key }))
  }
  const objects = async () => {
    const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket }))
    return Contents.map(({ Key = '' }) => Key)
  }
  const uploads = async () => {
    const { Uploads = [] } = await client.send(new ListMultipartUploadsCommand({ Bucket }))
    return Uploads
  }
  return {
    settings: {
      ...{ STORAGE_DRIVER: 's3', S3_BUCKET: Bucket, S3_ENDPOINT: endpoint },
      ...{ S3_FORCE_PATH_STYLE: 'true', S3_CREATE_BUCKET: 'true', AWS_REGION: 'us-east-1' },
      ...{ AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey },
    },
    list: async () => [
      ...(await objects()),
      ...(await uploads()).map(({ Key = '' }) => `incoming/${Key}`),
    ],
    read: async (Key) => {
      const { Body } = await client.send(new GetObjectCommand({ Bucket, Key }))
      return Buffer.from((await Body?.transformToByteArray()) ?? [])
    },
    write: async (Key, Body) => {
      await client.send(new PutObjectCommand({ Bucket, Key, Body }))
    },
    remove,
    reached: async () => {
      await wait(250)
    },
    breakDown: async () => {
      const statement = { Effect: 'Deny', Principal: '*', Action: 's3:PutObject' }
      const Resource = `arn:aws:s3:::${Bucket}/*`
      const Policy = JSON.stringify({
        Version: '2012-10-17',
        Statement: [{ ...statement, Resource }],
      })
      await client.send(new PutBucketPolicyCommand({ Bucket, Policy }))
      const mend = async () => {
        await client.send(new DeleteBucketPolicyCommand({ Bucket }))
      }
      return { errno: 'AccessDenied', mend }
    },
    close: async () => {
      for (let keys = await objects(); keys.length > 0; keys = await objects()) {
        await Promise.all(keys.map(remove))
      }
      for (const { Key, UploadId } of await uploads()) {
        await client.send(new AbortMultipartUploadCommand({ Bucket, Key, UploadId }))
      }
      await client.send(new DeleteBucketCommand({ Bucket }))
      client.destroy()
    },
  }
}
