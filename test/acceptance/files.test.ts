import t from 'tap'
import { hasBytes, hasStatus, isProblem } from './support/checks.js'
import {
  contentTypes,
  csv,
  dicom,
  docx,
  jpeg,
  pdf,
  png,
  readablePdf,
  sha256,
  text,
  zip,
} from './support/content.js'
import { listOf } from './support/http.js'
import { fields, filePart, multipart, type Part } from './support/multipart.js'
import { filePath, idOf, personOf, uploadPath } from './support/people.js'
import { startServer } from './support/server.js'

// Every row of family A, with each status it can give. Limits that need other settings are in
// limits.test.ts, ranges and conditions in conventions.test.ts.

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/
const missing = '00000000-0000-4000-8000-000000000000'
const instant = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/

const server = await startServer()
t.teardown(() => server.close())

let people = 0
/** Someone who has nothing yet. */
const someone = () => personOf(server, `person-${++people}`)

await t.test('POST /api/files/upload stores a file', async (t) => {
  const anna = someone()
  const data = readablePdf('Blood count')
  const answer = await anna.upload(data, { filename: 'blood count.pdf' })
  hasStatus(t, answer, 201)
  t.match(answer.body, {
    file_id: uuid,
    filename: 'blood count.pdf',
    content_type: contentTypes.pdf,
    size: data.length,
    sha256: sha256(data),
    created_at: instant,
  })
  hasBytes(t, await anna.get(filePath(idOf(answer))), data)
})

await t.test('every type on the list is taken and comes back as it was', async (t) => {
  const anna = someone()
  const samples: [keyof typeof contentTypes, string, Buffer][] = [
    ['pdf', 'a.pdf', pdf('types')],
    ['png', 'a.png', png('types')],
    ['jpeg', 'a.jpg', jpeg('types')],
    ['dicom', 'a.dcm', dicom('types')],
    ['docx', 'a.docx', docx('types')],
    ['zip', 'a.zip', zip([{ name: 'a.txt', data: text('zipped') }])],
    ['text', 'a.txt', text('types')],
    ['csv', 'a.csv', csv('types')],
  ]
  for (const [kind, filename, data] of samples) {
    const answer = await anna.upload(data, { filename, type: contentTypes[kind] })
    hasStatus(t, answer, 201, kind)
    t.equal(answer.body.content_type, contentTypes[kind])
    const download = await anna.get(filePath(idOf(answer)))
    hasBytes(t, download, data)
    t.match(download.headers['content-type'], contentTypes[kind])
  }
})

await t.test('an empty file is a file', async (t) => {
  const anna = someone()
  const answer = await anna.upload(Buffer.alloc(0), { filename: 'empty.txt', type: 'text/plain' })
  hasStatus(t, answer, 201)
  t.equal(answer.body.size, 0)
  t.equal(answer.body.sha256, sha256(Buffer.alloc(0)))
  hasBytes(t, await anna.get(filePath(idOf(answer))), Buffer.alloc(0))
})

await t.test('sizes around a segment come back as they were', async (t) => {
  const anna = someone()
  const segment = 256 * 1024
  for (const size of [segment - 1, segment, segment + 1, 2 * segment, 5 * segment + 77]) {
    const data = pdf(`size ${size}`, size)
    hasBytes(t, await anna.get(filePath(await anna.file(data))), data)
  }
})

await t.test('label and notes may come before or after the file', async (t) => {
  const anna = someone()
  const notes = fields({ label: 'Cardiology', notes: 'Ask again in May' })
  const before = await anna.form(uploadPath, [...notes, filePart(pdf('before'))])
  const after = await anna.form(uploadPath, [filePart(pdf('after')), ...notes])
  for (const answer of [before, after]) {
    const metadata = await anna.get(`${filePath(idOf(answer))}/metadata`)
    t.match(metadata.body, { label: 'Cardiology', notes: 'Ask again in May' })
  }
})

await t.test('an upload without credentials is refused', async (t) => {
  const { headers, body } = multipart([filePart(pdf('anonymous'))])
  const answer = await server.call(uploadPath, { method: 'POST', headers, body })
  isProblem(t, answer, 401, 'unauthenticated')
})

