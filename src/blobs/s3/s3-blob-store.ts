import { HeadBucketCommand } from '@aws-sdk/client-s3'
import { assertSealedId, type BlobStore, type SealedBlob } from '../blob-store.js'
import { partBuffers } from './part-buffers.js'
import { copyObject, deleteObject } from './s3-aside.js'
import { type OnRetried, type S3Calls, s3Calls } from './s3-calls.js'
import { endUpload, openUploads } from './s3-debris.js'
import { damagedBlob, isMissing, s3Error } from './s3-errors.js'
import { listObjects } from './s3-list.js'
import { type PutContext, putObject } from './s3-put.js'
import { openObject } from './s3-read.js'
import type { S3Settings } from './s3-settings.js'
import { assureBucket, tryBucket } from './s3-start.js'

export interface S3BlobStoreOptions {
  readonly settings: S3Settings
  /** Makes the bucket where it is missing. */
  readonly createBucket?: boolean
  /** Writes, reads and deletes an object before it is used. */
  readonly verify?: boolean
  readonly onRetried?: OnRetried
}

export interface S3BlobStore extends BlobStore {
  /** Ends its connections. */
  readonly close: () => void
}

/**
 * Sealed bytes in a bucket, under the same names as on a disk: `<prefix>ab/cd/<sealed id>`, so that one can be
 * copied to the other by any tool. An object is complete or not there; one that was removed while it is read
 * may break off with `damaged`, unlike a file. Throws `storage_unavailable`, with what an operator can do.
 */
export async function s3BlobStore(options: S3BlobStoreOptions): Promise<S3BlobStore> {
  const { settings, createBucket = false, verify = true } = options
  const s3 = s3Calls(settings, options.onRetried)
  if (verify || createBucket) await assureBucket(s3, createBucket)
  if (verify) await tryBucket(s3)
  const put: PutContext = { s3, buffers: partBuffers(settings.partSize), underWay: new Set() }
  return {
    put: async (id, bytes, { signal } = {}) => {
      const key = placeOf(s3, id)
      signal?.throwIfAborted()
      return await putObject(put, key, bytes, signal)
    },
    open: (id) => open(s3, id),
    remove: (id) => onS3(remove(s3, id)),
    list: () => list(s3),
    setAside: (id) => onS3(setAside(s3, id)),
    removeAside: (olderThanMs, { dryRun } = { dryRun: false }) =>
      onS3(removeAside(s3, olderThanMs, dryRun)),
    removeDebris: (olderThanMs, { dryRun } = { dryRun: false }) =>
      onS3(removeDebris(put, olderThanMs, dryRun)),
    check: async () => {
      await onS3(s3.send(new HeadBucketCommand({ Bucket: settings.bucket })))
    },
    close: () => {
      s3.client.destroy()
    },
  }
}

async function onS3<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    throw s3Error(error)
  }
}

/** The only maker of keys from ids. */
function placeOf(s3: S3Calls, id: string): string {
  assertSealedId(id)
  return s3.keyOf(`${id.slice(0, 2)}/${id.slice(2, 4)}/${id}`)
}

const asideOf = (s3: S3Calls, id: string) => s3.keyOf(`aside/${id}`)

async function open(s3: S3Calls, id: string): Promise<SealedBlob> {
  const object = { s3, id, key: placeOf(s3, id) }
  try {
    return await openObject(object).catch(async (error: unknown) => {
      if (!isMissing(error) || !(await copyObject(s3, asideOf(s3, id), object.key))) throw error
      // What lies aside stays there until its time has come: taken away now, it could be what another
      // node is just setting aside again.
      return await openObject(object)
    })
  } catch (error) {
    if (isMissing(error)) throw damagedBlob(id, error)
    throw s3Error(error)
  }
}

async function remove(s3: S3Calls, id: string): Promise<void> {
  const place = placeOf(s3, id)
  await deleteObject(s3, asideOf(s3, id))
  await deleteObject(s3, place)
}

/** S3 has no renaming: a copy on the server, whose age is then that of the setting aside. */
async function setAside(s3: S3Calls, id: string): Promise<void> {
  const place = placeOf(s3, id)
  if (await copyObject(s3, place, asideOf(s3, id))) await deleteObject(s3, place)
}

async function* list(s3: S3Calls) {
  try {
    for await (const { id, key, length, modifiedAt } of listObjects(s3, s3.keyOf(''))) {
      if (key === placeOf(s3, id)) yield { id, length, modifiedAt }
    }
  } catch (error) {
    throw s3Error(error)
  }
}

const isOld = (time: Date | undefined, olderThanMs: number) =>
  time !== undefined && Date.now() - time.getTime() >= olderThanMs

async function removeAside(s3: S3Calls, olderThanMs: number, dryRun: boolean): Promise<number> {
  let removed = 0
  for await (const { key, modifiedAt } of listObjects(s3, s3.keyOf('aside/'))) {
    if (!isOld(modifiedAt, olderThanMs)) continue
    if (!dryRun) await deleteObject(s3, key)
    removed += 1
  }
  return removed
}

async function removeDebris(
  { s3, underWay }: PutContext,
  olderThanMs: number,
  dryRun: boolean,
): Promise<number> {
  let removed = 0
  for await (const { UploadId, Key, Initiated } of openUploads(s3, s3.keyOf(''))) {
    if (UploadId === undefined || Key === undefined) continue
    if (underWay.has(UploadId) || !isOld(Initiated, olderThanMs)) continue
    if (!dryRun) await endUpload(s3, Key, UploadId)
    removed += 1
  }
  return removed
}
