import { createHash } from 'node:crypto'
import fc from 'fast-check'
import t from 'tap'
import { FernetKey } from '../../../src/crypto/fernet-key.js'
import { sealStream } from '../../../src/crypto/seal-stream.js'
import { sealedLength, segmentCount, segmentPlace } from '../../../src/crypto/segment-format.js'
import { SegmentSealer } from '../../../src/crypto/segment-sealer.js'
import { collect, handMadeFile, inChunks, patternOf } from '../../helpers/sealed-files.js'

const key = FernetKey.generate()
const sealedId = '0192c7a4-5b1e-4c3d-8e2f-a1b2c3d4e5f6'
const S = 65536
const sizes = [0, 1, 15, 16, 17, S - 1, S, S + 1, 2 * S - 1, 2 * S, 2 * S + 1]
const newSealer = () => new SegmentSealer({ key, sealedId, segmentSizeLog2: 16 })

function sealInChunks(data: Uint8Array, chunkLength: number): Buffer {
  const sealer = newSealer()
  const pieces: Buffer[] = []
  for (let at = 0; at < data.length; at += chunkLength) {
    pieces.push(...sealer.update(data.subarray(at, at + chunkLength)))
  }
  pieces.push(...sealer.final())
  return Buffer.concat(pieces)
}

/** The same file by the plain writer, with the times and IVs found in `sealed`. */
function rewritten(sealed: Buffer, data: Buffer): Buffer {
  const count = segmentCount(data.length, 16)
  const segments = Array.from({ length: count }, (_, index) => {
    const place = segmentPlace(data.length, 16, index)
    return {
      data: data.subarray(place.dataStart, place.dataStart + place.dataLength),
      index,
      flag: index === count - 1 ? 1 : 0,
      seconds: Number(sealed.readBigUInt64BE(place.sealedStart + 1)),
      iv: sealed.subarray(place.sealedStart + 9, place.sealedStart + 25),
    }
  })
  return handMadeFile(key, sealedId, 16, segments)
}

for (const [feed, chunkLength] of [
  ['whole', 10 * S],
  ['in chunks', 4093],
  ['in segments', S],
  ['byte by byte', 1],
] as const) {
  await t.test(`every size at a bound, fed ${feed}`, (t) => {
    for (const size of sizes) {
      const data = patternOf(size)
      const sealed = sealInChunks(data, chunkLength)
      t.equal(sealed.length, sealedLength(size, 16), `${size}: length`)
      t.ok(sealed.equals(rewritten(sealed, data)), `${size}: as the plain writer makes it`)
    }
    t.end()
  })
}

await t.test('chunks of any length', (t) => {
  fc.assert(
    fc.property(fc.array(fc.nat({ max: S }), { maxLength: 8 }), (lengths) => {
      const data = patternOf(lengths.reduce((sum, length) => sum + length, 0))
      const sealer = newSealer()
      const pieces: Buffer[] = []
      let at = 0
      for (const length of lengths) {
        pieces.push(...sealer.update(data.subarray(at, at + length)))
        at += length
      }
      const sealed = Buffer.concat([...pieces, ...sealer.final()])
      t.ok(sealed.equals(rewritten(sealed, data)))
    }),
    { seed: 11, numRuns: 25 },
  )
  t.end()
})

await t.test('every segment has an IV of its own', (t) => {
  const sealed = sealInChunks(Buffer.alloc(3 * S), S)
  const ivs = [0, 1, 2].map((index) => {
    const start = segmentPlace(3 * S, 16, index).sealedStart
    return sealed.subarray(start + 9, start + 25).toString('hex')
  })
  t.equal(new Set(ivs).size, 3)
  t.end()
})

await t.test('a full segment stays open until it is known whether it is the last', (t) => {
  const sealer = newSealer()
  const full = Buffer.concat(sealer.update(Buffer.alloc(S)))
  t.equal(full.length, 32 + 25 + S)
  t.same(sealer.update(Buffer.alloc(0)), [])
  t.equal(Buffer.concat(sealer.update(Buffer.alloc(1))).length, 48 + 32 + 25)
  t.end()
})

await t.test('size and SHA-256 are those of the data', (t) => {
  const data = patternOf(S + 77)
  const sealer = newSealer()
  sealer.update(data.subarray(0, 100))
  t.equal(sealer.size, 100)
  t.throws(() => sealer.sha256, /not finished/)
  sealer.update(data.subarray(100))
  sealer.final()
  t.equal(sealer.size, data.length)
  t.same(sealer.sha256, createHash('sha256').update(data).digest())
  t.end()
})

await t.test('a finished sealing takes nothing more', (t) => {
  const sealer = newSealer()
  sealer.final()
  t.throws(() => sealer.update(Buffer.alloc(1)), /finished/)
  t.throws(() => sealer.final(), /finished/)
  t.end()
})

await t.test('what was handed out is never written again, what was handed in is not kept', (t) => {
  const sealer = newSealer()
  const chunk = Buffer.alloc(S / 2)
  const pieces: Buffer[] = []
  const copies: Buffer[] = []
  for (let round = 0; round < 5; round++) {
    chunk.set(patternOf(chunk.length, round * chunk.length))
    const given = sealer.update(chunk)
    chunk.fill(0xff)
    pieces.push(...given)
    copies.push(...given.map((piece) => Buffer.from(piece)))
  }
  const end = sealer.final()
  t.same(Buffer.concat(pieces), Buffer.concat(copies))
  const sealed = Buffer.concat([...pieces, ...end])
  t.ok(sealed.equals(rewritten(sealed, patternOf(5 * chunk.length))))
  t.end()
})

await t.test('a segment size or a sealed id outside the format is refused', (t) => {
  t.throws(() => new SegmentSealer({ key, sealedId, segmentSizeLog2: 15 }), RangeError)
  t.throws(() => new SegmentSealer({ key, sealedId, segmentSizeLog2: 23 }), RangeError)
  t.throws(() => new SegmentSealer({ key, sealedId: 'x', segmentSizeLog2: 16 }), RangeError)
  t.end()
})

await t.test('a stream is sealed as it comes', async (t) => {
  for (const size of [0, 1, S, 2 * S + 1]) {
    for (const chunkLength of [1000, 3 * S]) {
      const data = patternOf(size)
      const sealed = await collect(sealStream(inChunks(data, chunkLength), newSealer()))
      t.ok(sealed.equals(rewritten(sealed, data)), `${size} in ${chunkLength}`)
    }
  }
})

await t.test(
  'a source that fails leaves no last segment, and one that is left is closed',
  async (t) => {
    async function* failing() {
      yield await Promise.resolve(patternOf(100))
      throw new Error('the client is gone')
    }
    const given: Buffer[] = []
    const sealer = newSealer()
    await t.rejects(async () => {
      for await (const piece of sealStream(failing(), sealer)) given.push(piece)
    }, /client is gone/)
    t.ok(Buffer.concat(given).length < sealedLength(100, 16))
    t.throws(() => sealer.sha256, /not finished/)

    let closed = 0
    const source = inChunks(patternOf(3 * S), 100, () => {
      closed += 1
    })
    for await (const piece of sealStream(source, newSealer())) if (piece.length > 0) break
    t.equal(closed, 1)
  },
)
