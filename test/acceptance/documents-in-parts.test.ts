import { randomUUID } from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { hasBytes, hasStatus, isProblem } from './support/checks.js'
import { digestField, pdf, sha256 } from './support/content.js'
import { type Answer, listOf } from './support/http.js'
import { assign, type Person, personOf } from './support/people.js'
import { startServer } from './support/server.js'

// Documents that come in parts: in whatever order, at once, sent anew, made whole, given up. API.md, C.

const MIB = 1_048_576
const type = 'application/pdf'
const server = await startServer({ LOG_LEVEL: 'info' })
t.teardown(() => server.close())

const admin = personOf(server, 'admin', { role: 'admin' })
const anna = personOf(server, 'anna', { role: 'patient' })
const bert = personOf(server, 'bert', { role: 'patient' })
const doctor = personOf(server, 'doctor', { role: 'clinician' })
const stranger = personOf(server, 'stranger', { role: 'clinician' })
await assign(admin, doctor, anna)

interface Begun {
  readonly upload_id: string
  readonly id: string
  readonly key: string
  readonly parts: readonly { readonly partNumber: number; readonly size: number }[]
  readonly minPartSize: number
  readonly maxPartSize: number
}

const jsonOf = ({ text }: Answer): unknown => JSON.parse(text)
const path = ({ upload_id }: Pick<Begun, 'upload_id'>) => `/api/docs/multipart/${upload_id}`

async function begin(who: Person, body: object = {}): Promise<Begun> {
  const asked = { filename: 'scan.pdf', contentType: type, ...body }
  const answer = await who.post('/api/docs/multipart', asked)
  if (answer.status !== 201) throw new Error(`not begun: ${answer.status} ${answer.text}`)
  return jsonOf(answer) as Begun
}

async function urls(who: Person, upload: Begun, ...partNumbers: number[]): Promise<string[]> {
  const answer = await who.post(`${path(upload)}/parts`, { partNumbers })
  const { parts } = jsonOf(answer) as { parts: { partNumber: number; url: string }[] }
  return parts.map(({ url }) => url)
}

/** A client without a token. */
const put = (url: string, body: Buffer, headers: Readonly<Record<string, string>> = {}) =>
  server.call(new URL(url).pathname, { method: 'PUT', body, headers })

async function send(who: Person, upload: Begun, partNumber: number, data: Buffer) {
  const [url = ''] = await urls(who, upload, partNumber)
  return await put(url, data)
}

const complete = (who: Person, upload: Begun, body: object = {}) =>
  who.post(`${path(upload)}/complete`, body)

const cut = (data: Buffer, ...at: number[]) =>
  [0, ...at].map((start, n) => data.subarray(start, at[n] ?? data.length))

async function opened(who: Person, { id }: Begun) {
  const { url } = jsonOf(await who.get(`/api/docs/${id}/download`)) as { url: string }
  return await server.call(new URL(url).pathname)
}

async function received(who: Person, upload: Begun) {
  const { parts } = jsonOf(await who.get(path(upload))) as Begun
  return parts.map(({ partNumber, size }) => [partNumber, size])
}

async function nothingMore(t: Test, before: number, more = 0) {
  t.equal((await server.blobs()).length, before + more, 'no sealed bytes but what is there')
}

await t.test('in any order and at once, made whole', async (t) => {
  const before = (await server.blobs()).length
  const data = pdf(randomUUID(), 12 * MIB + 17)
  const said = { size: data.length, sha256: sha256(data) }
  const upload = await begin(bert, said)
  t.equal(upload.upload_id, upload.id, 'one id for all of it')
  t.match(upload, { minPartSize: 5 * MIB, maxPartSize: 64 * MIB, parts: [] })
  const parts = cut(data, 5 * MIB, 10 * MIB)
  const places = await urls(bert, upload, 1, 2, 3)
  // What a type says of bytes that are none of that type is nobody's to parse; curl says so by itself.
  const form = { 'content-type': 'application/x-www-form-urlencoded' }
  const last = await put(places[2] ?? '', parts[2] ?? data, form)
  hasStatus(t, last, 200, 'the last comes first')
  t.match(jsonOf(last), {
    ...{ id: upload.id, key: upload.key, upload_status: 'Awaiting', partNumber: 3 },
    ...{ size: 2 * MIB + 17, sha256: sha256(parts[2] ?? data) },
  })
  t.strictSame(await received(bert, upload), [[3, 2 * MIB + 17]])
  isProblem(t, await complete(bert, upload), 409, 'not_uploaded')
  const json = { 'content-type': 'application/json' }
  const both = [0, 1].map((n) => put(places[n] ?? '', parts[n] ?? data, json))
  for (const answer of await Promise.all(both)) hasStatus(t, answer, 200)
  t.strictSame(await received(bert, upload), [
    [1, 5 * MIB],
    [2, 5 * MIB],
    [3, 2 * MIB + 17],
  ])
  t.equal(listOf(await bert.get('/api/docs')).length, 0, 'nobody finds it yet')
  isProblem(t, await bert.get(`/api/docs/${upload.id}/download`), 404, 'not_found')

  const made = await complete(bert, upload, {
    parts: [{ partNumber: 1, etag: 'x' }, { partNumber: 2 }, { partNumber: 3 }],
    ...said,
  })
  hasStatus(t, made, 201)
  const { id, key } = upload
  t.match(jsonOf(made), { ...{ id, key, contentType: type, filename: 'scan.pdf' }, ...said })
  hasBytes(t, await opened(bert, upload), data)
  await nothingMore(t, before, 1)
  t.strictSame(jsonOf(await complete(bert, upload)), jsonOf(made), 'once more, the same')
  isProblem(t, await put(places[1] ?? '', data), 410, 'ticket_over')
  isProblem(t, await bert.get(path(upload)), 410, 'ticket_over')
  isProblem(t, await bert.delete(path(upload)), 410, 'ticket_over')
  hasBytes(t, await opened(bert, upload), data)
})

