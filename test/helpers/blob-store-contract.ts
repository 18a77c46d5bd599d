import { randomBytes, randomUUID } from 'node:crypto'
import { setImmediate as turn } from 'node:timers/promises'
import type { Test } from 'tap'
import type { BlobStore, SealedBlob, StoredBlob } from '../../src/blobs/blob-store.js'
import { isStrongroomError } from '../../src/errors/strongroom-error.js'

export interface StoreUnderTest {
  store: BlobStore
  /** Everything the store keeps now, complete or not, by any name: read past the store. */
  readonly kept: () => Promise<string[]>
}

/** What every blob store must do. `fresh` gives an empty one each time. */
export function blobStoreContract(t: Test, fresh: (t: Test) => Promise<StoreUnderTest>): void {
  writing(t, fresh)
  lyingSources(t, fresh)
  reading(t, fresh)
  keeping(t, fresh)
}

type Fresh = (t: Test) => Promise<StoreUnderTest>

function writing(t: Test, fresh: Fresh): void {
  void t.test('gives back what was put, whatever its length', async (t) => {
    const { store } = await fresh(t)
    for (const length of [0, 1, 10_240, 65_535, 65_536, 65_537, 262_144, 262_145, 1_000_003]) {
      const id = randomUUID()
      const bytes = randomBytes(length)
      t.same(await store.put(id, pieces(bytes, 50_000)), { length })
      const blob = await store.open(id)
      t.equal(blob.length, length)
      t.ok(bytes.equals(await readAll(blob)), `${length} bytes come back`)
      await blob.close()
    }
  })

  void t.test('takes chunks of every size', async (t) => {
    const { store } = await fresh(t)
    const bytes = randomBytes(300_000)
    for (const sizes of [[1], [0, 7, 0, 0], [65_535, 1, 2], [65_536], [100_000, 3, 70_000]]) {
      const id = randomUUID()
      const part = Math.max(...sizes) < 10 ? bytes.subarray(0, 70_000) : bytes
      await store.put(id, ofSizes(part, sizes))
      t.ok(part.equals(await readWhole(store, id)), `chunks of ${sizes.join(', ')}`)
    }
  })

  void t.test('asks for a chunk only when the last one is taken', async (t) => {
    const { store } = await fresh(t)
    let asked = 0
    let overlapping = false
    const source: AsyncIterable<Uint8Array> = {
      [Symbol.asyncIterator]: () => {
        let under = false
        return {
          next: async () => {
            overlapping ||= under
            under = true
            await turn()
            under = false
            return asked++ < 20
              ? { done: false, value: Buffer.alloc(80_000) }
              : { done: true, value: undefined }
          },
        }
      },
    }
    t.same(await store.put(randomUUID(), source), { length: 1_600_000 })
    t.equal(overlapping, false)
  })

  void t.test('keeps many at once apart', async (t) => {
    const { store } = await fresh(t)
    const shared = randomUUID().slice(0, 4)
    const ids = Array.from({ length: 40 }, (_, i) =>
      i % 2 ? randomUUID() : `${shared}${randomUUID().slice(4)}`,
    )
    const blobs = new Map(ids.map((id, i) => [id, randomBytes(1 + i * 5_000)]))
    await Promise.all([...blobs].map(([id, bytes]) => store.put(id, pieces(bytes, 9_000))))
    for (const [id, bytes] of blobs) t.ok(bytes.equals(await readWhole(store, id)))
  })

  void t.test('never replaces what is stored', async (t) => {
    const { store, kept } = await fresh(t)
    const id = randomUUID()
    await store.put(id, pieces(Buffer.from('first'), 5))
    await t.rejects(store.put(id, pieces(Buffer.from('second'), 6)), { code: 'internal' })
    t.equal((await readWhole(store, id)).toString(), 'first')
    t.equal((await kept()).length, 1)
  })

  void t.test('of two puts under one id exactly one succeeds, with its own bytes', async (t) => {
    const { store, kept } = await fresh(t)
    const id = randomUUID()
    const [a, b] = [randomBytes(90_000), randomBytes(90_000)]
    const ends = await Promise.allSettled([
      store.put(id, pieces(a, 7)),
      store.put(id, pieces(b, 7)),
    ])
    t.same(ends.map((end) => end.status).sort(), ['fulfilled', 'rejected'])
    const winner = ends[0].status === 'fulfilled' ? a : b
    t.ok(winner.equals(await readWhole(store, id)))
    t.equal((await kept()).length, 1)
  })

  void t.test('refuses every id that is not a sealed id', async (t) => {
    const { store, kept } = await fresh(t)
    for (const id of malformedIds) {
      await t.rejects(store.put(id, pieces(Buffer.from('x'), 1)), { code: 'damaged' })
      await t.rejects(store.open(id), { code: 'damaged' })
      await t.rejects(store.remove(id), { code: 'damaged' })
    }
    t.same(await kept(), [])
  })
}

