import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import t from 'tap'
import { CryptoError } from '../../../src/crypto/crypto-error.js'
import { FernetKey } from '../../../src/crypto/fernet-key.js'
import { openRange, readHeader, type SealedBytes } from '../../../src/crypto/open-stream.js'
import { openMetadata, sealMetadata } from '../../../src/crypto/sealed-metadata.js'
import { sealedLength } from '../../../src/crypto/segment-format.js'
import { SegmentSealer } from '../../../src/crypto/segment-sealer.js'
import {
  collect,
  collectUntilError,
  inChunks,
  patternOf,
  refusalOf,
  storeOf,
  type WatchedBytes,
} from '../../helpers/sealed-files.js'

const key = FernetKey.generate()
const sealedId = '0192c7a4-5b1e-4c3d-8e2f-a1b2c3d4e5f6'
const S = 65536
const sealedS = S + 105
const sizes = [0, 1, 15, 16, S - 1, S, S + 1, 2 * S - 1, 2 * S, 2 * S + 1]

function seal(data: Uint8Array, segmentSizeLog2 = 16): Buffer {
  const sealer = new SegmentSealer({ key, sealedId, segmentSizeLog2 })
  return Buffer.concat([...sealer.update(data), ...sealer.final()])
}

const files = new Map(sizes.map((size) => [size, seal(patternOf(size))]))
const sealedOf = (size: number) => files.get(size) ?? Buffer.alloc(0)

function open(sealedBytes: SealedBytes, dataLength: number, start = 0, end = dataLength) {
  return openRange({ key, sealedId, sealedBytes, dataLength, start, end })
}

async function failureOf(source: AsyncIterable<Uint8Array>) {
  const { given, error } = await collectUntilError(source)
  if (error instanceof CryptoError) return { given, reason: error.reason, segment: error.segment }
  throw new Error('It opened, or failed otherwise', { cause: error })
}

await t.test('what was sealed opens, in chunks of any length', async (t) => {
  for (const size of sizes) {
    for (const chunkLength of [7777, S, sealedS, 10 * S]) {
      const store = storeOf(sealedOf(size), chunkLength)
      const data = await collect(open(store, size))
      t.ok(data.equals(patternOf(size)), `${size} in ${chunkLength}`)
      t.equal(store.open, 0)
      t.equal(store.reads, 1, 'a whole file is one read')
      t.equal(store.asked, sealedOf(size).length)
    }
  }
})

await t.test(
  'a range is the slice of the data, and costs its bytes and two segments',
  async (t) => {
    const anyRange = fc.constantFrom(...sizes).chain((size) =>
      fc.record({
        size: fc.constant(size),
        bounds: fc.tuple(fc.nat({ max: size }), fc.nat({ max: size })),
        chunkLength: fc.integer({ min: 500, max: 3 * S }),
        known: fc.boolean(),
      }),
    )
    await fc.assert(
      fc.asyncProperty(anyRange, async ({ size, bounds, chunkLength, known }) => {
        const [start, end] = [Math.min(...bounds), Math.max(...bounds)]
        const store = storeOf(sealedOf(size), chunkLength)
        const header = known ? { header: { sealedId, segmentSizeLog2: 16 } } : {}
        const given = openRange({
          ...{ key, sealedId, sealedBytes: store, dataLength: size, start, end },
          ...header,
        })
        t.ok((await collect(given)).equals(patternOf(end - start, start)))
        t.ok(store.asked <= end - start + 2 * sealedS)
        t.equal(store.open, 0)
      }),
      { seed: 13, numRuns: 150 },
    )
  },
)

await t.test('ranges at the bounds of segments read the segments they touch', async (t) => {
  const size = 2 * S + 1
  const rows: [start: number, end: number, segments: number][] = [
    [0, 1, 1],
    [S - 1, S, 1],
    [S, S + 1, 1],
    [S - 1, S + 1, 2],
    [0, S, 1],
    [S, 2 * S, 1],
    [5, 5, 0],
  ]
  for (const [start, end, segments] of rows) {
    const store = storeOf(sealedOf(size))
    const data = await collect(open(store, size, start, end))
    t.ok(data.equals(patternOf(end - start, start)), `${start}-${end}`)
    t.equal(store.asked, 32 + segments * sealedS, `${start}-${end}`)
  }
  const store = storeOf(sealedOf(size))
  t.equal((await collect(open(store, size, 2 * S, size))).length, 1)
  t.equal(store.asked, 32 + 105)
})

