import type { Readable } from 'node:stream'
import { setTimeout as pause } from 'node:timers/promises'
import { GetObjectCommand, HeadObjectCommand } from '@aws-sdk/client-s3'
import { StrongroomError } from '../../errors/strongroom-error.js'
import type { SealedBlob } from '../blob-store.js'
import type { S3Calls } from './s3-calls.js'
import { damagedBlob, isMissing, isPassing, isUnsatisfiable, s3Error } from './s3-errors.js'

/** Bytes that come with the answer that says how long the object is: the header, and small files whole. */
const FIRST_BYTES = 16 * 1024
/** Times a reading that was cut is gone on with, without a MiB of progress in between. */
const MOST_CUTS = 3
const PROGRESS = 1024 * 1024
const CUT_PAUSE_MS = 200

interface Object {
  readonly s3: S3Calls
  readonly key: string
  readonly id: string
}

/** Throws an S3 error as it is where there is no such object (`isMissing`). */
export async function openObject(object: Object): Promise<SealedBlob> {
  const { first, length } = await firstBytes(object)
  const opened = { first, length, isClosed: false }
  return {
    length,
    read: (start, end) => readRange(object, opened, start, end),
    close: () => {
      opened.isClosed = true
      return Promise.resolve()
    },
  }
}

async function firstBytes(object: Object): Promise<{ first: Buffer; length: number }> {
  const { s3, key } = object
  try {
    for (let cuts = 1; ; cuts++) {
      const { total, body } = await getRange(object, 0, FIRST_BYTES)
      try {
        const first = await collected(body, s3.settings.timeoutMs)
        if (first.length !== Math.min(total, FIRST_BYTES)) throw new Error('The answer was cut')
        return { first, length: total }
      } catch (error) {
        if (cuts > MOST_CUTS) throw error
        await pause(CUT_PAUSE_MS * cuts)
      }
    }
  } catch (error) {
    if (!isUnsatisfiable(error)) throw error
    const { ContentLength } = await s3.send(
      new HeadObjectCommand({ Bucket: s3.settings.bucket, Key: key }),
    )
    if (ContentLength !== 0) throw error
    return { first: Buffer.alloc(0), length: 0 }
  }
}

async function collected(body: Readable, idleMs: number): Promise<Buffer> {
  const pieces: Uint8Array[] = []
  for await (const piece of flowing(body, idleMs)) pieces.push(piece)
  return Buffer.concat(pieces)
}

interface Opened {
  readonly first: Buffer
  readonly length: number
  readonly isClosed: boolean
}

async function* readRange(
  object: Object,
  opened: Opened,
  start: number,
  end: number,
): AsyncGenerator<Uint8Array, void> {
  const { first, length, isClosed } = opened
  if (isClosed) throw new StrongroomError('storage_unavailable', { cause: 'closed' })
  if (!(start >= 0 && start <= end && end <= length)) throw new RangeError('outside the blob')
  const known = first.subarray(start, Math.min(end, first.length))
  if (known.length > 0) yield Buffer.from(known)
  let position = start + known.length
  let cuts = 0
  let cutAt = position
  while (position < end) {
    try {
      const { total, body } = await getRange(object, position, end)
      if (total !== length) throw damagedBlob(object.id, 'another length than when it was opened')
      for await (const piece of flowing(body, object.s3.settings.timeoutMs)) {
        position += piece.length
        yield piece
      }
      if (position < end) throw new Error('The answer was cut')
    } catch (error) {
      if (isMissing(error)) throw damagedBlob(object.id, error)
      cuts = position - cutAt >= PROGRESS ? 1 : cuts + 1
      cutAt = position
      if (cuts > MOST_CUTS || !isPassing(error) || error instanceof StrongroomError) {
        throw s3Error(error)
      }
      await pause(CUT_PAUSE_MS * cuts)
    }
  }
}

/** A body that has to be read or destroyed, exactly of these bytes, and how long the object is in all. */
async function getRange({ s3, key }: Object, start: number, end: number) {
  const { Body, ContentRange, ContentLength } = await s3.send(
    new GetObjectCommand({
      ...{ Bucket: s3.settings.bucket, Key: key, Range: `bytes=${start}-${end - 1}` },
    }),
  )
  const body = Body as Readable | undefined
  const [, from, to, total] = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(ContentRange ?? '') ?? []
  const isAsked = Number(from) === start && Number(to) === Math.min(end, Number(total)) - 1
  if (body === undefined || !isAsked || ContentLength !== Number(to) - start + 1) {
    body?.destroy()
    throw new StrongroomError('storage_unavailable', {
      context: { errno: 'RangeIgnored' },
      cause: 'the server does not answer the range it was asked for',
    })
  }
  return { body, total: Number(total) }
}

/** What a body gives, which must not pause for so long while it is waited for. Destroys it at the end. */
async function* flowing(body: Readable, idleMs: number): AsyncGenerator<Buffer, void> {
  const pieces = body[Symbol.asyncIterator]() as AsyncIterator<Buffer, void>
  try {
    for (;;) {
      const timer = setTimeout(() => body.destroy(new Error('The answer stalled')), idleMs)
      const step = await pieces.next().finally(() => {
        clearTimeout(timer)
      })
      if (step.done === true) return
      yield step.value
    }
  } finally {
    // Unread, it would keep its connection.
    body.destroy()
  }
}
