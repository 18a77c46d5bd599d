import { randomUUID } from 'node:crypto'
import {
  type CompletedPart,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  HeadObjectCommand,
  PutObjectCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import { StrongroomError } from '../../errors/strongroom-error.js'
import { interruptible } from '../interruptible.js'
import type { PartBuffers } from './part-buffers.js'
import { inParts, type Part } from './parts.js'
import type { S3Calls } from './s3-calls.js'
import { endUploads } from './s3-debris.js'
import { isMissing, isTaken, knowsNoConditions, s3Error } from './s3-errors.js'
import { MOST_PARTS } from './s3-settings.js'

/** Parts of one file that are on their way at a time; one more is being filled. */
const PARTS_UNDER_WAY = 2

export interface PutContext {
  readonly s3: S3Calls
  readonly buffers: PartBuffers
  /** Multipart uploads of this process, by their ids: no debris. */
  readonly underWay: Set<string>
}

interface Target {
  readonly key: string
  /** Written with the object: says after an answer that was lost whether it is this put's. */
  readonly mark: string
  readonly signal: AbortSignal
}

const MARK = 'strongroom-put'

/**
 * One object of what `source` gives: in one request where it fits a part, else in parts of which two are on their
 * way while the next is filled. Memory: three parts. Nothing is left where it rejects, unless S3
 * cannot be reached for that any more.
 */
export async function putObject(
  use: PutContext,
  key: string,
  source: AsyncIterable<Uint8Array>,
  signal: AbortSignal | undefined,
): Promise<{ length: number }> {
  const failed = new AbortController()
  const stop = signal === undefined ? failed.signal : AbortSignal.any([signal, failed.signal])
  const target = { key, mark: randomUUID(), signal: stop }
  const parts = inParts(interruptible(source, stop), use.buffers)
  try {
    const first = await parts.next()
    if (first.done === true) throw new StrongroomError('internal')
    if (!use.s3.hasConditions) await assertFree(use.s3, key)
    return first.value.isLast
      ? await putWhole(use, target, first.value)
      : await putInParts(use, { target, first: first.value, rest: parts, failed })
  } catch (error) {
    if (signal?.aborted === true) throw signal.reason
    throw error
  } finally {
    await parts.return()
  }
}

async function putWhole(use: PutContext, target: Target, part: Part): Promise<{ length: number }> {
  const { s3, buffers } = use
  const { key, mark, signal } = target
  const put = () =>
    s3.send(
      new PutObjectCommand({
        ...s3.written,
        ...{ Key: key, Body: part.bytes, ContentLength: part.bytes.length },
        ...{ Metadata: { [MARK]: mark }, ...unlessThere(s3) },
      }),
      { abortSignal: signal },
    )
  await settled(use.s3, target, () => withConditions(s3, key, put))
  // After a failure it is not given back: a request that was given up may still read it.
  buffers.giveBack(part.buffer)
  return { length: part.bytes.length }
}

interface InParts {
  readonly target: Target
  readonly first: Part
  readonly rest: AsyncIterable<Part>
  /** Ends the source and what is under way where a part fails. */
  readonly failed: AbortController
}

async function putInParts(use: PutContext, given: InParts): Promise<{ length: number }> {
  const { s3, underWay } = use
  const { target } = given
  let uploadId: string | undefined
  try {
    uploadId = await beginUpload(use, target)
    const { parts, length } = await sendParts(use, { ...given, uploadId })
    target.signal.throwIfAborted()
    // One that writes over nothing: S3 looks again when the parts become an object.
    await settled(s3, target, () =>
      withConditions(s3, target.key, () =>
        s3.send(
          new CompleteMultipartUploadCommand({
            ...{ Bucket: s3.settings.bucket, Key: target.key, UploadId: uploadId },
            ...{ MultipartUpload: { Parts: parts }, ...unlessThere(s3) },
          }),
          { abortSignal: target.signal },
        ),
      ),
    )
    return { length }
  } catch (error) {
    given.failed.abort(error)
    // By the key, not by the id: the answer that gave us an id may have been lost.
    await endUploads(s3, target.key)
    throw error
  } finally {
    if (uploadId !== undefined) underWay.delete(uploadId)
  }
}

async function beginUpload({ s3, underWay }: PutContext, target: Target): Promise<string> {
  const { key, mark, signal } = target
  try {
    const { UploadId, $metadata } = await s3.send(
      new CreateMultipartUploadCommand({ ...s3.written, Key: key, Metadata: { [MARK]: mark } }),
      { abortSignal: signal },
    )
    if (UploadId === undefined) throw new Error('No upload id')
    underWay.add(UploadId)
    // Tried again, it may have begun twice.
    if (($metadata.attempts ?? 1) > 1) await endUploads(s3, key, UploadId)
    return UploadId
  } catch (error) {
    throw s3Error(error)
  }
}

/** Sends all parts; where one fails, the others are broken off and waited for. */
async function sendParts(use: PutContext, given: InParts & { readonly uploadId: string }) {
  const { first, rest, failed } = given
  const done: CompletedPart[] = []
  const sending = new Set<Promise<void>>()
  let length = 0
  const begin = (part: Part, number: number) => {
    length += part.bytes.length
    const sent = sendPart(use, given, part, number).then(
      (completed) => {
        done.push(completed)
        sending.delete(sent)
      },
      (error: unknown) => {
        failed.abort(error)
        throw error
      },
    )
    sent.catch(() => undefined)
    sending.add(sent)
  }
  try {
    let number = 1
    begin(first, number)
    for await (const part of rest) {
      if (++number > MOST_PARTS) throw new StrongroomError('internal', { cause: 'too many parts' })
      if (sending.size >= PARTS_UNDER_WAY) await Promise.race(sending)
      begin(part, number)
    }
    await Promise.all(sending)
  } catch (error) {
    failed.abort(error)
    await Promise.allSettled(sending)
    throw error
  }
  return { length, parts: done.sort((a, b) => Number(a.PartNumber) - Number(b.PartNumber)) }
}

async function sendPart(
  { s3, buffers }: PutContext,
  { target, uploadId }: { readonly target: Target; readonly uploadId: string },
  part: Part,
  number: number,
): Promise<CompletedPart> {
  try {
    const { ETag } = await s3.send(
      new UploadPartCommand({
        ...{ Bucket: s3.settings.bucket, Key: target.key, UploadId: uploadId },
        ...{ PartNumber: number, Body: part.bytes, ContentLength: part.bytes.length },
      }),
      { abortSignal: target.signal },
    )
    if (ETag === undefined) throw new Error('A part without ETag')
    buffers.giveBack(part.buffer)
    return { ETag, PartNumber: number }
  } catch (error) {
    throw s3Error(error)
  }
}

/**
 * Does the request that makes the object. Where its answer is lost, or says that the key is taken, which the SDK's
 * own repetition brings about, a look at the object decides.
 */
async function settled(s3: S3Calls, target: Target, make: () => Promise<unknown>): Promise<void> {
  try {
    await make()
  } catch (error) {
    const isOurs = await hasMark(s3, target)
    if (isOurs && !target.signal.aborted) return
    if (isOurs) await remove(s3, target.key)
    if (isTaken(error)) throw new StrongroomError('internal', { cause: error })
    throw s3Error(error)
  }
}

async function hasMark(s3: S3Calls, { key, mark }: Target): Promise<boolean> {
  try {
    const { Metadata } = await s3.send(
      new HeadObjectCommand({ Bucket: s3.settings.bucket, Key: key }),
    )
    return Metadata?.[MARK] === mark
  } catch (error) {
    if (isMissing(error)) return false
    // In doubt: who asked is told that it failed, and the sweep finds what may be there.
    throw s3Error(error)
  }
}

async function remove(s3: S3Calls, key: string): Promise<void> {
  await s3.send(new DeleteObjectCommand({ Bucket: s3.settings.bucket, Key: key }))
}

const unlessThere = ({ hasConditions }: S3Calls) => (hasConditions ? { IfNoneMatch: '*' } : {})

/** The request; once more, without conditions, where the server does not know them. */
async function withConditions(s3: S3Calls, key: string, send: () => Promise<unknown>) {
  try {
    return await send()
  } catch (error) {
    if (!s3.hasConditions || !knowsNoConditions(error)) throw error
    s3.hasConditions = false
    await assertFree(s3, key)
    return await send()
  }
}

/** For servers that would write over an object: ids are drawn at random, so this finds mistakes, not races. */
async function assertFree(s3: S3Calls, key: string): Promise<void> {
  try {
    await s3.send(new HeadObjectCommand({ Bucket: s3.settings.bucket, Key: key }))
  } catch (error) {
    if (isMissing(error)) return
    throw s3Error(error)
  }
  throw new StrongroomError('internal', { cause: 'the key is taken' })
}
