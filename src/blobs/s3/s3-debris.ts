import {
  AbortMultipartUploadCommand,
  ListMultipartUploadsCommand,
  type MultipartUpload,
} from '@aws-sdk/client-s3'
import type { S3Calls } from './s3-calls.js'
import { isMissing, s3Error } from './s3-errors.js'

/** How often an upload is ended before its parts are left to `removeDebris` and the bucket's lifecycle. */
const TRIES = 3

/** Multipart uploads that are not complete, of keys that begin so. */
export async function* openUploads(
  s3: S3Calls,
  prefix: string,
): AsyncGenerator<MultipartUpload, void> {
  let from: { KeyMarker?: string | undefined; UploadIdMarker?: string | undefined } = {}
  for (;;) {
    const page = await s3.send(
      new ListMultipartUploadsCommand({ Bucket: s3.settings.bucket, Prefix: prefix, ...from }),
    )
    yield* page.Uploads ?? []
    if (page.IsTruncated !== true || page.NextKeyMarker === undefined) return
    from = { KeyMarker: page.NextKeyMarker, UploadIdMarker: page.NextUploadIdMarker }
  }
}

/**
 * Ends every upload of this key but `except`. A part that was on its way may have come after the end (S3 API
 * reference, AbortMultipartUpload): looked at again until there is none. Never throws: whoever asks for it is failing
 * already, and what is left is debris.
 */
export async function endUploads(s3: S3Calls, key: string, except?: string): Promise<void> {
  for (let tries = 0; tries < TRIES; tries++) {
    let found = 0
    try {
      for await (const { UploadId, Key } of openUploads(s3, key)) {
        if (UploadId === undefined || Key !== key || UploadId === except) continue
        found += 1
        await endUpload(s3, key, UploadId)
      }
    } catch {
      continue
    }
    if (found === 0) return
  }
}

export async function endUpload(s3: S3Calls, key: string, uploadId: string): Promise<void> {
  try {
    await s3.send(
      new AbortMultipartUploadCommand({
        ...{ Bucket: s3.settings.bucket, Key: key, UploadId: uploadId },
      }),
    )
  } catch (error) {
    if (!isMissing(error)) throw s3Error(error)
  }
}