await t.test('a form that is none, or has no file or two, is refused', async (t) => {
  const anna = someone()
  const refused: [string, readonly Part[], string][] = [
    ['no file', fields({ label: 'x' }), 'file_missing'],
    ['an unknown field', [...fields({ colour: 'red' }), filePart(pdf('f'))], 'unknown_field'],
  ]
  for (const [what, parts, code] of refused) {
    const answer = await anna.form(uploadPath, parts)
    t.comment(what)
    isProblem(t, answer, 400, code)
  }
  const two = await anna.form(uploadPath, [filePart(pdf('1')), filePart(pdf('2'))])
  isProblem(t, two, 400)
  const wrong = await anna.call(uploadPath, {
    method: 'POST',
    headers: { 'content-type': 'multipart/form-data; boundary=x' },
    body: 'this is no form',
  })
  isProblem(t, wrong, 400)
  const json = await anna.post(uploadPath, { file: 'x' })
  isProblem(t, json, 415, 'unsupported_media_type')
  t.same(listOf(await anna.get('/api/files/user')), [], 'and nothing was stored')
})

await t.test('the same bytes again are a duplicate, for their owner only', async (t) => {
  const [anna, ben] = [someone(), someone()]
  const data = pdf('twice')
  const id = await anna.file(data)
  const again = await anna.upload(data, { filename: 'another name.pdf' })
  isProblem(t, again, 409, 'duplicate_file')
  t.equal(again.body.file_id, id)
  hasStatus(t, await ben.upload(data), 201)
  hasStatus(t, await anna.delete(filePath(id)), 200)
  hasStatus(t, await anna.upload(data), 201, 'once the first is deleted, the same')
})

await t.test('a part without Content-Type contradicts nothing', async (t) => {
  const anna = someone()
  const undeclared = { name: 'file', filename: 'scan', data: pdf('undeclared') }
  const answer = await anna.form(uploadPath, [undeclared])
  hasStatus(t, answer, 201)
  t.equal(answer.body.content_type, 'application/pdf')
})

await t.test('what a file is shows in its bytes, not in its name', async (t) => {
  const anna = someone()
  const program = Buffer.concat([Buffer.from('MZ'), Buffer.alloc(62), Buffer.from([128, 0, 0, 0])])
  const executable = Buffer.concat([program, Buffer.alloc(64), Buffer.from('PE\0\0')])
  const page = Buffer.from('<!DOCTYPE html><html><script>alert(1)</script></html>')
  const script = Buffer.from('#!/bin/sh\nrm -rf /\n')
  const elf = Buffer.concat([Buffer.from('7f454c4602010100', 'hex'), Buffer.alloc(100)])
  for (const data of [executable, elf]) {
    isProblem(t, await anna.upload(data, { filename: 'a.pdf' }), 415)
  }
  isProblem(t, await anna.upload(elf, { type: 'application/octet-stream' }), 415)
  isProblem(t, await anna.upload(page, { filename: 'a.html', type: 'text/html' }), 415)
  isProblem(t, await anna.upload(script, { filename: 'a.sh', type: 'application/x-sh' }), 415)
  isProblem(t, await anna.upload(pdf('mismatch'), { type: 'image/png' }), 415, 'type_mismatch')
  isProblem(t, await anna.upload(png('mismatch')), 415, 'type_mismatch')
  t.same(listOf(await anna.get('/api/files/user')), [], 'and nothing was stored')
})

const blobsOf = async () => (await server.blobs()).length

await t.test('an upload that is refused leaves no bytes', async (t) => {
  const anna = someone()
  const before = await blobsOf()
  const data = pdf('refused', 700_000)
  isProblem(t, await anna.form(uploadPath, [filePart(data), ...fields({ nonsense: '1' })]), 400)
  const wrong = fields({ sha256: sha256(pdf('other')) })
  isProblem(t, await anna.upload(data, {}, wrong), 422, 'digest_mismatch')
  isProblem(t, await anna.form(uploadPath, [filePart(data), ...wrong]), 422, 'digest_mismatch')
  t.equal(await blobsOf(), before)
})

await t.test('POST /api/files/upload/batch gives a result for each part', async (t) => {
  const anna = someone()
  const path = '/api/files/upload/batch'
  const [first, second] = [pdf('batch 1', 300_000), png('batch 2')]
  const answer = await anna.form(path, [
    filePart(first, { filename: 'first.pdf' }),
    filePart(Buffer.from('7f454c4602010100', 'hex'), { filename: 'bad.pdf' }),
    filePart(second, { filename: 'second.png', type: 'image/png' }),
    filePart(first, { filename: 'again.pdf' }),
  ])
  hasStatus(t, answer, 207)
  const results = listOf(answer)
  t.match(results, [
    { status: 201, file_id: uuid, filename: 'first.pdf', sha256: sha256(first) },
    { status: 415, code: String },
    { status: 201, file_id: uuid, filename: 'second.png', sha256: sha256(second) },
    { status: 409, code: 'duplicate_file', file_id: results[0]?.file_id },
  ])
  t.equal(listOf(await anna.get('/api/files/user')).length, 2)
  hasBytes(t, await anna.get(filePath(results[2]?.file_id ?? '')), second)
  isProblem(t, await anna.form(path, fields({ label: 'no file' })), 400, 'file_missing')
  const { headers, body } = multipart([filePart(first)])
  isProblem(t, await server.call(path, { method: 'POST', headers, body }), 401)
  isProblem(t, await anna.post(path, {}), 415)
})

