import { randomUUID } from 'node:crypto'
import { readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { localDiskBlobStore } from '../../../src/blobs/local-disk-blob-store.js'
import { measuredBlobStore } from '../../../src/blobs/measured-blob-store.js'
import { StrongroomError } from '../../../src/errors/strongroom-error.js'
import { blobStoreContract, pieces } from '../../helpers/blob-store-contract.js'

interface Call {
  readonly call: string
  readonly outcome: string
  readonly seconds: number | undefined
}

async function measuredStore(t: Test) {
  const folder = join(t.testdir(), 'files')
  const calls: Call[] = []
  const begun: string[] = []
  const watch = {
    begin: (kind: string, operation: string) => {
      begun.push(operation)
      return (outcome: string, seconds?: number) => {
        calls.push({ call: `${kind} ${operation}`, outcome, seconds })
      }
    },
  }
  const store = measuredBlobStore(await localDiskBlobStore({ folder }), watch)
  const kept = async () => {
    const entries = await readdir(folder, { recursive: true, withFileTypes: true })
    return entries.filter((entry) => !entry.isDirectory()).map(({ name }) => name)
  }
  return { folder, store, calls, begun, kept }
}

void t.test('it is a blob store like every other', (t) => {
  blobStoreContract(t, measuredStore)
  t.end()
})

void t.test('every call is told of once, with how it ended', async (t) => {
  const { folder, store, calls, begun } = await measuredStore(t)
  const id = randomUUID()
  await store.put(id, pieces(Buffer.alloc(600_000), 50_000))
  const blob = await store.open(id)
  for await (const piece of blob.read(0, 600_000)) t.ok(piece.length)
  for await (const piece of blob.read(0, 600_000)) {
    t.ok(piece.length)
    break
  }
  await blob.close()
  for await (const each of store.list()) t.equal(each.id, id)
  await t.rejects(store.open(randomUUID()), { code: 'damaged' })
  await store.setAside(id)
  await store.removeAside(0)
  await store.removeDebris(0)
  await store.remove(id)
  await store.check()
  await rm(join(folder, 'incoming'), { recursive: true })
  await writeFile(join(folder, 'incoming'), '')
  await t.rejects(store.check(), { code: 'storage_unavailable' })
  const told = calls.map(({ call, outcome }) => `${call} ${outcome}`)
  t.same(told, [
    'storage put ok',
    'storage open ok',
    'storage read ok',
    'storage read ok',
    'storage close ok',
    'storage list ok',
    'storage open damaged',
    'storage set_aside ok',
    'storage remove_aside ok',
    'storage remove_debris ok',
    'storage remove ok',
    'storage check ok',
    'storage check unavailable',
  ])
  t.equal(begun.length, calls.length)
})

void t.test('a slow sender is not a slow storage, nor a slow reader', async (t) => {
  const { store, calls } = await measuredStore(t)
  const id = randomUUID()
  async function* slow(): AsyncGenerator<Buffer> {
    for (let n = 0; n < 3; n++) {
      await wait(200)
      yield Buffer.alloc(300_000)
    }
  }
  await store.put(id, slow())
  const blob = await store.open(id)
  for await (const piece of blob.read(0, 600_000)) await wait(piece.length > 0 ? 200 : 0)
  await blob.close()
  const seconds = (name: string) => calls.find(({ call }) => call === name)?.seconds ?? NaN
  t.ok(seconds('storage put') < 0.55, `put took ${seconds('storage put')} s`)
  t.ok(seconds('storage put') >= 0)
  t.ok(seconds('storage read') < 0.3, `read took ${seconds('storage read')} s`)
})

void t.test('what the sender broke off is not the storage’s', async (t) => {
  const { store, calls } = await measuredStore(t)
  async function* broken(): AsyncGenerator<Buffer> {
    yield await Promise.resolve(Buffer.alloc(10))
    throw new StrongroomError('body_incomplete')
  }
  await t.rejects(store.put(randomUUID(), broken()), { code: 'body_incomplete' })
  t.match(calls, [{ call: 'storage put', outcome: 'refused' }])
})