function lyingSources(t: Test, fresh: Fresh): void {
  void t.test('a source that throws leaves nothing, and its error comes through', async (t) => {
    const { store, kept } = await fresh(t)
    for (const after of [0, 1, 65_536, 65_537, 500_000]) {
      const failure = new Error('the client went away')
      await t.rejects(store.put(randomUUID(), throwing(after, failure)), failure)
      t.same(await kept(), [], `nothing after ${after} bytes`)
    }
  })

  void t.test(
    'an abort while the source stalls ends the put at once and leaves nothing',
    async (t) => {
      const { store, kept } = await fresh(t)
      for (const after of [0, 1, 65_536, 300_000]) {
        const stop = new AbortController()
        const stalled = stalling(after)
        const ended = store.put(randomUUID(), stalled.source, { signal: stop.signal })
        await stalled.reached
        const reason = new Error('enough')
        stop.abort(reason)
        await t.rejects(ended, reason)
        t.same(await kept(), [], `nothing after ${after} bytes`)
      }
    },
  )

  void t.test('an abort between chunks tells the source to end', async (t) => {
    const { store, kept } = await fresh(t)
    const stop = new AbortController()
    let given = 0
    let ended = false
    async function* endless() {
      try {
        for (;;) {
          await turn()
          if (++given === 5) stop.abort(new Error('enough'))
          yield Buffer.alloc(70_000)
        }
      } finally {
        ended = true
      }
    }
    const put = store.put(randomUUID(), endless(), { signal: stop.signal })
    await t.rejects(put, { message: 'enough' })
    await turn()
    t.equal(ended, true)
    t.same(await kept(), [])
  })

  void t.test('an abort before the put starts it not', async (t) => {
    const { store, kept } = await fresh(t)
    const put = store.put(randomUUID(), pieces(Buffer.from('x'), 1), {
      signal: AbortSignal.abort(new Error('too late')),
    })
    await t.rejects(put, { message: 'too late' })
    t.same(await kept(), [])
  })

  void t.test('a put leaves no listener on its signal', async (t) => {
    const { store } = await fresh(t)
    const { signal } = new AbortController()
    const warnings: Error[] = []
    const onWarning = (warning: Error) => warnings.push(warning)
    process.on('warning', onWarning)
    for (let i = 0; i < 30; i++) {
      await store.put(randomUUID(), pieces(Buffer.from('x'), 1), { signal })
    }
    await turn()
    process.off('warning', onWarning)
    t.same(warnings, [])
  })
}

