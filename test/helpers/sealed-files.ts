import { createHmac } from 'node:crypto'
import { CryptoError } from '../../src/crypto/crypto-error.js'
import { sealToken } from '../../src/crypto/fernet.js'
import type { FernetKey } from '../../src/crypto/fernet-key.js'
import type { SealedBytes } from '../../src/crypto/open-stream.js'
import { encodeSealedId } from '../../src/crypto/segment-format.js'

/** What one segment of a file made by hand holds: it need not be what the format wants. */
export interface HandMadeSegment {
  readonly data: Uint8Array
  readonly index: number
  readonly flag: number
  readonly iv: Uint8Array
  readonly seconds: number
  readonly sealedId?: string
  readonly segmentSizeLog2?: number
  readonly zero?: string
  readonly version?: number
}

/** A second, plain writer of docs/FORMAT.md, to hold the streaming one against. */
export function handMadeFile(
  key: FernetKey,
  sealedId: string,
  segmentSizeLog2: number,
  segments: readonly HandMadeSegment[],
): Buffer {
  const header = Buffer.concat([
    Buffer.from('STRONGR1'),
    Buffer.from([segmentSizeLog2, 0, 0, 0, 0, 0, 0, 0]),
    encodeSealedId(sealedId),
  ])
  const tokens = segments.map((segment) => {
    const label = handMadeLabel({ sealedId, segmentSizeLog2, ...segment })
    const token = sealToken(key, Buffer.concat([segment.data, label]), segment)
    return segment.version === undefined ? token : resigned(key, token, segment.version)
  })
  return Buffer.concat([header, ...tokens])
}

/** The same token with another first byte, and an HMAC that fits it. */
function resigned(key: FernetKey, token: Buffer, version: number): Buffer {
  const body = Buffer.concat([Buffer.from([version]), token.subarray(1, -32)])
  return Buffer.concat([body, createHmac('sha256', key.signingKey).update(body).digest()])
}

function handMadeLabel(segment: {
  index: number
  flag: number
  sealedId: string
  segmentSizeLog2: number
  zero?: string
}): Buffer {
  const index = Buffer.alloc(8)
  index.writeBigUInt64BE(BigInt(segment.index))
  return Buffer.concat([
    encodeSealedId(segment.sealedId),
    index,
    Buffer.from([segment.flag, segment.segmentSizeLog2]),
    Buffer.from(segment.zero ?? '000000000000', 'hex'),
  ])
}

export interface WatchedBytes extends SealedBytes {
  /** Bytes asked for by all reads. */
  asked: number
  reads: number
  /** Reads begun and not yet closed. */
  open: number
}

/**
 * A store that gives `bytes` in chunks of `chunkLength` and may say another length. A read that
 * goes up to the end of what it says gives whatever there is.
 */
export function storeOf(
  bytes: Uint8Array,
  chunkLength: ChunkLength = 65536,
  claimedLength = bytes.length,
): WatchedBytes {
  const store: WatchedBytes = {
    length: claimedLength,
    asked: 0,
    reads: 0,
    open: 0,
    read(start, end) {
      store.reads += 1
      store.asked += end - start
      store.open += 1
      const given = bytes.subarray(start, end === claimedLength ? undefined : end)
      return inChunks(given, chunkLength, () => {
        store.open -= 1
      })
    },
  }
  return store
}

/** Length of the chunk that begins at an offset. */
export type ChunkLength = number | ((at: number) => number)

/** One byte at a time near every place where a segment of 64 KiB ends, 4 KiB elsewhere. */
export function bytewiseAtBounds(at: number): number {
  const distance = Math.min(...[0, 1, 2].map((index) => Math.abs(at - 32 - index * (65536 + 105))))
  return distance <= 400 ? 1 : Math.min(4096, distance - 400)
}

/** `bytes` in chunks; `closed` is called once, at the end or when the consumer stops. */
export function inChunks(
  bytes: Uint8Array,
  chunkLength: ChunkLength,
  closed: () => void = () => undefined,
): AsyncIterable<Uint8Array> {
  let at = 0
  let open = true
  const close = () => {
    if (open) closed()
    open = false
    return Promise.resolve({ done: true, value: undefined } as const)
  }
  const next = () => {
    if (!open || at >= bytes.length) return close()
    const length = typeof chunkLength === 'number' ? chunkLength : chunkLength(at)
    const value = bytes.subarray(at, at + length)
    at += value.length
    return Promise.resolve({ done: false, value })
  }
  return { [Symbol.asyncIterator]: () => ({ next, return: close }) }
}

export async function collect(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const pieces: Uint8Array[] = []
  for await (const piece of source) pieces.push(piece)
  return Buffer.concat(pieces)
}

/** Everything `source` gives before it ends or fails, and what it fails with. */
export async function collectUntilError(
  source: AsyncIterable<Uint8Array>,
): Promise<{ given: Buffer; error: unknown }> {
  const pieces: Uint8Array[] = []
  try {
    for await (const piece of source) pieces.push(piece)
  } catch (error) {
    return { given: Buffer.concat(pieces), error }
  }
  return { given: Buffer.concat(pieces), error: undefined }
}

/** Data that differs from segment to segment: byte i is i mod 251. */
export function patternOf(length: number, from = 0): Buffer {
  const data = Buffer.alloc(length)
  for (let index = 0; index < length; index++) data[index] = (from + index) % 251
  return data
}

/** What `open` is refused with. */
export function refusalOf(open: () => unknown): CryptoError {
  try {
    open()
  } catch (error) {
    if (error instanceof CryptoError) return error
    throw error
  }
  throw new Error('It opened')
}
