import { randomBytes, randomUUID } from 'node:crypto'
import {
  mkdir,
  mkdtemp,
  readdir,
  readlink,
  rm,
  stat,
  symlink,
  truncate,
  utimes,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { localDiskBlobStore } from '../../../src/blobs/local-disk-blob-store.js'
import { blobStoreContract, pieces } from '../../helpers/blob-store-contract.js'

async function folderFor(t: Test): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'blobs-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  return folder
}

async function freshStore(t: Test) {
  const folder = join(await folderFor(t), 'storage', 'files')
  const store = await localDiskBlobStore({ folder })
  return { folder, store, kept: () => filesIn(folder) }
}

async function filesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  return entries.filter((entry) => !entry.isDirectory()).map((entry) => entry.name)
}

function placeOf(folder: string, id: string): string {
  return join(folder, id.slice(0, 2), id.slice(2, 4), id)
}

/** How many descriptors of this process are open below `folder`. */
async function descriptorsIn(folder: string): Promise<number> {
  const numbers = await readdir('/proc/self/fd')
  const targets = await Promise.all(
    numbers.map((number) => readlink(join('/proc/self/fd', number)).catch(() => '')),
  )
  return targets.filter((target) => target.startsWith(folder)).length
}

const text = (words: string) => pieces(Buffer.from(words), 4)

void t.test('the contract of every blob store', (t) => {
  blobStoreContract(t, freshStore)
  t.end()
})

void t.test('lays a blob down as ab/cd/<sealed id>, private whatever the umask', async (t) => {
  for (const umask of [0o000, 0o022, 0o777]) {
    const { folder, store } = await freshStore(t)
    const before = process.umask(umask)
    const id = randomUUID()
    try {
      await store.put(id, text('sealed'))
    } finally {
      process.umask(before)
    }
    t.equal((await stat(placeOf(folder, id))).mode & 0o7777, 0o600)
    const folders = [join(folder, id.slice(0, 2), id.slice(2, 4)), join(folder, id.slice(0, 2))]
    for (const path of [...folders, join(folder, 'incoming')]) {
      t.equal((await stat(path)).mode & 0o7777, 0o700)
    }
  }
})

void t.test('a new root is private, an existing one is left as it is', async (t) => {
  const { folder } = await freshStore(t)
  t.equal((await stat(folder)).mode & 0o7777, 0o700)
  const shared = await folderFor(t)
  const { mode } = await stat(shared)
  await localDiskBlobStore({ folder: shared })
  t.equal((await stat(shared)).mode, mode)
})

void t.test('gives every descriptor back', async (t) => {
  const { folder, store } = await freshStore(t)
  const id = randomUUID()
  await store.put(id, pieces(randomBytes(900_000), 50_000))
  const blob = await store.open(id)
  t.equal(await descriptorsIn(folder), 1)
  for await (const piece of blob.read(0, blob.length)) {
    t.equal(piece.length, 262_144)
    break
  }
  await blob.close()
  await t.rejects(store.put(id, text('again')))
  await t.rejects(store.put(randomUUID(), failing()))
  await store.check()
  t.equal(await descriptorsIn(folder), 0)
})

async function* failing(): AsyncGenerator<Uint8Array> {
  yield* text('a few bytes')
  throw new Error('gone')
}

void t.test('what is removed under its reader is read to the end', async (t) => {
  const { store } = await freshStore(t)
  const id = randomUUID()
  const bytes = randomBytes(800_000)
  await store.put(id, pieces(bytes, 65_536))
  const blob = await store.open(id)
  const read: Uint8Array[] = []
  for await (const piece of blob.read(0, blob.length)) {
    if (read.length === 0) await store.remove(id)
    read.push(piece)
  }
  await blob.close()
  t.ok(bytes.equals(Buffer.concat(read)))
  await t.rejects(store.open(id), { code: 'damaged' })
})

void t.test('a file that shrank is damaged, and does not hang', async (t) => {
  const { folder, store } = await freshStore(t)
  const id = randomUUID()
  await store.put(id, pieces(randomBytes(600_000), 65_536))
  const blob = await store.open(id)
  await truncate(placeOf(folder, id), 300_000)
  let received = 0
  const reading = async () => {
    for await (const piece of blob.read(0, blob.length)) received += piece.length
  }
  await t.rejects(reading(), { code: 'damaged', context: { sealed_id: id } })
  t.equal(received, 262_144)
  await blob.close()
})

