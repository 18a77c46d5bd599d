import { ListObjectsV2Command } from '@aws-sdk/client-s3'
import { isSealedId, type StoredBlob } from '../blob-store.js'
import type { S3Calls } from './s3-calls.js'

/** Sealed ids under a prefix, in the order of their keys, a page of the server's at a time. */
export async function* listObjects(
  s3: S3Calls,
  prefix: string,
): AsyncGenerator<StoredBlob & { readonly key: string }, void> {
  let from: string | undefined
  do {
    const page = await s3.send(
      new ListObjectsV2Command({
        ...{ Bucket: s3.settings.bucket, Prefix: prefix, ContinuationToken: from },
      }),
    )
    for (const { Key = '', Size = 0, LastModified } of page.Contents ?? []) {
      const id = Key.slice(Key.lastIndexOf('/') + 1)
      if (!isSealedId(id) || LastModified === undefined) continue
      yield { id, key: Key, length: Size, modifiedAt: LastModified }
    }
    from = page.IsTruncated === true ? page.NextContinuationToken : undefined
  } while (from !== undefined)
}