await t.test('a record of a patient', async (t) => {
  const upload = await begin(doctor, { patientId: anna.id, clinicId: 'ward-7' })
  const data = pdf(randomUUID(), 6 * MIB)
  const parts = cut(data, 5 * MIB)
  for (const [n, part] of parts.entries()) {
    hasStatus(t, await send(doctor, upload, n + 1, part), 200)
  }
  isProblem(t, await complete(anna, upload), 404, 'not_found')
  t.match(jsonOf(await complete(doctor, upload)), { patientId: anna.id, uploadedBy: doctor.id })
  hasBytes(t, await opened(anna, upload), data)
  const ended = await begin(doctor, { patientId: anna.id })
  hasStatus(t, await send(doctor, ended, 1, pdf('late')), 200)
  const [url = ''] = await urls(doctor, ended, 2)
  const query = `clinician_id=${doctor.id}&patient_id=${anna.id}`
  hasStatus(t, await admin.delete(`/api/assignments?${query}`), 200)
  isProblem(t, await put(url, pdf('late')), 403, 'not_assigned')
  isProblem(t, await complete(doctor, ended), 403, 'not_assigned')
  isProblem(t, await doctor.get(path(ended)), 403, 'not_assigned')
  await assign(admin, doctor, anna)
  hasStatus(t, await doctor.delete(path(ended)), 204)
})

await t.test('what is not as it was asked for', async (t) => {
  const before = (await server.blobs()).length
  const data = pdf(randomUUID(), 6 * MIB)
  const upload = await begin(bert, { size: data.length })
  const parts = cut(data, 5 * MIB)
  const [first = data, second = data] = parts
  isProblem(t, await send(bert, upload, 1, Buffer.alloc(5 * MIB, 'x')), 415, 'type_not_allowed')
  const [place = ''] = await urls(bert, upload, 1)
  const other = { 'content-digest': digestField(data) }
  isProblem(t, await put(place, first, other), 422, 'digest_mismatch')
  await nothingMore(t, before)
  hasStatus(t, await put(place, first), 200, 'a failed try does not spend it')
  isProblem(t, await put(place, first), 410, 'ticket_over')
  isProblem(t, await send(bert, upload, 2, first), 413, 'file_too_large')
  hasStatus(t, await send(bert, upload, 2, second.subarray(1)), 200)
  isProblem(t, await complete(bert, upload), 422, 'content_mismatch')
  hasStatus(t, await send(bert, upload, 2, second), 200, 'sent anew')
  await nothingMore(t, before, 2)
  for (const [body, status, code] of [
    [{ size: data.length - 1 }, 422, 'content_mismatch'],
    [{ sha256: sha256(first) }, 422, 'digest_mismatch'],
    [{ parts: [{ partNumber: 1 }] }, 422, 'content_mismatch'],
    [{ parts: [1, 2, 3].map((partNumber) => ({ partNumber })) }, 409, 'not_uploaded'],
    [{ parts: [] }, 400, 'invalid_field'],
    [{ parts: [{ partNumber: 1 }, { partNumber: 0 }] }, 400, 'invalid_field'],
  ] as const) {
    isProblem(t, await complete(bert, upload, body), status, code)
    await nothingMore(t, before, 2)
  }
  hasStatus(t, await complete(bert, upload), 201)
  hasBytes(t, await opened(bert, upload), data)
})

await t.test('parts that are too small, or none', async (t) => {
  const upload = await begin(bert)
  isProblem(t, await complete(bert, upload), 409, 'not_uploaded')
  hasStatus(t, await send(bert, upload, 1, pdf('small')), 200)
  hasStatus(t, await send(bert, upload, 2, pdf('small')), 200)
  isProblem(t, await complete(bert, upload), 422, 'content_mismatch')
  for (const partNumbers of [
    [0],
    [1_001],
    [],
    ['1'],
    Array.from({ length: 101 }, (_, n) => n + 1),
  ]) {
    isProblem(t, await bert.post(`${path(upload)}/parts`, { partNumbers }), 400, 'invalid_field')
  }
  hasStatus(t, await bert.delete(path(upload)), 204)
  const alone = await begin(bert)
  const data = pdf(randomUUID())
  hasStatus(t, await send(bert, alone, 1, data), 200)
  const made = await bert.call(`${path(alone)}/complete`, { method: 'POST' })
  hasStatus(t, made, 201, 'a single small one, and no body')
  hasBytes(t, await opened(bert, alone), data)
})

