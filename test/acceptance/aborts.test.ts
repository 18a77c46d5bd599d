import t from 'tap'
import { randomOf } from '../helpers/random.js'
import { hasStatus, isProblem } from './support/checks.js'
import { pdf } from './support/content.js'
import { eventually } from './support/eventually.js'
import { listOf } from './support/http.js'
import { type Form, fields, filePart, multipart } from './support/multipart.js'
import {
  assign,
  filePath,
  type Person,
  personOf,
  recordPath,
  recordType,
  recordUploadPath,
  uploadPath,
} from './support/people.js'
import { countRows } from './support/postgres.js'
import { openRaw, requestHead } from './support/raw.js'
import { startServer } from './support/server.js'

// Uploads that end before their end: nothing of them is left, on disk or in tables.
// ACCEPTANCE_ABORTS says how many; ACCEPTANCE_SEED repeats a run.

const count = Number(process.env['ACCEPTANCE_ABORTS'] ?? 100)
const seed = Number(process.env['ACCEPTANCE_SEED'] ?? 20261122)
const random = randomOf(seed)

const server = await startServer({ UPLOAD_IDLE_SECONDS: '2' })
t.teardown(() => server.close())

const admin = personOf(server, 'admin', { role: 'admin' })
const anna = personOf(server, 'anna')
const doctor = personOf(server, 'doctor', { role: 'clinician' })
await assign(admin, doctor, anna)
const type = await recordType(admin)
const record = fields({ patient_id: anna.id, medical_record_type_id: type })
const kept = pdf('kept', 700_000)
const keptFile = await anna.file(kept)
const keptRecord = await doctor.record(kept, {
  patient_id: anna.id,
  medical_record_type_id: type,
})

interface Kind {
  readonly what: string
  readonly path: string
  readonly method: 'POST' | 'PUT'
  readonly who: Person
  form(data: Buffer): Form
}

const fileFirst = (data: Buffer) =>
  multipart([filePart(data), ...fields({ label: 'l'.repeat(250), notes: 'n'.repeat(2000) })])

const kinds: readonly Kind[] = [
  { what: 'a file', path: uploadPath, method: 'POST', who: anna, form: fileFirst },
  {
    what: 'a batch',
    path: '/api/files/upload/batch',
    method: 'POST',
    who: anna,
    form: (data) => multipart([filePart(data)]),
  },
  {
    what: 'a record, its fields first',
    path: recordUploadPath,
    method: 'POST',
    who: doctor,
    form: (data) => multipart([...record, filePart(data)]),
  },
  {
    what: 'a record, its fields last',
    path: recordUploadPath,
    method: 'POST',
    who: doctor,
    form: (data) => multipart([filePart(data), ...record]),
  },
  {
    what: 'a version of a file',
    path: `${filePath(keptFile)}/content`,
    method: 'PUT',
    who: anna,
    form: (data) => multipart([filePart(data)]),
  },
  {
    what: 'a version of a record',
    path: `${recordPath(keptRecord)}/content`,
    method: 'PUT',
    who: doctor,
    form: (data) => multipart([filePart(data)]),
  },
]

/** What is known of both people, as the lists tell it. */
async function listed(): Promise<unknown[]> {
  const paths: [Person, string][] = [
    [anna, '/api/files/user?limit=200'],
    [anna, '/api/files/user?deleted=true'],
    [anna, '/api/files/medical-records'],
    [doctor, '/api/files/medical-records'],
    [anna, `${filePath(keptFile)}/versions`],
    [doctor, `${recordPath(keptRecord)}/versions`],
  ]
  return Promise.all(paths.map(async ([who, path]) => listOf(await who.get(path))))
}

/** How many rows there are, of all but what only ever grows. */
async function rows(): Promise<Record<string, number>> {
  if (server.database === undefined) return {}
  const counts = await countRows(server.database)
  const growing = /audit|event|job|throttle|migration/
  return Object.fromEntries(Object.entries(counts).filter(([table]) => !growing.test(table)))
}

const headOf = (kind: Kind, form: Form, more: Readonly<Record<string, string>> = {}) =>
  requestHead(kind.method, kind.path, {
    ...form.headers,
    authorization: `Bearer ${kind.who.token}`,
    ...more,
  })

/** Where to cut: the first in ten before the file, seven once bytes are stored, two after the file. */
function cutAt(form: Form, size: number, turn: number): number {
  const start = form.body.indexOf('%PDF')
  const within = (from: number, to: number) => from + Math.floor(random() * (to - from))
  if (turn % 10 === 0) return within(0, start)
  if (turn % 10 < 8) return within(start + 300_000, start + size)
  return within(start + size, form.body.length)
}

/** Sends up to `at` and goes: half by a reset, half by a plain end. */
async function abort(kind: Kind, form: Form, at: number, inStore: number): Promise<void> {
  const connection = await openRaw(server.address)
  await connection.write(headOf(kind, form, { 'content-length': String(form.body.length) }))
  await connection.write(form.body.subarray(0, at))
  if (at > form.body.indexOf('%PDF') + 300_000) await server.sealed.reached(inStore)
  if (random() < 0.5) connection.socket.resetAndDestroy()
  else connection.destroy()
}

