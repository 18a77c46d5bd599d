import { randomBytes, randomUUID } from 'node:crypto'
import t, { type Test } from 'tap'
import { s3BlobStore } from '../../src/blobs/s3/s3-blob-store.js'
import { pieces } from '../helpers/blob-store-contract.js'
import { type Asked, type Fault, flakyProxy } from '../helpers/flaky-proxy.js'
import { bucketOf, bucketSettings, testS3 } from '../helpers/s3-bucket.js'

// A real S3 server behind a line that spoils what is asked and answered.

const MIB = 1024 * 1024

async function flakyStore(t: Test, { verify = true }: { readonly verify?: boolean } = {}) {
  const proxy = await flakyProxy(testS3().endpoint)
  const settings = bucketSettings({ endpoint: proxy.origin, timeoutMs: 2_000 })
  const bucket = bucketOf(settings)
  await bucket.make()
  const retried: string[] = []
  const onRetried = (operation: string) => retried.push(operation)
  const store = await s3BlobStore({ settings, verify, onRetried })
  t.teardown(async () => {
    store.close()
    bucket.close()
    await proxy.close()
  })
  proxy.asked.length = 0
  const read = async (id: string, start = 0, end?: number) => {
    const blob = await store.open(id)
    const got: Uint8Array[] = []
    try {
      for await (const piece of blob.read(start, end ?? blob.length)) got.push(piece)
    } finally {
      await blob.close()
    }
    return Buffer.concat(got)
  }
  /** Nothing is left in the bucket: no object, no part. */
  const isEmpty = async (t: Test, message: string) => {
    t.same([...(await bucket.keys()), ...(await bucket.uploads())], [], message)
  }
  return { store, proxy, bucket, retried, read, isEmpty }
}

/** The fault on the first `times` requests that are meant, then none. */
function faults(meant: (asked: Asked) => boolean, fault: Fault, times = 1) {
  let left = times
  return (asked: Asked) => (meant(asked) && left-- > 0 ? fault : undefined)
}

const unavailable = { code: 'storage_unavailable' }
const slowDown: Fault = { kind: 'refuse', status: 503, code: 'SlowDown' }
const isPut = ({ method, path }: Asked) => method === 'PUT' && !path.includes('partNumber')
const isPart = ({ path }: Asked) => path.includes('partNumber=')
const isBegin = ({ method, path }: Asked) => method === 'POST' && path.includes('uploads')
const isComplete = ({ method, path }: Asked) =>
  method === 'POST' && path.includes('uploadId=') && !path.includes('uploads')
const isGet = ({ method, path }: Asked) =>
  method === 'GET' && /\/[\da-f]{2}\/[\da-f]{2}\//.test(path)

const small = randomBytes(70_000)
const large = randomBytes(17 * MIB + 12_345)

void t.test('what passes by itself is tried again, and what was put is there once', async (t) => {
  const { store, proxy, bucket, retried, read } = await flakyStore(t)
  const cases: readonly [string, (asked: Asked) => boolean, Fault, Buffer][] = [
    ['SlowDown', isPut, slowDown, small],
    ['a connection that goes', isPut, { kind: 'drop' }, small],
    ['a body cut on its way', isPut, { kind: 'cut request', after: 30_000 }, small],
    ['an answer that is lost', isPut, { kind: 'lose answer' }, small],
    ['SlowDown of a part', isPart, slowDown, large],
    ['a part cut on its way', isPart, { kind: 'cut request', after: 2 * MIB }, large],
    ['the answer to a part lost', isPart, { kind: 'lose answer' }, large],
    ['the answer to the beginning lost', isBegin, { kind: 'lose answer' }, large],
    ['the answer to the completion lost', isComplete, { kind: 'lose answer' }, large],
    ['SlowDown of the completion', isComplete, slowDown, large],
  ]
  for (const [name, meant, fault, bytes] of cases) {
    const id = randomUUID()
    proxy.behave(faults(meant, fault))
    t.same(await store.put(id, pieces(bytes, 100_000)), { length: bytes.length }, name)
    proxy.behave(() => undefined)
    t.ok(bytes.equals(await read(id)), `${name}: its bytes come back`)
    t.same(await bucket.uploads(), [], `${name}: no upload is left open`)
    await store.remove(id)
  }
  t.ok(retried.length >= 8, `told of ${retried.length}`)
})