await t.test('POST /api/files/check tells what the caller has', async (t) => {
  const [anna, ben] = [someone(), someone()]
  const data = pdf('known')
  const id = await anna.file(data)
  const question = { sha256: sha256(data), size: data.length }
  const known = await anna.post('/api/files/check', question)
  hasStatus(t, known, 200)
  t.match(known.body, { exists: true, file_id: id })
  const others = await ben.post('/api/files/check', question)
  hasStatus(t, others, 200)
  t.strictSame(others.body, { exists: false })
  const resized = await anna.post('/api/files/check', { ...question, size: data.length + 1 })
  t.strictSame(resized.body, { exists: false })
  for (const wrong of [{}, { ...question, sha256: 'zz' }, { ...question, size: -1 }, []]) {
    isProblem(t, await anna.post('/api/files/check', wrong), 400)
  }
  isProblem(t, await anna.post('/api/files/check', { ...question, x: 1 }), 400, 'unknown_field')
  await anna.delete(filePath(id))
  t.strictSame((await anna.post('/api/files/check', question)).body, { exists: false })
  const anonymous = await server.call('/api/files/check', { method: 'POST', json: question })
  isProblem(t, anonymous, 401)
})

await t.test('GET /api/files/user lists the caller’s own files', async (t) => {
  const [anna, ben] = [someone(), someone()]
  const data = pdf('listed')
  const answer = await anna.upload(data, { filename: 'one.pdf' }, fields({ label: 'Mine' }))
  await ben.file(pdf('not hers'))
  const list = await anna.get('/api/files/user')
  hasStatus(t, list, 200)
  t.match(listOf(list), [
    {
      file_id: idOf(answer),
      filename: 'one.pdf',
      content_type: contentTypes.pdf,
      size: data.length,
      sha256: sha256(data),
      label: 'Mine',
      created_at: instant,
      version: 1,
    },
  ])
  t.equal(listOf(list).length, 1)
  t.equal(list.body.next_cursor, null)
  isProblem(t, await server.call('/api/files/user'), 401)
  isProblem(t, await anna.get('/api/files/user?deleted=perhaps'), 400)
})

await t.test('GET /api/files/:file_id answers with the bytes', async (t) => {
  const [anna, ben] = [someone(), someone()]
  const data = pdf('bytes', 400_000)
  const id = await anna.file(data)
  const download = await anna.get(filePath(id))
  hasBytes(t, download, data)
  t.match(download.headers, {
    'content-type': contentTypes.pdf,
    'accept-ranges': 'bytes',
    'cache-control': 'private, no-store',
    'x-content-type-options': 'nosniff',
    etag: /^"[^"]+"$/,
    'content-disposition': /^attachment/,
  })
  t.notMatch(download.headers['etag'], sha256(data), 'the ETag tells nothing of the content')
  const view = await anna.get(`${filePath(id)}?view=true`)
  hasBytes(t, view, data)
  t.match(view.headers['content-disposition'], /^inline/)
  const head = await anna.head(filePath(id))
  hasStatus(t, head, 200)
  t.equal(head.bytes.length, 0)
  t.equal(head.headers['content-length'], String(data.length))
  t.equal(head.headers['etag'], download.headers['etag'])
  isProblem(t, await ben.get(filePath(id)), 404, 'not_found')
  hasStatus(t, await ben.head(filePath(id)), 404)
  isProblem(t, await anna.get(filePath(missing)), 404, 'not_found')
  isProblem(t, await server.call(filePath(id)), 401)
  isProblem(t, await anna.get(`${filePath(id)}?view=perhaps`), 400)
})

