import { randomBytes } from 'node:crypto'
import { EventEmitter, once } from 'node:events'
import { type FileHandle, open, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { writeBehind } from '../../../src/blobs/write-behind.js'

const MiB = 1024 * 1024

async function freshFile(t: Test): Promise<{ handle: FileHandle; path: string }> {
  const path = join(t.testdir(), 'file')
  const handle = await open(path, 'wx')
  t.teardown(() => handle.close())
  return { handle, path }
}

/** The same file on a disk that does some things otherwise. */
function otherwise(handle: FileHandle, changes: Partial<FileHandle>): FileHandle {
  return new Proxy(handle, {
    get: (target, name) => {
      const value: unknown = Reflect.get(changes, name) ?? Reflect.get(target, name)
      return typeof value === 'function' ? (value.bind(target) as unknown) : value
    },
  })
}

const sizes = [1, 4095, 4096, 65_536, 0, 300_000, 7, 16, 100_000, 3 * MiB]

/** `length` bytes in pieces of every size. */
function* pieces(bytes: Buffer): Generator<Buffer> {
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const size = sizes[turn % sizes.length] ?? 1
    yield bytes.subarray(at, at + size)
    at += size
  }
}

await t.test('pieces of every size come to lie in their order', async (t) => {
  for (const length of [0, 1, 262_144, 40 * MiB]) {
    const { handle, path } = await freshFile(t)
    const bytes = randomBytes(length)
    const writer = writeBehind(handle)
    for (const piece of pieces(bytes)) await writer.write(piece)
    t.equal(await writer.end(), length)
    t.ok(bytes.equals(await readFile(path)), `${length} bytes`)
  }
})

await t.test('thousands of short pieces are more than one writev takes', async (t) => {
  const { handle, path } = await freshFile(t)
  const bytes = randomBytes(30_000)
  const writer = writeBehind(handle)
  for (const byte of bytes) await writer.write(Buffer.of(byte))
  t.equal(await writer.end(), bytes.length)
  t.ok(bytes.equals(await readFile(path)))
})

await t.test('a disk that takes less than it is given gets the rest again', async (t) => {
  const { handle, path } = await freshFile(t)
  let calls = 0
  const slow = otherwise(handle, {
    writev: async <T extends readonly NodeJS.ArrayBufferView[]>(buffers: T, position?: number) => {
      const [first = Buffer.alloc(0)] = buffers
      const most = ++calls % 3 === 0 ? first.byteLength : Math.min(first.byteLength, 1000 * calls)
      const part = Buffer.from(first.buffer, first.byteOffset, most)
      const { bytesWritten } = await handle.write(part, 0, part.length, position ?? null)
      return { bytesWritten, buffers }
    },
  })
  const bytes = randomBytes(700_000)
  const writer = writeBehind(slow)
  for (const piece of pieces(bytes)) await writer.write(piece)
  t.equal(await writer.end(), bytes.length)
  t.ok(bytes.equals(await readFile(path)))
  t.ok(calls > 10)
})

const refused = Object.assign(new Error('refused'), { code: 'EIO' })

for (const call of ['writev', 'datasync', 'sync'] as const) {
  await t.test(`one ${call} that fails is told, however well the others go`, async (t) => {
    const { handle } = await freshFile(t)
    let failed = false
    const failing = otherwise(handle, {
      // Linux tells of a lost write once: who does not listen then never hears of it.
      [call]: async (...words: unknown[]) => {
        if (!failed) {
          failed = true
          throw refused
        }
        await (Reflect.apply(Reflect.get(handle, call), handle, words) as Promise<unknown>)
      },
    })
    const writer = writeBehind(failing)
    const writing = async () => {
      for (let n = 0; n < 80; n++) await writer.write(Buffer.alloc(MiB))
      return await writer.end()
    }
    await t.rejects(writing(), refused)
    await writer.settled()
  })
}

await t.test('a disk that stands still stops its source within 1 MiB', async (t) => {
  const { handle } = await freshFile(t)
  const gate = new EventEmitter()
  const opened = once(gate, 'open')
  const stuck = otherwise(handle, {
    writev: async <T extends readonly NodeJS.ArrayBufferView[]>(buffers: T, position?: number) => {
      await opened
      return await handle.writev(buffers, position)
    },
  })
  const writer = writeBehind(stuck)
  let taken = 0
  const writing = (async () => {
    for (; taken < 4 * MiB; taken += 65_536) await writer.write(Buffer.alloc(65_536))
  })()
  for (let turn = 0; turn < 1_000; turn++) await new Promise(setImmediate)
  t.ok(taken <= MiB, `${taken} bytes`)
  gate.emit('open')
  await writing
  t.equal(await writer.end(), 4 * MiB)
})

await t.test('the last sync begins when everything is written', async (t) => {
  const { handle } = await freshFile(t)
  let written = 0
  let writtenAtSync = 0
  const watched = otherwise(handle, {
    writev: async <T extends readonly NodeJS.ArrayBufferView[]>(buffers: T, position?: number) => {
      const result = await handle.writev(buffers, position)
      written += result.bytesWritten
      return result
    },
    sync: async () => {
      writtenAtSync = written
      await handle.sync()
    },
  })
  const writer = writeBehind(watched)
  for (let n = 0; n < 20; n++) await writer.write(Buffer.alloc(MiB))
  t.equal(await writer.end(), 20 * MiB)
  t.equal(writtenAtSync, 20 * MiB)
})

await t.test('the disk begins to sync long before the end', async (t) => {
  const { handle } = await freshFile(t)
  let synced = 0
  const counting = otherwise(handle, {
    datasync: async () => {
      synced += 1
      await handle.datasync()
    },
  })
  const writer = writeBehind(counting)
  for (let n = 0; n < 64; n++) await writer.write(Buffer.alloc(MiB))
  t.ok(synced >= 2 && synced <= 4, `${synced} times in 64 MiB`)
  await writer.end()
})
