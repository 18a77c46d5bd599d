import {
  type CompletedPart,
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  HeadObjectCommand,
  UploadPartCopyCommand,
} from '@aws-sdk/client-s3'
import type { S3Calls } from './s3-calls.js'
import { endUploads } from './s3-debris.js'
import { isMissing } from './s3-errors.js'
import { LARGEST_COPY } from './s3-settings.js'

const COPIED_PART = 1024 * 1024 * 1024

/** Copies an object within the bucket, on the server; false where there is none. */
export async function copyObject(s3: S3Calls, from: string, to: string): Promise<boolean> {
  const { bucket } = s3.settings
  const CopySource = `${bucket}/${from.split('/').map(encodeURIComponent).join('/')}`
  try {
    const { ContentLength = 0, Metadata } = await s3.send(
      new HeadObjectCommand({ Bucket: bucket, Key: from }),
    )
    if (ContentLength <= LARGEST_COPY) {
      await s3.send(new CopyObjectCommand({ ...s3.written, Key: to, CopySource }))
    } else await copyInParts(s3, { CopySource, to, length: ContentLength, Metadata })
    return true
  } catch (error) {
    if (isMissing(error)) return false
    throw error
  }
}

interface LargeCopy {
  readonly CopySource: string
  readonly to: string
  readonly length: number
  readonly Metadata: Record<string, string> | undefined
}

async function copyInParts(s3: S3Calls, { CopySource, to, length, Metadata }: LargeCopy) {
  const { UploadId } = await s3.send(
    new CreateMultipartUploadCommand({ ...s3.written, Key: to, Metadata }),
  )
  const upload = { Bucket: s3.settings.bucket, Key: to, UploadId }
  try {
    const Parts: CompletedPart[] = []
    for (let start = 0; start < length; start += COPIED_PART) {
      const PartNumber = Parts.length + 1
      const CopySourceRange = `bytes=${start}-${Math.min(start + COPIED_PART, length) - 1}`
      const { CopyPartResult } = await s3.send(
        new UploadPartCopyCommand({ ...upload, PartNumber, CopySource, CopySourceRange }),
      )
      Parts.push({ PartNumber, ETag: CopyPartResult?.ETag })
    }
    await s3.send(new CompleteMultipartUploadCommand({ ...upload, MultipartUpload: { Parts } }))
  } catch (error) {
    await endUploads(s3, to)
    throw error
  }
}

export async function deleteObject(s3: S3Calls, key: string): Promise<void> {
  // Deleting what is not there is no error (S3 API reference, DeleteObject).
  await s3.send(new DeleteObjectCommand({ Bucket: s3.settings.bucket, Key: key }))
}