void t.test('what does not pass is an error, and nothing is left', async (t) => {
  const { store, proxy, isEmpty } = await flakyStore(t)
  const always = 1_000
  const cases: readonly [string, (asked: Asked) => boolean, Fault, Buffer][] = [
    ['a put', isPut, slowDown, small],
    ['a put without connection', isPut, { kind: 'drop' }, small],
    ['the third part', ({ path }) => path.includes('partNumber=3'), slowDown, large],
    ['a part that goes', isPart, { kind: 'drop' }, large],
    ['the beginning', isBegin, slowDown, large],
    ['the beginning, its answers lost', isBegin, { kind: 'lose answer' }, large],
    ['the completion', isComplete, slowDown, large],
    [
      'a put that is forbidden',
      isPut,
      { kind: 'refuse', status: 403, code: 'AccessDenied' },
      small,
    ],
  ]
  for (const [name, meant, fault, bytes] of cases) {
    proxy.behave(faults(meant, fault, always))
    await t.rejects(store.put(randomUUID(), pieces(bytes, 100_000)), unavailable, name)
    proxy.behave(() => undefined)
    await isEmpty(t, `${name}: nothing is left`)
  }
})

void t.test('a line that is slow in mid-part ends the put within its time limit', async (t) => {
  const { store, proxy, isEmpty } = await flakyStore(t)
  proxy.behave(faults(isPart, { kind: 'delay', ms: 60_000 }, 1_000))
  const begun = performance.now()
  await t.rejects(store.put(randomUUID(), pieces(large, 100_000)), unavailable)
  t.ok(performance.now() - begun < 12_000, 'three times two seconds, and pauses')
  proxy.behave(() => undefined)
  await isEmpty(t, 'nothing is left')
})

void t.test('aborts at every stage of a put in parts leave no upload behind', async (t) => {
  const { store, proxy, isEmpty } = await flakyStore(t)
  const stages: readonly [string, (asked: Asked) => boolean][] = [
    ['at its beginning', isBegin],
    ['at the first part', ({ path }) => path.includes('partNumber=1')],
    ['at the last part', ({ path }) => path.includes('partNumber=4')],
    ['at its completion', isComplete],
  ]
  for (const [name, meant] of stages) {
    for (const passesFirst of [false, true]) {
      const stop = new AbortController()
      const reason = new Error('the client went away')
      proxy.behave((asked) => {
        if (!meant(asked)) return undefined
        // Either it reaches the server first, or the server never hears of it.
        setTimeout(
          () => {
            stop.abort(reason)
          },
          passesFirst ? 30 : 0,
        )
        return passesFirst ? undefined : { kind: 'delay', ms: 200 }
      })
      const put = store.put(randomUUID(), pieces(large, 100_000), { signal: stop.signal })
      const outcome = await put.then(
        () => 'done',
        (error: unknown) => error,
      )
      proxy.behave(() => undefined)
      if (outcome === 'done') {
        t.ok(passesFirst, `${name}: it was complete before the abort`)
        for await (const { id } of store.list()) await store.remove(id)
      } else t.equal(outcome, reason, `${name}: the reason comes through`)
      await new Promise((resolve) => setTimeout(resolve, 250))
      await isEmpty(t, `${name}: nothing is left`)
    }
  }
})