await t.test('only what is safe to show is shown inline', async (t) => {
  const anna = someone()
  const shown: [Buffer, string, RegExp][] = [
    [png('view'), contentTypes.png, /^inline/],
    [jpeg('view'), contentTypes.jpeg, /^inline/],
    [docx('view'), contentTypes.docx, /^attachment/],
    [zip([{ name: 'x', data: text('view') }]), contentTypes.zip, /^attachment/],
    [dicom('view'), contentTypes.dicom, /^attachment/],
  ]
  for (const [data, type, expected] of shown) {
    const id = await anna.file(data, { filename: 'x', type })
    const view = await anna.get(`${filePath(id)}?view=true`)
    hasBytes(t, view, data)
    t.match(view.headers['content-disposition'], expected, type)
    t.equal(view.headers['x-content-type-options'], 'nosniff')
  }
})

await t.test('GET and PATCH /api/files/:file_id/metadata', async (t) => {
  const [anna, ben] = [someone(), someone()]
  const data = pdf('metadata')
  const path = `${filePath(await anna.file(data, { filename: 'old.pdf' }))}/metadata`
  const before = await anna.get(path)
  hasStatus(t, before, 200)
  t.match(before.body, { filename: 'old.pdf', size: data.length, version: 1 })
  const change = { filename: 'new.pdf', label: 'Lab', notes: 'See page 2' }
  const after = await anna.patch(path, change)
  hasStatus(t, after, 200)
  t.match(after.body, change)
  t.match((await anna.get(path)).body, { ...change, sha256: sha256(data), version: 1 })
  const part = await anna.patch(path, { label: null })
  hasStatus(t, part, 200)
  t.match((await anna.get(path)).body, { filename: 'new.pdf', label: null, notes: 'See page 2' })
  for (const wrong of [{ size: 1 }, { filename: 'a.pdf', owner: 'me' }]) {
    isProblem(t, await anna.patch(path, wrong), 400, 'unknown_field')
  }
  for (const wrong of [{ filename: 7 }, { filename: '' }, { filename: null }, [], 'x']) {
    isProblem(t, await anna.patch(path, wrong), 400)
  }
  isProblem(t, await ben.get(path), 404)
  isProblem(t, await ben.patch(path, change), 404)
  isProblem(t, await anna.patch(`${filePath(missing)}/metadata`, change), 404)
  isProblem(t, await server.call(path), 401)
  isProblem(t, await server.call(path, { method: 'PATCH', json: change }), 401)
  const plain = { method: 'PATCH', headers: { 'content-type': 'text/plain' }, body: 'x' }
  isProblem(t, await anna.call(path, plain), 415)
})

await t.test('a file is gone at once when it is deleted, and can come back', async (t) => {
  const [anna, ben] = [someone(), someone()]
  const data = pdf('deleted')
  for (const suffix of ['/delete', '']) {
    const id = await anna.file(data)
    isProblem(t, await ben.delete(filePath(id) + suffix), 404)
    isProblem(t, await server.call(filePath(id) + suffix, { method: 'DELETE' }), 401)
    const answer = await anna.delete(filePath(id) + suffix)
    hasStatus(t, answer, 200)
    t.match(answer.body, { file_id: id, deleted_at: instant, purge_after: instant })
    const { deleted_at: from = '', purge_after: to = '' } = answer.body
    t.equal(Date.parse(to ?? '') - Date.parse(from ?? ''), 30 * 86_400_000, 'kept for 30 days')
    isProblem(t, await anna.get(filePath(id)), 404)
    isProblem(t, await anna.get(`${filePath(id)}/metadata`), 404)
    isProblem(t, await anna.get(`${filePath(id)}/versions`), 404)
    isProblem(t, await anna.delete(filePath(id) + suffix), 404)
    t.same(listOf(await anna.get('/api/files/user')), [])
    const restorable = listOf(await anna.get('/api/files/user?deleted=true'))
    t.ok(restorable.some((file) => file.file_id === id))
    isProblem(t, await ben.post(`${filePath(id)}/restore`), 404)
    isProblem(t, await server.call(`${filePath(id)}/restore`, { method: 'POST' }), 401)
    hasStatus(t, await anna.post(`${filePath(id)}/restore`), 200)
    hasBytes(t, await anna.get(filePath(id)), data)
    await anna.delete(filePath(id))
  }
  isProblem(t, await anna.post(`${filePath(missing)}/restore`), 404)
})

await t.test('a restore does not make two files of the same bytes', async (t) => {
  const anna = someone()
  const data = pdf('restored twice')
  const first = await anna.file(data)
  await anna.delete(filePath(first))
  const second = await anna.file(data)
  isProblem(t, await anna.post(`${filePath(first)}/restore`), 409)
  await anna.delete(filePath(second))
  hasStatus(t, await anna.post(`${filePath(first)}/restore`), 200)
  hasBytes(t, await anna.get(filePath(first)), data)
  isProblem(t, await anna.post(`${filePath(first)}/restore`), 409, 'conflict')
})

