import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { createMigratedDatabase } from '../helpers/databases.js'
import { makeService } from '../helpers/service.js'

// However an upload ends, who gives its bytes is told: sockets, timers and buffers hang on that.

const KIB = 1_024
const folder = await mkdtemp(join(tmpdir(), 'strongroom-seal-'))
const created = await createMigratedDatabase('embedded')
const database = await created.open()
t.teardown(async () => {
  await database.close()
  await created.drop()
  await rm(folder, { recursive: true, force: true })
})
const { seal } = await makeService(database, folder)

/** More than one segment, from somebody who wants to be told when no more is wanted. */
function source(first: string) {
  let isClosed = false
  async function* bytes() {
    try {
      yield await Promise.resolve(Buffer.from(first))
      for (;;) yield await Promise.resolve(Buffer.alloc(64 * KIB, 'a'))
    } finally {
      isClosed = true
    }
  }
  return { bytes: bytes(), isClosed: () => isClosed }
}

const limits = { maxBytes: 1_000 * KIB, allowedTypes: ['text/plain'] }
const facts = { filename: 'a.txt', contentType: 'text/plain', contentDigest: undefined }

await t.test('a type that is not taken, found after the first segment', async (t) => {
  const { bytes, isClosed } = source('%PDF-1.7\n')
  const upload = seal({ ...facts, contentType: 'application/pdf', bytes }, limits)
  await t.rejects(upload, { code: 'type_not_allowed' })
  t.ok(isClosed())
})

await t.test('too large', async (t) => {
  const { bytes, isClosed } = source('text')
  await t.rejects(seal({ ...facts, bytes }, limits), { code: 'file_too_large' })
  t.ok(isClosed())
})

await t.test('a database that takes no intent', async (t) => {
  await database.script('alter table upload_intents rename to upload_intents_aside')
  const { bytes, isClosed } = source('text')
  await t.rejects(seal({ ...facts, bytes }, limits))
  t.ok(isClosed())
  await database.script('alter table upload_intents_aside rename to upload_intents')
})

await t.test('a disk that takes nothing', async (t) => {
  const { bytes, isClosed } = source('text')
  await rm(folder, { recursive: true })
  await t.rejects(seal({ ...facts, bytes }, limits))
  t.ok(isClosed())
})
