import { randomBytes, randomUUID } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { BlobStore } from '../../../src/blobs/blob-store.js'
import { fallbackBlobStore } from '../../../src/blobs/fallback-blob-store.js'
import { localDiskBlobStore } from '../../../src/blobs/local-disk-blob-store.js'
import { blobStoreContract, pieces } from '../../helpers/blob-store-contract.js'

async function two(t: Test) {
  const folder = t.testdir()
  const main = await localDiskBlobStore({ folder: join(folder, 'main') })
  const former = await localDiskBlobStore({ folder: join(folder, 'former') })
  const kept = async () => {
    const entries = await readdir(folder, { recursive: true, withFileTypes: true })
    return entries.filter((entry) => !entry.isDirectory()).map((entry) => entry.name)
  }
  return { main, former, store: fallbackBlobStore(main, former), kept }
}

const put = async (store: BlobStore, bytes: Buffer, id: string = randomUUID()) => {
  await store.put(id, pieces(bytes, 50_000))
  return id
}

async function read(store: BlobStore, id: string): Promise<Buffer> {
  const blob = await store.open(id)
  const got: Uint8Array[] = []
  for await (const piece of blob.read(0, blob.length)) got.push(piece)
  await blob.close()
  return Buffer.concat(got)
}

void t.test('it is a blob store like every other', (t) => {
  blobStoreContract(t, two)
  t.end()
})

void t.test(
  'what is only in the former store is read, listed, set aside and removed',
  async (t) => {
    const { main, former, store, kept } = await two(t)
    const bytes = randomBytes(120_000)
    const ids = [await put(former, bytes), await put(main, bytes), await put(former, bytes)]
    const [both = ''] = ids
    await put(main, bytes, both)
    for (const id of ids) t.ok(bytes.equals(await read(store, id)))
    const listed: string[] = []
    for await (const { id } of store.list()) listed.push(id)
    t.same(listed, [...ids].sort(), 'each once, in order')
    const fresh = await put(store, bytes)
    t.ok(bytes.equals(await read(main, fresh)), 'new ones are in the main store')
    await t.rejects(former.open(fresh), { code: 'damaged' })
    await store.setAside(both)
    t.equal(await store.removeAside(0, { dryRun: true }), 2, 'at both places')
    t.ok(bytes.equals(await read(store, both)), 'and it comes back')
    for (const id of [...ids, fresh]) await store.remove(id)
    t.same(await kept(), [])
    await t.rejects(store.open(both), { code: 'damaged' })
  },
)

void t.test('a former store that is away is no missing file', async (t) => {
  const { main, store } = await two(t)
  const away: BlobStore = {
    ...main,
    open: () => Promise.reject(new Error('away')),
  }
  await t.rejects(fallbackBlobStore(main, away).open(randomUUID()), { message: 'away' })
  await t.rejects(store.open(randomUUID()), { code: 'damaged' })
})
