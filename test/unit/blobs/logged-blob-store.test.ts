import { randomUUID } from 'node:crypto'
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { BlobStore, SealedBlob } from '../../../src/blobs/blob-store.js'
import { localDiskBlobStore } from '../../../src/blobs/local-disk-blob-store.js'
import { loggedBlobStore } from '../../../src/blobs/logged-blob-store.js'
import { asRequest, asUser, inContext } from '../../../src/log-context.js'
import { blobStoreContract, pieces } from '../../helpers/blob-store-contract.js'

async function loggedStore(t: Test) {
  const folder = join(t.testdir(), 'files')
  const lines: unknown[] = []
  const log = { error: (facts: object, message: string) => lines.push({ ...facts, message }) }
  const store = loggedBlobStore(await localDiskBlobStore({ folder }), log)
  const kept = async () => {
    const entries = await readdir(folder, { recursive: true, withFileTypes: true })
    return entries.filter((entry) => !entry.isDirectory()).map(({ name }) => name)
  }
  return { folder, store, lines, kept }
}

void t.test('it is a blob store like every other', (t) => {
  blobStoreContract(t, loggedStore)
  t.end()
})

const put = (store: BlobStore, id: string) => store.put(id, pieces(Buffer.alloc(100), 50))

void t.test('what the disk refuses is a line, with the id and the errno', async (t) => {
  const { folder, store, lines } = await loggedStore(t)
  const id = randomUUID()
  await put(store, id)
  await rm(join(folder, 'incoming'), { recursive: true })
  await writeFile(join(folder, 'incoming'), '')
  const unavailable = { code: 'storage_unavailable' }
  const other = randomUUID()
  await t.rejects(put(store, other), unavailable)
  await t.rejects(store.check(), unavailable)
  await rm(join(folder, id.slice(0, 2)), { recursive: true })
  await writeFile(join(folder, id.slice(0, 2)), '')
  await t.rejects(store.open(id), unavailable)
  await t.rejects(store.remove(id), unavailable)
  const message = 'storage error'
  t.match(lines, [
    { operation: 'put', sealed_id: other, errno: 'ENOTDIR', message },
    { operation: 'check', sealed_id: undefined, errno: 'ENOTDIR', message },
    { operation: 'open', sealed_id: id, errno: 'ENOTDIR', message },
    { operation: 'remove', sealed_id: id, errno: 'ENOTDIR', message },
  ])
})

void t.test('what is no fault of the disk is none', async (t) => {
  const { folder, store, lines } = await loggedStore(t)
  await t.rejects(store.open(randomUUID()), { code: 'damaged' })
  await mkdir(folder, { recursive: true })
  async function* failing(): AsyncGenerator<Buffer> {
    yield await Promise.resolve(Buffer.alloc(10))
    throw new Error('the client went away')
  }
  await t.rejects(store.put(randomUUID(), failing()), /went away/)
  t.same(lines, [])
})

void t.test('a line names the request that opened the blob, whoever reads it', async (t) => {
  const lines: object[] = []
  const write = (facts: object) => {
    lines.push(facts)
  }
  const log = inContext({ info: write, warn: write, error: write })
  const folder = join(t.testdir(), 'files')
  const store = loggedBlobStore(await localDiskBlobStore({ folder }), log)
  const id = randomUUID()
  await put(store, id)
  const opened = await new Promise<SealedBlob>((resolve, reject) => {
    asRequest('request-1', () => {
      asUser('anna')
      store.open(id).then(resolve, reject)
    })
  })
  await opened.close()
  const piece = opened.read(0, 100)[Symbol.asyncIterator]().next()
  await t.rejects(piece, { code: 'storage_unavailable' }, 'its descriptor is gone')
  t.match(lines, [{ operation: 'read', sealed_id: id, request_id: 'request-1', user_id: 'anna' }])
})
