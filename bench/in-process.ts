import { randomBytes, randomUUID } from 'node:crypto'
import { FernetKey } from '../src/crypto/fernet-key.js'
import { openRange, type SealedBytes } from '../src/crypto/open-stream.js'
import { sealStream } from '../src/crypto/seal-stream.js'
import { defaultSegmentSizeLog2 } from '../src/crypto/segment-format.js'
import { SegmentSealer } from '../src/crypto/segment-sealer.js'

const length = 128 * 1024 * 1024
/** As a socket gives them. */
const pieceSize = 65_536
/** As the disk store gives them. */
const readSize = 256 * 1024

/** Bytes a second that this thread seals, hash included; what comes out is dropped. */
export async function sealingRate(): Promise<number> {
  const { source, seal } = sealing(length)
  const start = performance.now()
  await drop(seal(source()))
  return (length * 1000) / (performance.now() - start)
}

/** Bytes a second that this thread opens of a sealed file in memory; what comes out is dropped. */
export async function openingRate(): Promise<number> {
  const { key, sealedId, sealed } = await sealedFile()
  const start = performance.now()
  const pieces = openRange({
    key,
    sealedId,
    sealedBytes: inMemory(sealed),
    dataLength: length,
    start: 0,
    end: length,
  })
  await drop(pieces)
  return (length * 1000) / (performance.now() - start)
}

async function drop(pieces: AsyncIterable<Buffer>): Promise<void> {
  for await (const piece of pieces) if (piece.length === 0) throw new Error('An empty piece')
}

function sealing(bytes: number) {
  const [key, sealedId] = [FernetKey.generate(), randomUUID()]
  const sealer = new SegmentSealer({ key, sealedId, segmentSizeLog2: defaultSegmentSizeLog2 })
  const piece = randomBytes(pieceSize)
  async function* source() {
    for (let at = 0; at < bytes; at += pieceSize) yield await Promise.resolve(piece)
  }
  return { key, sealedId, source, seal: (from: AsyncIterable<Buffer>) => sealStream(from, sealer) }
}

let made: { key: FernetKey; sealedId: string; sealed: Buffer } | undefined

async function sealedFile() {
  if (made !== undefined) return made
  const { key, sealedId, source, seal } = sealing(length)
  const pieces: Buffer[] = []
  for await (const piece of seal(source())) pieces.push(piece)
  made = { key, sealedId, sealed: Buffer.concat(pieces) }
  return made
}

function inMemory(sealed: Buffer): SealedBytes {
  return {
    length: sealed.length,
    async *read(start, end) {
      for (let at = start; at < end; at += readSize) {
        yield await Promise.resolve(sealed.subarray(at, Math.min(end, at + readSize)))
      }
    },
  }
}