function reading(t: Test, fresh: Fresh): void {
  void t.test('reads exactly the range asked for', async (t) => {
    const { store } = await fresh(t)
    const id = randomUUID()
    const bytes = randomBytes(700_000)
    await store.put(id, pieces(bytes, 65_536))
    const blob = await store.open(id)
    const edges = [0, 1, 262_143, 262_144, 262_145, 524_288, 699_999, 700_000]
    for (const start of edges) {
      for (const end of edges.filter((edge) => edge >= start)) {
        const part = await collect(blob.read(start, end))
        t.ok(bytes.subarray(start, end).equals(part), `${start} to ${end}`)
      }
    }
    await blob.close()
  })

  void t.test('gives pieces of at most 256 KiB that stay as they are', async (t) => {
    const { store } = await fresh(t)
    const id = randomUUID()
    const bytes = randomBytes(1_100_000)
    await store.put(id, pieces(bytes, 65_536))
    const blob = await store.open(id)
    const held: Uint8Array[] = []
    for await (const piece of blob.read(0, blob.length)) held.push(piece)
    await blob.close()
    t.ok(held.every((piece) => piece.length > 0 && piece.length <= 262_144))
    t.ok(bytes.equals(Buffer.concat(held)))
  })

  void t.test('refuses ranges outside the blob', async (t) => {
    const { store } = await fresh(t)
    const id = randomUUID()
    await store.put(id, pieces(Buffer.from('0123456789'), 3))
    const blob = await store.open(id)
    for (const [start, end] of [
      [-1, 2],
      [0, 11],
      [5, 4],
      [11, 11],
      [Number.NaN, 3],
    ] as const) {
      await t.rejects(collect(blob.read(start, end)), RangeError)
    }
    await blob.close()
  })

  void t.test('two readings of one blob do not disturb each other', async (t) => {
    const { store } = await fresh(t)
    const id = randomUUID()
    const bytes = randomBytes(600_000)
    await store.put(id, pieces(bytes, 65_536))
    const blob = await store.open(id)
    const parts = await Promise.all([readAll(blob), collect(blob.read(100, 599_000))])
    t.ok(bytes.equals(parts[0]))
    t.ok(bytes.subarray(100, 599_000).equals(parts[1]))
    await blob.close()
  })

  void t.test('what is not there is damaged, by its id', async (t) => {
    const { store } = await fresh(t)
    const id = randomUUID()
    await t.rejects(store.open(id), { code: 'damaged', context: { sealed_id: id } })
  })

  void t.test('a reader who leaves early may close; closing twice is once', async (t) => {
    const { store } = await fresh(t)
    const id = randomUUID()
    await store.put(id, pieces(randomBytes(900_000), 65_536))
    const blob = await store.open(id)
    for await (const piece of blob.read(0, blob.length)) {
      t.ok(piece.length > 0)
      break
    }
    await Promise.all([blob.close(), blob.close()])
    await blob.close()
    const after = await collect(blob.read(0, 1)).catch((error: unknown) => error)
    t.ok(isStrongroomError(after), 'a closed blob reads no more')
  })
}

function keeping(t: Test, fresh: Fresh): void {
  void t.test('removes once and for all, and what is not there too', async (t) => {
    const { store, kept } = await fresh(t)
    const id = randomUUID()
    await store.put(id, pieces(Buffer.from('x'), 1))
    await Promise.all([store.remove(id), store.remove(id)])
    await store.remove(id)
    await store.remove(randomUUID())
    await t.rejects(store.open(id), { code: 'damaged' })
    t.same(await kept(), [])
  })

  void t.test('lists what is complete, in the order of ids', async (t) => {
    const { store } = await fresh(t)
    t.same(await listed(store), [])
    const before = Date.now() - 2_000
    const ids = Array.from({ length: 12 }, () => randomUUID())
    for (const [i, id] of ids.entries()) await store.put(id, pieces(randomBytes(i * 10), 5))
    const stalled = stalling(100_000)
    const stop = new AbortController()
    const unfinished = store.put(randomUUID(), stalled.source, { signal: stop.signal })
    await stalled.reached
    const blobs = await listed(store)
    t.same(
      blobs.map(({ id, length }) => ({ id, length })),
      ids.map((id, i) => ({ id, length: i * 10 })).sort((a, b) => (a.id < b.id ? -1 : 1)),
    )
    for (const { modifiedAt } of blobs) {
      t.ok(modifiedAt.getTime() >= before && modifiedAt.getTime() <= Date.now() + 2_000)
    }
    stop.abort(new Error('enough'))
    await t.rejects(unfinished)
  })

  void t.test(
    'what is set aside is in no list, and comes back where it is asked for',
    async (t) => {
      const { store, kept } = await fresh(t)
      const [id, other] = [randomUUID(), randomUUID()]
      const bytes = randomBytes(300_000)
      await store.put(id, pieces(bytes, 70_000))
      await store.put(other, pieces(bytes, 70_000))
      await store.setAside(id)
      await store.setAside(id)
      await store.setAside(randomUUID())
      t.same(
        (await listed(store)).map((blob) => blob.id),
        [other],
      )
      t.equal((await kept()).length, 2, 'nothing is destroyed')
      const readers = await Promise.all(Array.from({ length: 5 }, () => readWhole(store, id)))
      for (const found of readers) t.ok(found.equals(bytes))
      t.equal((await listed(store)).length, 2)
      t.equal((await kept()).length, 2)
    },
  )

  void t.test('what is set aside is destroyed when its time has come, or removed', async (t) => {
    const { store, kept } = await fresh(t)
    const ids = [randomUUID(), randomUUID(), randomUUID()]
    for (const id of ids) await store.put(id, pieces(randomBytes(10), 5))
    const [first = '', second = '', third = ''] = ids
    for (const id of [first, second]) await store.setAside(id)
    t.equal(await store.removeAside(3_600_000), 0, 'not yet')
    t.equal(await store.removeAside(0, { dryRun: true }), 2)
    await store.remove(first)
    t.equal((await kept()).length, 2)
    t.equal(await store.removeAside(0), 1)
    for (const id of [first, second]) await t.rejects(store.open(id), { code: 'damaged' })
    t.same(
      (await listed(store)).map((blob) => blob.id),
      [third],
    )
    t.equal((await kept()).length, 1)
  })

  void t.test('a put under way is not debris', async (t) => {
    const { store } = await fresh(t)
    const id = randomUUID()
    const gate = gated(randomBytes(200_000))
    const put = store.put(id, gate.source)
    await gate.reached
    t.equal(await store.removeDebris(0), 0)
    gate.open()
    t.same(await put, { length: 200_000 })
    t.equal((await readWhole(store, id)).length, 200_000)
  })

  void t.test('is ready, and leaves nothing by looking', async (t) => {
    const { store, kept } = await fresh(t)
    await Promise.all([store.check(), store.check()])
    t.same(await kept(), [])
  })
}