void t.test('a folder or a link in the place of a blob is damaged', async (t) => {
  const { folder, store } = await freshStore(t)
  const [id, target, other] = [randomUUID(), randomUUID(), randomUUID()]
  await mkdir(placeOf(folder, id), { recursive: true })
  await t.rejects(store.open(id), { code: 'damaged', context: { sealed_id: id } })
  await store.put(target, text('sealed'))
  await store.put(other, text('sealed'))
  await rm(placeOf(folder, other))
  await symlink(placeOf(folder, target), placeOf(folder, other))
  await t.rejects(store.open(other), { code: 'damaged', context: { sealed_id: other } })
  t.equal(await descriptorsIn(folder), 0)
})

void t.test('a storage that refuses is unavailable, with a time to come back', async (t) => {
  const refused = { code: 'storage_unavailable', retryAfter: 10 }
  const { folder, store, kept } = await freshStore(t)
  const id = randomUUID()
  await writeFile(join(folder, id.slice(0, 2)), 'in the way')
  await t.rejects(store.put(id, text('sealed')), refused)
  await t.rejects(store.open(id), refused)
  await t.rejects(store.remove(id), refused)
  t.same(await kept(), [id.slice(0, 2)])

  await rm(join(folder, 'incoming'), { recursive: true })
  await writeFile(join(folder, 'incoming'), 'in the way')
  await t.rejects(store.check(), refused)
  await t.rejects(store.put(randomUUID(), text('sealed')), refused)
  await t.rejects(store.removeDebris(0), refused)
  await t.rejects(localDiskBlobStore({ folder: join(folder, 'incoming') }), refused)
})

void t.test('finds its place again where an empty folder was tidied away', async (t) => {
  const { folder, store } = await freshStore(t)
  const [first, second] = [randomUUID(), randomUUID()].map((id) => `abcd${id.slice(4)}`)
  if (first === undefined || second === undefined) throw new Error('two ids')
  await store.put(first, text('sealed'))
  await store.remove(first)
  await rm(join(folder, 'ab'), { recursive: true })
  await store.put(second, text('sealed'))
  t.ok((await stat(placeOf(folder, second))).isFile())
})

void t.test('a store that starts on what is there goes on with it', async (t) => {
  const { folder, store } = await freshStore(t)
  const [old, young] = [randomUUID(), randomUUID()]
  await store.put(old, text('before'))
  const restarted = await localDiskBlobStore({ folder })
  await restarted.put(young, text('after'))
  t.equal((await restarted.open(old).then((blob) => blob.close().then(() => blob))).length, 6)
  t.equal((await store.open(young).then((blob) => blob.close().then(() => blob))).length, 5)
})

void t.test('removes what a killed process left, when it is old enough', async (t) => {
  const { folder, store, kept } = await freshStore(t)
  await store.put(randomUUID(), text('sealed'))
  const leftovers = [1, 2, 3].map((n) => `${randomUUID()}.0000000${n}`)
  for (const name of leftovers) await writeFile(join(folder, 'incoming', name), 'half')
  const hourAgo = new Date(Date.now() - 3_600_000)
  for (const name of leftovers.slice(0, 2)) {
    await utimes(join(folder, 'incoming', name), hourAgo, hourAgo)
  }
  t.equal(await store.removeDebris(1_800_000), 2)
  t.equal(await store.removeDebris(1_800_000), 0)
  t.equal((await kept()).length, 2, 'the blob and the young one')
})

void t.test('lists nothing that is not a blob in its place', async (t) => {
  const { folder, store } = await freshStore(t)
  const [id, misplaced] = [`abcd${randomUUID().slice(4)}`, `ffff${randomUUID().slice(4)}`]
  await store.put(id, text('sealed'))
  await writeFile(join(folder, 'ab', 'cd', misplaced), 'x')
  await writeFile(join(folder, 'ab', 'cd', 'notes'), 'x')
  await mkdir(join(folder, 'lost+found'))
  const ids: string[] = []
  for await (const blob of store.list()) ids.push(blob.id)
  t.same(ids, [id])
})