await t.test('other segment sizes', async (t) => {
  for (const log2 of [17, 18, 22]) {
    const data = patternOf(2 ** log2 + 5)
    const store = storeOf(seal(data, log2))
    const range = await collect(open(store, data.length, 2 ** log2 - 3, data.length - 1))
    t.ok(range.equals(data.subarray(-8, -1)))
    t.same(await readHeader(store, sealedId), { sealedId, segmentSizeLog2: log2 })
  }
})

await t.test('a range outside the file is refused before anything is read', async (t) => {
  const store = storeOf(sealedOf(16))
  for (const [start, end] of [
    [0, 17],
    [-1, 3],
    [5, 4],
    [0.5, 3],
    [0, Number.NaN],
  ] as const) {
    await t.rejects(collect(open(store, 16, start, end)), RangeError)
  }
  t.equal(store.reads, 0)
})

await t.test('a header for another file is refused', async (t) => {
  const store = storeOf(sealedOf(16))
  const header = { sealedId: '7f3a1c9e-0d4b-4a86-9b57-60718293a4b5', segmentSizeLog2: 16 }
  const options = { key, sealedId, sealedBytes: store, dataLength: 16, start: 0, end: 16, header }
  t.match(await failureOf(openRange(options)), { reason: 'header' })
  t.equal(store.reads, 0)
})

await t.test('every byte of a small file counts', async (t) => {
  const sealed = sealedOf(16)
  for (let at = 0; at < sealed.length; at++) {
    for (const bit of [1, 16, 128]) {
      const changed = Buffer.from(sealed)
      changed[at] = (changed[at] ?? 0) ^ bit
      const { given } = await failureOf(open(storeOf(changed), 16))
      t.equal(given.length, 0, `byte ${at}, bit ${bit}`)
    }
  }
})

await t.test('every bit of the header counts', async (t) => {
  for (const size of [16, S + 1]) {
    for (let bit = 0; bit < 256; bit++) {
      const changed = Buffer.from(sealedOf(size))
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      const { given, reason } = await failureOf(open(storeOf(changed), size))
      t.equal(given.length, 0, `bit ${bit}`)
      if (bit >> 3 !== 8) t.equal(reason, 'header', `bit ${bit}`)
    }
  }
})

await t.test(
  'a byte changed anywhere in a longer file gives out no byte of its segment',
  async (t) => {
    const sealed = sealedOf(2 * S + 1)
    const anyByte = fc.integer({ min: 32, max: sealed.length - 1 })
    await fc.assert(
      fc.asyncProperty(anyByte, fc.integer({ min: 1, max: 255 }), async (at, change) => {
        const changed = Buffer.from(sealed)
        changed[at] = (changed[at] ?? 0) ^ change
        const index = Math.floor((at - 32) / sealedS)
        const { given, segment } = await failureOf(open(storeOf(changed), 2 * S + 1))
        t.equal(segment, index)
        t.ok(given.equals(patternOf(index * S)))
      }),
      { seed: 17, numRuns: 40 },
    )
  },
)

await t.test(
  'a length that is not the metadata’s is refused before a segment is read',
  async (t) => {
    for (const [size, said] of [
      [S, S + 1],
      [S + 1, S],
      [16, 0],
      [0, 16],
      [1, S],
    ] as const) {
      const store = storeOf(sealedOf(size))
      const { given, reason } = await failureOf(open(store, said, 0, Math.min(1, said)))
      t.equal(reason, sealedLength(said, 16) > store.length ? 'cut' : 'trailing')
      t.equal(given.length, 0)
      t.equal(store.open, 0)
    }
  },
)

await t.test('a store that lies', async (t) => {
  const sealed = sealedOf(S + 1)
  const lying = (read: SealedBytes['read']): SealedBytes => ({ length: sealed.length, read })
  const gives = (bytes: Uint8Array) => lying(() => inChunks(bytes, 5000))

  const short = gives(sealed.subarray(0, -1))
  t.match(await failureOf(open(short, S + 1)), { reason: 'cut', segment: 1 })
  t.match(await failureOf(open(gives(Buffer.alloc(0)), S + 1)), { reason: 'cut' })
  const long = gives(Buffer.concat([sealed, Buffer.alloc(1)]))
  const { given, reason } = await failureOf(open(long, S + 1))
  t.equal(reason, 'trailing')
  t.ok(given.equals(patternOf(S)), 'the last segment is held back')
  const all = lying(() => inChunks(sealed, 5000))
  t.match(await failureOf(open(all, S + 1, 5, 6)), { reason: 'trailing' }, 'the whole, not a range')

  const sparse = lying(async function* (start, end) {
    for (let at = start; at < end; at += 9000) {
      yield await Promise.resolve(new Uint8Array(0))
      yield sealed.subarray(at, Math.min(end, at + 9000))
    }
    yield new Uint8Array(0)
  })
  t.ok((await collect(open(sparse, S + 1))).equals(patternOf(S + 1)), 'empty chunks')
})