export const malformedIds = [
  '',
  '.',
  '..',
  'incoming',
  '../../../../../../../../etc/passwd-aaaa',
  '00000000-0000-0000-0000-000000000000',
  'ABCDEF01-2345-4678-9ABC-DEF012345678',
  'abcdef01-2345-1678-9abc-def012345678',
  'abcdef01-2345-4678-1abc-def012345678',
  'abcdef01-2345-4678-9abc-def01234567',
  'abcdef01-2345-4678-9abc-def0123456789',
  'abcdef01-2345-4678-9abc-def012345678\n',
  'abcdef01-2345-4678-9abc-def01234567\0',
  'ab/cdef0-2345-4678-9abc-def012345678',
  '../def01-2345-4678-9abc-def012345678',
  'abcdef01/2345/4678/9abc/def012345678',
  'é'.repeat(36),
  'a'.repeat(1_000),
]

/** `bytes` in chunks of `size`. */
export async function* pieces(bytes: Buffer, size: number): AsyncGenerator<Uint8Array> {
  for (let i = 0; i < bytes.length; i += size) {
    await Promise.resolve()
    yield bytes.subarray(i, i + size)
  }
}

/** `bytes` in chunks of these sizes by turns. */
async function* ofSizes(bytes: Buffer, sizes: number[]): AsyncGenerator<Uint8Array> {
  for (let position = 0, i = 0; position < bytes.length; i++) {
    await Promise.resolve()
    const end = position + (sizes[i % sizes.length] ?? 1)
    yield bytes.subarray(position, end)
    position = end
  }
}

async function* throwing(after: number, error: Error): AsyncGenerator<Uint8Array> {
  yield* pieces(Buffer.alloc(after), 40_000)
  throw error
}

/** Gives `after` bytes and then never answers; `reached` resolves when it stalls. */
function stalling(after: number): { source: AsyncIterable<Uint8Array>; reached: Promise<void> } {
  const { source, reached } = gated(Buffer.alloc(after))
  return { source, reached }
}

/** Gives `bytes`, and ends only when opened. */
function gated(bytes: Buffer): {
  source: AsyncIterable<Uint8Array>
  reached: Promise<void>
  open: () => void
} {
  const reached = deferred()
  const opened = deferred()
  async function* source() {
    yield* pieces(bytes, 40_000)
    reached.resolve()
    await opened.promise
  }
  return { source: source(), reached: reached.promise, open: opened.resolve }
}

function deferred(): { promise: Promise<void>; resolve: () => void } {
  let resolve = () => {
    /* replaced at once */
  }
  const promise = new Promise<void>((settle) => {
    resolve = settle
  })
  return { promise, resolve }
}

async function collect(bytes: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for await (const chunk of bytes) chunks.push(chunk)
  return Buffer.concat(chunks)
}

function readAll(blob: SealedBlob): Promise<Buffer> {
  return collect(blob.read(0, blob.length))
}

async function readWhole(store: BlobStore, id: string): Promise<Buffer> {
  const blob = await store.open(id)
  try {
    return await readAll(blob)
  } finally {
    await blob.close()
  }
}

async function listed(store: BlobStore): Promise<StoredBlob[]> {
  const blobs: StoredBlob[] = []
  for await (const blob of store.list()) blobs.push(blob)
  return blobs
}
