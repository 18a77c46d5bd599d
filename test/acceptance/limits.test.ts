import { setTimeout as wait } from 'node:timers/promises'
import t from 'tap'
import { hasStatus, isProblem } from './support/checks.js'
import { pdf, sha256 } from './support/content.js'
import { eventually } from './support/eventually.js'
import { listOf } from './support/http.js'
import { type Form, fields, filePart, multipart } from './support/multipart.js'
import {
  filePath,
  idOf,
  type Person,
  personOf,
  recordUploadPath,
  uploadPath,
} from './support/people.js'
import { openRaw, type RawConnection, requestHead } from './support/raw.js'
import { startServer } from './support/server.js'

// What the service does when it is asked for too much, too often or too slowly, and when two
// callers want the same.

const mebibyte = 1024 * 1024

const server = await startServer({
  MAX_FILE_SIZE_MB: '1',
  MAX_CONCURRENT_UPLOADS: '3',
  UPLOAD_IDLE_SECONDS: '1',
  UPLOAD_QUOTA_MB: '3',
  MAX_BATCH_FILES: '4',
  MAX_UPLOAD_FIELDS: '5',
})
t.teardown(() => server.close())

let people = 0
/** Someone who has nothing yet. */
const someone = () => personOf(server, `person-${++people}`)

/** The head of an upload of this form, with more headers where given. */
const headOf = (who: Person, { headers, body }: Form, path = uploadPath, more = {}) =>
  requestHead('POST', path, {
    authorization: `Bearer ${who.token}`,
    ...headers,
    'content-length': String(body.length),
    ...more,
  })

async function isReady(): Promise<boolean> {
  try {
    return (await server.call('/health/ready')).status === 200
  } catch {
    return false
  }
}

/** An upload that has sent `size` bytes of its form and keeps the rest. */
async function begun(who: Person, form: Form, size: number): Promise<RawConnection> {
  const connection = await openRaw(server.address)
  await connection.write(headOf(who, form))
  await connection.write(form.body.subarray(0, size))
  return connection
}

await t.test('the largest file is taken, one byte more is not', async (t) => {
  const anna = someone()
  hasStatus(t, await anna.upload(pdf('largest', mebibyte)), 201)
  const before = (await server.blobs()).length
  isProblem(t, await anna.upload(pdf('too large', mebibyte + 1)), 413, 'file_too_large')
  isProblem(t, await anna.upload(pdf('much too large', 3 * mebibyte)), 413, 'file_too_large')
  t.equal(listOf(await anna.get('/api/files/user')).length, 1)
  t.equal((await server.blobs()).length, before, 'nothing is left of them')
})

await t.test('a file that is too large is refused without its length too', async (t) => {
  const anna = someone()
  const { headers, body } = multipart([filePart(pdf('chunked', 2 * mebibyte))])
  const connection = await openRaw(server.address)
  const chunked = { 'transfer-encoding': 'chunked', authorization: `Bearer ${anna.token}` }
  await connection.write(requestHead('POST', uploadPath, { ...headers, ...chunked }))
  await connection.write(`${body.length.toString(16)}\r\n`)
  await connection.write(body)
  await connection.write('\r\n0\r\n\r\n')
  isProblem(t, await connection.answer(), 413, 'file_too_large')
  connection.destroy()
})

await t.test('a batch has as many files as are allowed, and each its own limit', async (t) => {
  const anna = someone()
  const path = '/api/files/upload/batch'
  const parts = (count: number) =>
    Array.from({ length: count }, (_, n) => filePart(pdf(`batch ${count} ${n}`)))
  hasStatus(t, await anna.form(path, parts(4)), 207)
  isProblem(t, await anna.form(path, parts(5)), 400, 'too_many_parts')
  const mixed = [filePart(pdf('big', mebibyte + 1)), filePart(pdf('small'))]
  const answer = await anna.form(path, mixed)
  hasStatus(t, answer, 207)
  t.match(listOf(answer), [{ status: 413, code: 'file_too_large' }, { status: 201 }])
  const endless = [filePart(pdf('first')), filePart(pdf('endless', 4 * mebibyte))]
  const ended = await anna.form(path, [...endless, filePart(pdf('never read'))])
  hasStatus(t, ended, 207)
  t.match(listOf(ended), [{ status: 201 }, { status: 413, code: 'file_too_large' }])
  t.equal(listOf(ended).length, 2)
})