await t.test('PUT …/content makes a version, GET …/versions lists them', async (t) => {
  const [anna, ben] = [someone(), someone()]
  const [one, two] = [pdf('version 1', 300_000), pdf('version 2')]
  const id = await anna.file(one, { filename: 'v.pdf' })
  const path = `${filePath(id)}/content`
  const put = (data: Buffer, facts: Partial<Part> = {}) =>
    anna.form(path, [filePart(data, facts)], { method: 'PUT' })
  const changed = await put(two)
  hasStatus(t, changed, 200)
  t.match(changed.body, { file_id: id, version: 2, size: two.length, sha256: sha256(two) })
  const same = await put(two)
  hasStatus(t, same, 200)
  t.equal(same.body.version, 2, 'the same bytes again make no version')
  hasBytes(t, await anna.get(filePath(id)), two)
  hasBytes(t, await anna.get(`${filePath(id)}?version=1`), one)
  hasBytes(t, await anna.get(`${filePath(id)}?version=2`), two)
  isProblem(t, await anna.get(`${filePath(id)}?version=3`), 404)
  for (const wrong of ['0', '-1', 'one', '1.5']) {
    isProblem(t, await anna.get(`${filePath(id)}?version=${wrong}`), 400)
  }
  const versions = await anna.get(`${filePath(id)}/versions`)
  hasStatus(t, versions, 200)
  t.same(
    listOf(versions)
      .map(({ version, sha256: digest }) => [version, digest])
      .sort(),
    [
      [1, sha256(one)],
      [2, sha256(two)],
    ],
  )
  t.match(listOf(await anna.get('/api/files/user')), [{ version: 2, sha256: sha256(two) }])
  const known = { sha256: sha256(one), size: one.length }
  t.strictSame((await anna.post('/api/files/check', known)).body, { exists: false })
  hasStatus(t, await anna.upload(one), 201, 'bytes that are no longer current')
  isProblem(t, await put(one), 409, 'duplicate_file')
  isProblem(t, await put(png('wrong type')), 415)
  isProblem(t, await anna.form(path, fields({ label: 'x' }), { method: 'PUT' }), 400)
  isProblem(t, await ben.form(path, [filePart(one)], { method: 'PUT' }), 404)
  isProblem(t, await ben.get(`${filePath(id)}/versions`), 404)
  const { headers, body } = multipart([filePart(one)])
  isProblem(t, await server.call(path, { method: 'PUT', headers, body }), 401)
  isProblem(t, await server.call(`${filePath(id)}/versions`), 401)
})

await t.test('GET …/access-log shows the owner every access', async (t) => {
  const [anna, ben] = [someone(), someone()]
  const id = await anna.file(pdf('logged'))
  await anna.get(filePath(id))
  await anna.get(`${filePath(id)}?view=true`)
  await ben.get(filePath(id))
  const log = await anna.get(`${filePath(id)}/access-log`)
  hasStatus(t, log, 200)
  const said = JSON.stringify(listOf(log))
  for (const word of ['upload', 'download', 'view', 'denied', anna.id, ben.id]) {
    t.match(said, word, `names ${word}`)
  }
  isProblem(t, await ben.get(`${filePath(id)}/access-log`), 404)
  isProblem(t, await anna.get(`${filePath(missing)}/access-log`), 404)
  isProblem(t, await server.call(`${filePath(id)}/access-log`), 401)
})

await t.test('what was stored is there after a restart', async (t) => {
  const anna = someone()
  const data = pdf('restart', 600_000)
  const id = await anna.file(data)
  t.equal(await server.stop(), 0)
  await server.start()
  hasBytes(t, await anna.get(filePath(id)), data)
})

await t.test('without a time to restore, a deleted file is destroyed at once', async (t) => {
  const anna = someone()
  await server.stop()
  await server.start({ DELETE_RETENTION_DAYS: '0' })
  const before = await server.blobs()
  const id = await anna.file(pdf('destroyed'))
  const answer = await anna.delete(filePath(id))
  hasStatus(t, answer, 200)
  isProblem(t, await anna.post(`${filePath(id)}/restore`), 404)
  t.same(listOf(await anna.get('/api/files/user?deleted=true')), [])
  t.same(await server.blobs(), before, 'its bytes are gone')
})