await t.test('two completions at once are one', async (t) => {
  const before = (await server.blobs()).length
  const data = pdf(randomUUID(), 11 * MIB)
  const upload = await begin(bert)
  for (const [n, part] of cut(data, 6 * MIB).entries()) await send(bert, upload, n + 1, part)
  const answers = await Promise.all([1, 2, 3].map(() => complete(bert, upload)))
  for (const answer of answers) {
    hasStatus(t, answer, 201)
    t.strictSame(jsonOf(answer), jsonOf(answers[0] ?? answer))
  }
  hasBytes(t, await opened(bert, upload), data)
  await nothingMore(t, before, 1)
})

await t.test('completions one after another, before the first is answered', async (t) => {
  const before = (await server.blobs()).length
  const data = pdf(randomUUID(), 40 * MIB)
  const upload = await begin(bert, { size: data.length })
  for (const [n, part] of cut(data, 10 * MIB, 20 * MIB, 30 * MIB).entries()) {
    hasStatus(t, await send(bert, upload, n + 1, part), 200)
  }
  const answers = await Promise.all(
    Array.from({ length: 8 }, async (_, n) => {
      await wait(n * 60)
      return await complete(bert, upload)
    }),
  )
  for (const answer of answers) {
    hasStatus(t, answer, 201)
    t.strictSame(jsonOf(answer), jsonOf(answers[0] ?? answer))
  }
  hasBytes(t, await opened(bert, upload), data)
  await nothingMore(t, before, 1)
  const events = await admin.get(`/api/v1/audit/logs?resource=${upload.id}&outcome=failed`)
  t.equal(listOf(events).length, 0, 'and nothing was taken for damaged')
})

await t.test('given up, and over a restart', async (t) => {
  const before = (await server.blobs()).length
  const upload = await begin(bert)
  const data = pdf(randomUUID(), 7 * MIB)
  const [first = data, second = data] = cut(data, 6 * MIB)
  hasStatus(t, await send(bert, upload, 1, first), 200)
  const [place = ''] = await urls(bert, upload, 2)
  await server.stop()
  await server.start()
  t.strictSame(await received(bert, upload), [[1, 6 * MIB]])
  hasStatus(t, await put(place, second), 200)
  hasStatus(t, await complete(bert, upload), 201)
  hasBytes(t, await opened(bert, upload), data)
  await nothingMore(t, before, 1)

  const left = await begin(bert)
  hasStatus(t, await send(bert, left, 1, first), 200)
  const [late = ''] = await urls(bert, left, 2)
  hasStatus(t, await bert.delete(path(left)), 204)
  hasStatus(t, await bert.delete(path(left)), 204, 'once more')
  await nothingMore(t, before, 1)
  isProblem(t, await put(late, second), 410, 'ticket_over')
  isProblem(t, await complete(bert, left), 410, 'ticket_over')
  isProblem(t, await bert.get(path(left)), 410, 'ticket_over')
})

await t.test('nobody else’s, and no other kind of upload', async (t) => {
  const upload = await begin(bert)
  const body = { filename: 'a.pdf', contentType: type }
  const plain = jsonOf(await bert.post('/api/docs/presign-upload', body)) as { id: string }
  for (const [who, id] of [
    [anna, upload.id],
    [stranger, upload.id],
    [bert, plain.id],
    [bert, randomUUID()],
    [bert, 'none'],
  ] as const) {
    const at = path({ upload_id: id })
    isProblem(t, await who.get(at), 404, 'not_found')
    isProblem(t, await who.post(`${at}/parts`, { partNumbers: [1] }), 404, 'not_found')
    isProblem(t, await who.post(`${at}/complete`, {}), 404, 'not_found')
    isProblem(t, await who.delete(at), 404, 'not_found')
  }
  isProblem(t, await stranger.post('/api/docs/multipart', { ...body, patientId: anna.id }), 403)
  isProblem(t, await bert.post('/api/docs/multipart', { ...body, contentType: 'text/html' }), 415)
  hasStatus(t, await server.call('/api/docs/multipart', { method: 'POST', json: body }), 401)
  const confirmed = { key: upload.key, contentType: type, size: 1 }
  isProblem(t, await bert.post('/api/docs/confirm', confirmed), 409, 'not_uploaded')
})

await t.test('the log is sound, and the sweep finds nothing', async (t) => {
  const verified = await server.command('audit', 'verify')
  t.equal(verified.code, 0, verified.out + verified.err)
  const swept = await server.command('sweep', '--json', '--grace-hours', '1')
  t.match(JSON.parse(swept.out), { damaged: 0 })
  t.notMatch(server.logs(), /scan\.pdf|ward-7/)
})