await t.test('too many fields, too long fields and too long names are refused', async (t) => {
  const anna = someone()
  const many = Array.from({ length: 40 }, (_, n) => ({ name: 'label', data: String(n) }))
  isProblem(t, await anna.form(uploadPath, [...many, filePart(pdf('many'))]), 400)
  const long = fields({ notes: 'n'.repeat(2 * mebibyte) })
  const answer = await anna.form(uploadPath, [...long, filePart(pdf('long'))])
  t.ok([400, 413].includes(answer.status), String(answer.status))
  isProblem(t, answer, answer.status)
  const named = [{ name: 'x'.repeat(5000), data: '' }, filePart(pdf('named'))]
  isProblem(t, await anna.form(uploadPath, named), 400)
  t.same(listOf(await anna.get('/api/files/user')), [])
})

await t.test('what one person may keep has a limit', async (t) => {
  const anna = someone()
  for (let n = 0; n < 3; n++) hasStatus(t, await anna.upload(pdf(`quota ${n}`, 1_000_000)), 201)
  isProblem(t, await anna.upload(pdf('over', 1_000_000)), 413, 'quota_exceeded')
  hasStatus(t, await someone().upload(pdf('over', 1_000_000)), 201, 'someone else')
})

await t.test('a client that stops sending is answered 408', async (t) => {
  const anna = someone()
  const before = (await server.blobs()).length
  const form = multipart([filePart(pdf('stalled', 600_000))])
  const connection = await begun(anna, form, 400_000)
  const answer = await connection.answer(8000)
  isProblem(t, answer, 408, 'upload_idle')
  t.equal(answer.headers['connection'], 'close')
  await connection.closed(5000)
  t.same(listOf(await anna.get('/api/files/user')), [])
  t.equal((await server.blobs()).length, before, 'nothing is left of it')
})

await t.test('a body of JSON that does not come is answered 408', async (t) => {
  const anna = someone()
  const connection = await openRaw(server.address)
  const headers = { 'content-type': 'application/json', 'content-length': '90' }
  await connection.write(
    requestHead('POST', '/api/files/check', { authorization: `Bearer ${anna.token}`, ...headers }),
  )
  await connection.write('{"sha256": "')
  const answer = await connection.answer(8000)
  isProblem(t, answer, 408, 'request_timeout')
  t.equal(answer.headers['connection'], 'close')
  await connection.closed(5000)
})

await t.test('a body of JSON that is refused unread stops nothing', async (t) => {
  const anna = someone()
  const connection = await openRaw(server.address)
  const headers = { 'content-type': 'application/json', 'content-length': '900000' }
  await connection.write(
    requestHead('POST', '/api/files/check', { authorization: `Bearer ${anna.token}`, ...headers }),
  )
  isProblem(t, await connection.answer(8000), 413)
  await connection.closed(5000)
  await wait(1500)
  hasStatus(t, await anna.get('/api/files/user'), 200, 'past the limit for its body')
})

await t.test('a body of JSON that is cut off harms nothing', async (t) => {
  const anna = someone()
  const connection = await openRaw(server.address)
  const headers = { 'content-type': 'application/json', 'content-length': '90' }
  await connection.write(
    requestHead('POST', '/api/files/check', { authorization: `Bearer ${anna.token}`, ...headers }),
  )
  await connection.write('{"sha256": "')
  connection.destroy()
  await eventually('the line of the request', () => server.logs().includes('/api/files/check'))
  hasStatus(t, await anna.get('/api/files/user'), 200)
})

await t.test('a client that dribbles is answered 408', async (t) => {
  const anna = someone()
  const form = multipart([filePart(pdf('dribble', 600_000))])
  const connection = await begun(anna, form, 1000)
  let at = 1000
  const timer = setInterval(() => {
    void connection.write(form.body.subarray(at, ++at))
  }, 200)
  const answer = await connection.answer(60_000).finally(() => {
    clearInterval(timer)
  })
  isProblem(t, answer, 408)
  connection.destroy()
})