void t.test('a reading that is cut goes on where it was', async (t) => {
  const { store, proxy, read } = await flakyStore(t)
  const id = randomUUID()
  await store.put(id, pieces(large, 100_000))
  const cases: readonly [string, Fault, number][] = [
    ['cut', { kind: 'cut answer', after: 3 * MIB }, 3],
    ['cut at once', { kind: 'cut answer', after: 0 }, 2],
    ['stalled', { kind: 'stall answer', after: 5 * MIB }, 2],
    ['refused', slowDown, 2],
    ['dropped', { kind: 'drop' }, 2],
  ]
  for (const [name, fault, times] of cases) {
    proxy.asked.length = 0
    proxy.behave(faults((asked) => isGet(asked) && asked.range !== 'bytes=0-16383', fault, times))
    t.ok(large.equals(await read(id)), `${name}: every byte, once`)
    t.ok(proxy.asked.length > times, `${name}: asked ${proxy.asked.length} times`)
  }
  proxy.behave(faults(isGet, { kind: 'cut answer', after: 0 }, 1_000))
  await t.rejects(read(id), unavailable, 'not for ever')
  proxy.behave(() => undefined)
})

void t.test(
  'a range asks for its own bytes and no more, on connections that are kept',
  async (t) => {
    const { store, proxy, read } = await flakyStore(t)
    const id = randomUUID()
    await store.put(id, pieces(large, 100_000))
    proxy.asked.length = 0
    t.ok(large.subarray(9 * MIB, 9 * MIB + 1000).equals(await read(id, 9 * MIB, 9 * MIB + 1000)))
    t.same(
      proxy.asked.map(({ range }) => range),
      ['bytes=0-16383', `bytes=${9 * MIB}-${9 * MIB + 999}`],
    )
    proxy.asked.length = 0
    t.ok(large.subarray(0, 16_000).equals(await read(id, 0, 16_000)))
    t.equal(proxy.asked.length, 1, 'what came when it was opened is not asked for again')
    for (let i = 0; i < 100; i++) {
      const blob = await store.open(id)
      for await (const piece of blob.read(0, blob.length)) {
        if (piece.length > 0 && i % 2 === 0) break
        if (i % 2 === 1) break
      }
      await blob.close()
    }
    t.ok((await proxy.connections()) < 64, 'a hundred that were left early hold no connection')
    t.ok(large.equals(await read(id)), 'and the next is read')
  },
)

void t.test('a server that knows no conditions is asked first', async (t) => {
  const noConditions: Fault = { kind: 'refuse', status: 501, code: 'NotImplemented' }
  const { store, proxy, read } = await flakyStore(t, { verify: false })
  // Only a put with a condition is refused so: the first one is, then none has one.
  proxy.behave(faults(isPut, noConditions))
  const id = randomUUID()
  await store.put(id, pieces(small, 10_000))
  proxy.behave(() => undefined)
  t.ok(small.equals(await read(id)))
  await t.rejects(store.put(id, pieces(Buffer.from('other'), 2)), { code: 'internal' })
  await t.rejects(store.put(id, pieces(large, 100_000)), { code: 'internal' })
  t.ok(small.equals(await read(id)), 'it is not replaced')
})

void t.test('uploads that a killed process left are debris, by their age', async (t) => {
  const { store, bucket } = await flakyStore(t)
  const other = await flakyStore(t)
  t.equal(await other.store.removeDebris(0), 0)
  const stop = new AbortController()
  const id = randomUUID()
  async function* endless() {
    for (;;) {
      await new Promise((resolve) => setTimeout(resolve, 5))
      yield large.subarray(0, MIB)
    }
  }
  const put = store.put(id, endless(), { signal: stop.signal })
  while ((await bucket.uploads()).length === 0) await new Promise((r) => setTimeout(r, 20))
  t.equal(await store.removeDebris(0), 0, 'its own is under way')
  const settings = { ...bucketSettings(), bucket: bucket.name }
  const stranger = await s3BlobStore({ settings })
  t.equal(await stranger.removeDebris(3_600_000), 0, 'young')
  t.equal(await stranger.removeDebris(0, { dryRun: true }), 1)
  t.equal(await stranger.removeDebris(0), 1)
  stranger.close()
  t.same(await bucket.uploads(), [])
  stop.abort(new Error('enough'))
  await t.rejects(put)
})