await t.test(`${count} uploads are cut, seed ${seed}: nothing is left`, async (t) => {
  const [blobs, lists, tables] = [await server.blobs(), await listed(), await rows()]
  let inStore = 0
  for (let turn = 0; turn < count; turn++) {
    const kind = kinds[turn % kinds.length]
    if (kind === undefined) break
    const size = 350_000 + Math.floor(random() * 1_000_000)
    const form = kind.form(pdf(`abort ${seed} ${turn}`, size))
    const at = cutAt(form, size, turn)
    if (at > form.body.indexOf('%PDF') + 300_000) inStore++
    await abort(kind, form, at, blobs.length)
    await eventually('nothing left', async () => (await server.blobs()).length === blobs.length)
  }
  t.ok(inStore >= 0.7 * count, `${inStore} of ${count} after bytes had reached the store`)
  t.same(await server.blobs(), blobs, 'on disk')
  t.same(await listed(), lists, 'in lists')
  t.same(await rows(), tables, 'in tables')
})

await t.test('a body cut by its client, who waits for an answer', async (t) => {
  // Once: what one cut has yet to take away must not be what the next one finds there.
  const before = JSON.stringify(await server.blobs())
  for (const kind of kinds) {
    const form = kind.form(pdf(`half ${kind.what}`, 400_000))
    const connection = await openRaw(server.address)
    await connection.write(headOf(kind, form, { 'content-length': String(form.body.length) }))
    await connection.write(form.body.subarray(0, 300_000))
    connection.socket.end()
    await connection.closed()
    t.notMatch(connection.received().toString('latin1'), /^HTTP\/1.1 2/, kind.what)
  }
  await eventually('nothing left', async () => JSON.stringify(await server.blobs()) === before)
})

await t.test('a body whose form ends too early is refused', async (t) => {
  for (const kind of kinds) {
    const before = [await server.blobs(), await listed()]
    const form = kind.form(pdf(`short ${kind.what}`, 400_000))
    const body = form.body.subarray(0, 399_000)
    const answer = await kind.who.call(kind.path, {
      method: kind.method,
      headers: form.headers,
      body,
    })
    if (answer.status === 207) t.match(listOf(answer), [{ status: 400 }])
    else isProblem(t, answer, 400)
    t.same([await server.blobs(), await listed()], before, kind.what)
  }
})

await t.test('a chunked body that breaks off is not a whole file', async (t) => {
  const before = await listed()
  for (const kind of kinds) {
    const form = kind.form(pdf(`chunked ${kind.what}`, 400_000))
    const connection = await openRaw(server.address)
    await connection.write(headOf(kind, form, { 'transfer-encoding': 'chunked' }))
    await connection.write(`${form.body.length.toString(16)}\r\n`)
    await connection.write(form.body.subarray(0, 350_000))
    connection.destroy()
  }
  await eventually('nothing left', async () => (await server.blobs()).length === 2)
  t.same(await listed(), before)
})

await t.test('an abort just before the last byte leaves all or nothing', async (t) => {
  const before = await server.blobs()
  for (let turn = 0; turn < 10; turn++) {
    const [kind] = kinds
    if (kind === undefined) break
    const form = kind.form(pdf(`last byte ${turn}`, 300_000))
    const connection = await openRaw(server.address)
    await connection.write(headOf(kind, form, { 'content-length': String(form.body.length) }))
    await connection.write(form.body.subarray(0, form.body.length - (turn % 2)))
    connection.destroy()
  }
  await eventually('as many blobs as files', async () => {
    const files = listOf(await anna.get('/api/files/user?limit=200')).length
    return (await server.blobs()).length - before.length === files - 1
  })
  for (const file of listOf(await anna.get('/api/files/user?limit=200'))) {
    hasStatus(t, await anna.get(filePath(file.file_id ?? '')), 200)
  }
})

await t.test(
  'what goes to a URL of its own and breaks off is not there, and may come again',
  async (t) => {
    const data = pdf('by a URL', 900_000)
    const asked = { filename: 'late.pdf', contentType: 'application/pdf' }
    const answer = await anna.post('/api/docs/presign-upload', { ...asked, size: data.length })
    const { url } = JSON.parse(answer.text) as { readonly url: string }
    const path = new URL(url).pathname
    const type = { 'content-type': 'application/pdf' }
    const [blobs, tables] = [await server.blobs(), await rows()]
    for (let turn = 0; turn < 12; turn++) {
      const chunked = turn % 3 === 2
      const length = chunked
        ? { 'transfer-encoding': 'chunked' }
        : { 'content-length': String(data.length) }
      const connection = await openRaw(server.address)
      await connection.write(requestHead('PUT', path, { ...type, ...length }))
      if (chunked) await connection.write(`${data.length.toString(16)}\r\n`)
      const at = turn === 0 ? data.length - 1 : Math.floor(random() * data.length)
      await connection.write(data.subarray(0, at))
      if (at > 300_000) await server.sealed.reached(blobs.length)
      if (random() < 0.5) connection.socket.resetAndDestroy()
      else connection.destroy()
      await eventually('nothing left', async () => (await server.blobs()).length === blobs.length)
    }
    const stalled = await openRaw(server.address)
    await stalled.write(
      requestHead('PUT', path, { ...type, 'content-length': String(data.length) }),
    )
    await stalled.write(data.subarray(0, 500_000))
    isProblem(t, await stalled.answer(), 408, 'upload_idle')
    stalled.destroy()
    await eventually('nothing left', async () => (await server.blobs()).length === blobs.length)
    t.same(await rows(), tables)
    const held = await openRaw(server.address)
    const expect = { 'content-length': String(data.length), expect: '100-continue' }
    await held.write(requestHead('PUT', path, { 'content-type': 'image/png', ...expect }))
    isProblem(t, await held.answer(), 422, 'content_mismatch')
    t.notMatch(held.received().toString('latin1'), /100 Continue/, 'refused before it is sent')
    held.destroy()
    hasStatus(t, await server.call(path, { method: 'PUT', body: data, headers: type }), 200)
  },
)