await t.test(
  'past the greatest number of uploads the answer is 503 with Retry-After',
  async (t) => {
    const busy = [0, 1, 2].map((n) => ({
      who: someone(),
      form: multipart([filePart(pdf(`busy ${n}`, 300_000))]),
    }))
    const begins = busy.map(async ({ who, form }) => ({
      form,
      connection: await begun(who, form, 200_000),
    }))
    const running = await Promise.all(begins)
    await wait(200)
    const anna = someone()
    const refused = await anna.upload(pdf('one too many'))
    isProblem(t, refused, 503, 'too_many_uploads')
    t.match(refused.headers['retry-after'], /^\d+$/)
    hasStatus(t, await anna.get('/api/files/user'), 200, 'reading meanwhile')
    for (const { form, connection } of running) {
      await connection.write(form.body.subarray(200_000))
      hasStatus(t, await connection.answer(), 201)
      connection.destroy()
    }
    hasStatus(t, await anna.upload(pdf('afterwards')), 201, 'afterwards')
  },
)

await t.test('uploads that were cut do not count for ever', async (t) => {
  const form = multipart([filePart(pdf('cut', 300_000))])
  for (let n = 0; n < 9; n++) (await begun(someone(), form, 100_000)).destroy()
  const anna = someone()
  for (let n = 0; n < 50; n++) {
    if ((await anna.upload(pdf('after the cuts'))).status === 201) return
    await wait(100)
  }
  t.fail('no upload was taken any more')
})

await t.test('two simultaneous uploads of the same bytes: one 201, one 409', async (t) => {
  for (let n = 0; n < 8; n++) {
    const anna = someone()
    const data = pdf(`same ${n}`, 100_000 + n * 50_000)
    const form = multipart([filePart(data)])
    const held = 10
    const connections = await Promise.all(
      [0, 1].map(() => begun(anna, form, form.body.length - held)),
    )
    const answers = await Promise.all(
      connections.map(async (connection) => {
        await connection.write(form.body.subarray(form.body.length - held))
        return connection.answer()
      }),
    )
    t.same(answers.map((answer) => answer.status).sort(), [201, 409])
    const [made] = answers.filter((answer) => answer.status === 201)
    const [refused] = answers.filter((answer) => answer.status === 409)
    t.equal(refused?.body.code, 'duplicate_file')
    t.equal(refused?.body.file_id, made?.body.file_id)
    t.equal(listOf(await anna.get('/api/files/user')).length, 1)
    for (const connection of connections) connection.destroy()
  }
})

await t.test('many at once, each of its own bytes', async (t) => {
  const people = Array.from({ length: 3 }, someone)
  for (let round = 0; round < 5; round++) {
    const answers = await Promise.all(
      people.map((who) => who.upload(pdf(`${who.id} ${round}`, 50_000))),
    )
    for (const answer of answers) hasStatus(t, answer, 201)
  }
  for (const who of people) {
    const files = listOf(await who.get('/api/files/user'))
    t.equal(files.length, 5)
    const [last] = files
    const download = await who.get(filePath(last?.file_id ?? ''))
    t.equal(sha256(download.bytes), last?.sha256)
  }
})

await t.test('403 before the body is read, where the fields come first', async (t) => {
  const stranger = someone()
  const type = listOf(await stranger.get('/api/medical-record-types'))[0]?.id ?? ''
  const form = multipart([
    ...fields({ patient_id: 'someone-else', medical_record_type_id: type }),
    filePart(pdf('unread', 900_000)),
  ])
  const connection = await openRaw(server.address)
  await connection.write(headOf(stranger, form, recordUploadPath, { expect: '100-continue' }))
  await connection.until((received) => received.length > 0, 3000)
  await connection.write(form.body.subarray(0, (form.offsets[2] ?? 0) + 100))
  const answer = await connection.answer(3000)
  isProblem(t, answer, 403, 'not_assigned')
  t.equal(answer.headers['connection'], 'close')
  connection.destroy()
})

await t.test('LEGACY_STATUS answers 400 where a file is too large', async (t) => {
  await server.stop()
  await server.start({ LEGACY_STATUS: 'true' })
  isProblem(t, await someone().upload(pdf('too large', mebibyte + 1)), 400, 'file_too_large')
})

await t.test('SIGTERM lets an upload under way finish', async (t) => {
  const anna = someone()
  const before = (await server.blobs()).length
  const data = pdf('finished', 900_000)
  const form = multipart([filePart(data)])
  const connection = await begun(anna, form, 800_000)
  await server.sealed.reached(before)
  const stopped = server.stop()
  await eventually('the stop', async () => !(await isReady()))
  await connection.write(form.body.subarray(800_000))
  const answer = await connection.answer()
  hasStatus(t, answer, 201)
  connection.destroy()
  t.equal(await stopped, 0)
  await server.start()
  t.ok((await anna.get(filePath(idOf(answer)))).bytes.equals(data))
})