await t.test('a store that fails is heard, and closed', async (t) => {
  let closed = 0
  const sealed = sealedOf(S + 1)
  const failing: SealedBytes = {
    length: sealed.length,
    async *read() {
      try {
        yield await Promise.resolve(sealed.subarray(0, 40000))
        throw new Error('the disk is gone')
      } finally {
        closed += 1
      }
    },
  }
  await t.rejects(collect(open(failing, S + 1)), /the disk is gone/)
  t.equal(closed, 1)
})

await t.test('a consumer that stops early closes the store’s read', async (t) => {
  const stop = async (store: WatchedBytes, end: number) => {
    for await (const piece of open(store, 2 * S + 1, 0, end)) if (piece.length > 0) break
    t.equal(store.open, 0)
  }
  await stop(storeOf(sealedOf(2 * S + 1), 1000), 2 * S + 1)
  await stop(storeOf(sealedOf(2 * S + 1), 1000), S + 5)
  const store = storeOf(sealedOf(16))
  await open(store, 16).return()
  t.equal(store.open, 0, 'not even begun')
})

await t.test('a read that fails after the consumer has stopped troubles no one', async (t) => {
  const sealed = sealedOf(S + 1)
  const failing: SealedBytes = {
    length: sealed.length,
    async *read() {
      yield await Promise.resolve(sealed.subarray(0, 32 + sealedS))
      throw new Error('too late to matter')
    },
  }
  for await (const piece of open(failing, S + 1)) if (piece.length > 0) break
  await new Promise((resolve) => setImmediate(resolve))
  t.pass()
})

await t.test('the next read is under way while a segment is opened', async (t) => {
  const sealed = sealedOf(2 * S + 1)
  let asked = 0
  const store: SealedBytes = {
    length: sealed.length,
    read: () => ({
      [Symbol.asyncIterator]: () => ({
        next: () => {
          const at = asked * sealedS + (asked === 0 ? 0 : 32)
          asked += 1
          const done = at >= sealed.length
          const value = sealed.subarray(at, asked * sealedS + 32)
          return Promise.resolve(done ? { done, value: undefined } : { done, value })
        },
      }),
    }),
  }
  const opening = open(store, 2 * S + 1)
  const first = await opening.next()
  t.ok(first.done === false && first.value.length > 0)
  t.equal(asked, 2)
  await opening.return()
})

await t.test('a destroyed key opens nothing', async (t) => {
  const gone = FernetKey.generate()
  gone.destroy()
  const store = storeOf(sealedOf(16))
  const options = { key: gone, sealedId, sealedBytes: store, dataLength: 16, start: 0, end: 16 }
  await t.rejects(collect(openRange(options)), /destroyed/)
  t.equal(store.open, 0)
})

await t.test('metadata opens under its key, id and segment size, and can be sealed again', (t) => {
  const json = Buffer.from('{"filename":"scan.pdf"}')
  const token = sealMetadata(key, sealedId, 18, json)
  t.same(openMetadata(key, sealedId, 18, token), json)
  t.notSame(sealMetadata(key, sealedId, 18, json), token, 'a new IV each time')
  t.same(
    openMetadata(key, sealedId, 18, sealMetadata(key, sealedId, 18, Buffer.alloc(0))),
    Buffer.alloc(0),
  )
  const other = '7f3a1c9e-0d4b-4a86-9b57-60718293a4b5'
  t.match(
    refusalOf(() => openMetadata(key, other, 18, token)),
    { reason: 'label', sealedId: other },
  )
  t.match(
    refusalOf(() => openMetadata(key, sealedId, 17, token)),
    { reason: 'label' },
  )
  t.match(
    refusalOf(() => openMetadata(FernetKey.generate(), sealedId, 18, token)),
    {
      reason: 'unauthentic',
      segment: 'metadata',
    },
  )
  t.match(
    refusalOf(() => openMetadata(key, sealedId, 18, randomBytes(20))),
    { reason: 'malformed' },
  )
  t.end()
})
