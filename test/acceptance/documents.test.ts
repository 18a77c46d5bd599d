import { Readable } from 'node:stream'
import { setTimeout as wait } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { hasBytes, hasStatus, isProblem } from './support/checks.js'
import { digestField, pdf, sha256 } from './support/content.js'
import { eventually } from './support/eventually.js'
import { type Answer, type Call, listOf } from './support/http.js'
import { assign, type Person, personOf, recordPath, recordType } from './support/people.js'
import { openRaw, requestHead } from './support/raw.js'
import { startServer } from './support/server.js'

// Documents whose bytes go to a URL of their own: asked for, sent, confirmed, listed, handed out. API.md, C.

const portal = 'https://portal.example'
const settings = {
  ...{ TRUST_PROXY: '1', LOG_LEVEL: 'trace', TICKET_MAX_SECONDS: '60' },
  CORS_ALLOWED_ORIGINS: portal,
}
const server = await startServer(settings)
t.teardown(() => server.close())

const admin = personOf(server, 'admin', { role: 'admin' })
const anna = personOf(server, 'anna', { role: 'patient' })
const bert = personOf(server, 'bert', { role: 'patient' })
const doctor = personOf(server, 'doctor', { role: 'clinician' })
const colleague = personOf(server, 'colleague', { role: 'clinician' })
const stranger = personOf(server, 'stranger', { role: 'clinician' })
const viewer = personOf(server, 'viewer', { role: 'DOC_VIEWALL' })
await assign(admin, doctor, anna)
await assign(admin, colleague, anna)

const type = 'application/pdf'

interface Place {
  readonly id: string
  readonly key: string
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly expires_at: string
}

interface Entry {
  readonly id: string
  readonly key: string
  readonly patientId: string | null
  readonly filename: string
  readonly contentType: string
  readonly size: number
  readonly sha256: string
  readonly uploadedBy: string
}

const jsonOf = ({ text }: Answer): unknown => JSON.parse(text)

const presign = (who: Person, body: object = {}) =>
  who.post('/api/docs/presign-upload', { filename: 'scan.pdf', contentType: type, ...body })

async function placeOf(who: Person, body: object = {}): Promise<Place> {
  const answer = await presign(who, body)
  if (answer.status !== 200) throw new Error(`no place: ${answer.status} ${answer.text}`)
  return jsonOf(answer) as Place
}

/** A client without a token. */
const put = (url: string, data: Buffer, headers: Call['headers'] = { 'content-type': type }) =>
  server.call(new URL(url).pathname, { method: 'PUT', body: data, headers })

const confirm = (who: Person, { key }: Pick<Place, 'key'>, data: Buffer, more: object = {}) =>
  who.post('/api/docs/confirm', { key, contentType: type, size: data.length, ...more })

/** Asked for, sent and confirmed. */
async function documentOf(who: Person, data: Buffer, body: object = {}): Promise<Place> {
  const place = await placeOf(who, body)
  const sent = await put(place.url, data)
  if (sent.status !== 200) throw new Error(`not sent: ${sent.status} ${sent.text}`)
  const confirmed = await confirm(who, place, data)
  if (confirmed.status !== 201) throw new Error(`not confirmed: ${confirmed.text}`)
  return place
}

const list = async (who: Person, query = '') =>
  listOf(await who.get(`/api/docs?${query}`)) as unknown as readonly Entry[]

async function bytesOf(t: Test, who: Person, { id }: Pick<Place, 'id'>, data: Buffer) {
  const answer = await who.get(`/api/docs/${id}/download`)
  hasStatus(t, answer, 200)
  hasBytes(t, await server.call(new URL((jsonOf(answer) as { url: string }).url).pathname), data)
}

const actionsOf = async (fileId: string) =>
  listOf(await admin.get(`/api/v1/audit/logs?limit=200&resource=${fileId}`)).map(
    ({ action, outcome }) => `${action} ${outcome}`,
  )

await t.test('a clinician’s document becomes a record of the patient', async (t) => {
  const data = pdf('a scan', 200_000)
  const body = { patientId: anna.id, clinicId: 'ward-7', size: data.length, sha256: sha256(data) }
  const answer = await presign(doctor, { ...body, filename: 'Scan of A. Miller.pdf', unknown: 1 })
  hasStatus(t, answer, 200)
  t.equal(answer.headers['cache-control'], 'no-store')
  const place = jsonOf(answer) as Place
  t.equal(new URL(place.url).origin, server.origin)
  t.same(place.headers, { 'Content-Type': type })
  const [, year, month] = /^(\d{4})-(\d\d)/.exec(new Date().toISOString()) ?? []
  t.match(place.key, new RegExp(`^patients/[0-9a-f]{32}/${year}/${month}/${place.id}\\.pdf$`))
  t.notMatch(place.key, /anna|miller|scan/i)
  t.ok(Math.abs(Date.parse(place.expires_at) - Date.now() - 60_000) < 10_000, 'clamped')
  isProblem(t, await confirm(doctor, place, data), 409, 'not_uploaded')

  const sent = await put(place.url, data)
  hasStatus(t, sent, 200)
  t.same(jsonOf(sent), { id: place.id, key: place.key, upload_status: 'uploading' })
  t.same(await list(anna, `patientId=${anna.id}`), [], 'not there before it is confirmed')
  isProblem(t, await anna.get(`${recordPath(place.id)}/download`), 404)
  isProblem(t, await anna.get(`/api/docs/${place.id}/download`), 404)
  t.same(listOf(await anna.get(`/api/files/medical-records?patient_id=${anna.id}`)), [])

  const confirmed = await confirm(doctor, place, data, { patientId: anna.id, sha256: sha256(data) })
  hasStatus(t, confirmed, 201)
  const entry = jsonOf(confirmed) as Entry
  t.match(entry, {
    ...{ id: place.id, key: place.key, patientId: anna.id, filename: 'Scan of A. Miller.pdf' },
    ...{ contentType: type, size: data.length, sha256: sha256(data), uploadedBy: doctor.id },
  })
  t.same(jsonOf(await confirm(doctor, place, data)), entry, 'the same once more')
  for (const who of [anna, doctor]) {
    t.same(await list(who, `patientId=${anna.id}&clinicId=ward-7`), [entry])
    await bytesOf(t, who, place, data)
    hasBytes(t, await who.get(`${recordPath(place.id)}/download`), data)
  }
  t.same(await list(doctor, `patientId=${anna.id}&clinicId=ward-8`), [])
  await eventually('the team has it', async () => {
    return (await colleague.get(`${recordPath(place.id)}/download`)).status === 200
  })
  for (const who of [stranger, bert, viewer]) {
    const seen = await who.get(`/api/docs?patientId=${anna.id}&limit=1`)
    t.same(jsonOf(seen), { documents: [], next_cursor: null }, `${who.id} sees nothing`)
    isProblem(t, await who.get(`/api/docs/${place.id}/download`), 404)
  }
  t.same(
    (await actionsOf(place.id))
      .filter((each) => /^(document|record\.upload|ticket.issue)/.test(each))
      .filter((each) => !each.endsWith('denied')),
    [
      ...['ticket.issue success', 'ticket.issue success', 'record.upload success'],
      ...['document.receive success', 'document.presign success'],
    ],
  )
  t.notOk(server.logs().includes('Miller'), 'no name is in a log')
  t.notOk(server.logs().includes(new URL(place.url).pathname.split('.')[1] ?? '?'), 'no signature')
})

await t.test('a patient’s own, and a person’s own of no patient', async (t) => {
  const mine = pdf('of mine')
  const record = await documentOf(anna, mine, { patientId: anna.id, filename: 'mine.pdf' })
  t.match(record.key, /^patients\//)
  await bytesOf(t, anna, record, mine)
  const own = pdf('of no patient')
  const place = await documentOf(bert, own, { clinicId: 'ward-7' })
  t.match(place.key, /^people\/[0-9a-f]{32}\//)
  t.match(await list(bert), [{ id: place.id, patientId: null, uploadedBy: bert.id }])
  t.equal((await list(bert, 'clinicId=ward-7')).length, 1)
  t.same(await list(bert, 'clinicId=ward-8'), [])
  await bytesOf(t, bert, place, own)
  t.same(await list(anna), [], 'others have none of it')
  isProblem(t, await anna.get(`/api/docs/${place.id}/download`), 404, 'not_found')
  isProblem(t, await bert.get(`/api/files/${place.id}`), 404, 'not_found')
  await bytesOf(t, viewer, place, own)
  const read = listOf(
    await admin.get(`/api/v1/audit/logs?resource=${place.id}&action=file.download&outcome=success`),
  )
  const grants = new Set(read.map((event) => (event as { grant_id?: string }).grant_id))
  t.equal(grants.size, 2, 'the owner’s grant and the space’s')
  t.match(read, [{ actor_id: viewer.id }, { actor_id: bert.id }])
  const view = await bert.post('/api/tickets', { file_id: place.id, action: 'view' })
  const shown = await server.call(new URL((jsonOf(view) as { url: string }).url).pathname)
  hasBytes(t, shown, own)
  t.match(shown.headers['content-disposition'], /^inline/)
})

await t.test('a way there in place of a URL', async (t) => {
  const data = pdf('redirected')
  const { id } = await documentOf(bert, data)
  const answer = await bert.get(`/api/docs/${id}/download?redirect=true`)
  t.equal(answer.status, 302)
  t.equal(answer.headers['referrer-policy'], 'no-referrer')
  hasBytes(t, await server.call(new URL(answer.headers['location'] ?? '').pathname), data)
  isProblem(t, await bert.get('/api/docs/nothing/download'), 404, 'not_found')
})

await t.test('who may not, may not', async (t) => {
  isProblem(t, await presign(stranger, { patientId: anna.id }), 403, 'not_assigned')
  isProblem(t, await presign(bert, { patientId: anna.id }), 403, 'not_assigned')
  isProblem(t, await presign(admin, { patientId: anna.id }), 403, 'not_assigned')
  const denied = listOf(
    await admin.get(`/api/v1/audit/logs?patient=${anna.id}&action=document.presign&outcome=denied`),
  )
  t.ok(denied.length >= 3, 'on record, with the patient')
  const data = pdf('of who may not')
  const place = await placeOf(doctor, { patientId: anna.id })
  hasStatus(t, await put(place.url, data), 200)
  for (const who of [colleague, anna, stranger]) {
    isProblem(t, await confirm(who, place, data), 404, 'not_found')
  }
  hasStatus(t, await confirm(doctor, place, data), 201)
  const temp = personOf(server, 'temp', { role: 'clinician' })
  await assign(admin, temp, anna)
  const late = await placeOf(temp, { patientId: anna.id })
  const sent = await placeOf(temp, { patientId: anna.id })
  hasStatus(t, await put(sent.url, pdf('sent in time')), 200)
  hasStatus(t, await admin.delete(`/api/assignments?clinician_id=temp&patient_id=anna`), 200)
  isProblem(t, await put(late.url, pdf('late')), 403, 'not_assigned')
  isProblem(t, await confirm(temp, sent, pdf('sent in time')), 403, 'not_assigned')
})

await t.test('bad wishes', async (t) => {
  for (const [body, status, code] of [
    [{ contentType: 'text/html' }, 415, 'type_not_allowed'],
    [{ contentType: 'text/csv' }, 415, 'type_not_allowed'],
    [{ size: 200 * 1024 * 1024 }, 413, 'file_too_large'],
    [{ size: -1 }, 400, 'invalid_field'],
    [{ size: 1.5 }, 400, 'invalid_field'],
    [{ sha256: 'abc' }, 400, 'invalid_field'],
    [{ filename: '' }, 400, 'invalid_field'],
    [{ filename: 7 }, 400, 'invalid_field'],
    [{ patientId: 'x'.repeat(129) }, 400, 'invalid_field'],
    [{ patientId: 'space|bucket|documents' }, 400, 'invalid_field'],
    [{ patientId: anna.id, medicalRecordTypeId: 'none' }, 400, 'invalid_field'],
  ] as const) {
    const who = 'patientId' in body && body.patientId === anna.id ? doctor : bert
    isProblem(t, await presign(who, body), status, code)
  }
  const images = await recordType(admin, { name: 'Image', allowed_types: ['image/png'] })
  const asked = { patientId: anna.id, medicalRecordTypeId: images }
  isProblem(t, await presign(doctor, asked), 415, 'type_not_allowed')
  hasStatus(t, await presign(doctor, { ...asked, contentType: 'image/png' }), 200)
  const small = await recordType(admin, { name: 'Small', max_size_mb: 1 })
  const place = await placeOf(doctor, { patientId: anna.id, medicalRecordTypeId: small })
  isProblem(t, await put(place.url, pdf('too large', 1_100_000)), 413, 'file_too_large')
  hasStatus(t, await put(place.url, pdf('small enough', 1_000_000)), 200)
  isProblem(t, await confirm(doctor, { key: 'patients/x' }, pdf('x')), 404, 'not_found')
  isProblem(t, await confirm(doctor, { key: 'a\0b' }, pdf('x')), 400, 'invalid_field')
  for (const id of ['%00', 'space%7Cbucket%7Cdocuments']) {
    isProblem(t, await bert.get(`/api/docs?patientId=${id}`), 400, 'invalid_field')
  }
  hasStatus(t, await bert.get('/api/docs?clinicId=%00'), 200)
  hasStatus(t, await bert.get('/api/files/medical-records?patient_id=%00'), 400)
})

await t.test('bytes that are not what was asked for are not kept', async (t) => {
  const data = pdf('asked for', 5_000)
  const before = (await server.blobs()).length
  const place = await placeOf(bert, { size: data.length, sha256: sha256(data) })
  const typed = { 'content-type': type }
  const other = digestField(pdf('a'))
  for (const [what, bytes, headers, status, code] of [
    ['another type', data, { 'content-type': 'image/png' }, 422, 'content_mismatch'],
    ['no type', data, {}, 422, 'content_mismatch'],
    ['another length', data.subarray(1), typed, 422, 'content_mismatch'],
    ['other bytes', pdf('another', 5_000), typed, 422, 'digest_mismatch'],
    ['no PDF', Buffer.alloc(5_000, 'x'), typed, 415, undefined],
    ['another digest', data, { ...typed, 'content-digest': other }, 422, 'digest_mismatch'],
  ] as const) {
    const answer = await put(place.url, bytes, headers)
    isProblem(t, answer, status, code)
    t.equal((await server.blobs()).length, before, `${what}: nothing is kept`)
  }
  const chunked = await server.call(new URL(place.url).pathname, {
    ...{ method: 'PUT', headers: { 'content-type': type } },
    body: Readable.from([data, Buffer.from('more')]),
  })
  isProblem(t, chunked, 413, 'file_too_large')
  hasStatus(t, await put(place.url, data), 200, 'a failed try does not spend it')
  isProblem(t, await put(place.url, data), 410, 'ticket_over')
})

await t.test('addresses that are none', async (t) => {
  const data = pdf('url')
  const place = await placeOf(bert)
  const path = new URL(place.url).pathname
  isProblem(t, await put(`${server.origin}${path.slice(0, -2)}AA`, data), 404, 'not_found')
  isProblem(t, await put(`${server.origin}/t/x`, data), 404, 'not_found')
  isProblem(t, await server.call(path), 410, 'ticket_over')
  const posted = await server.call(path, { method: 'POST', body: data })
  isProblem(t, posted, 415, 'unsupported_media_type')
  const shown = await bert.post('/api/tickets', {
    file_id: await bert.file(pdf('to be shown')),
    action: 'view',
  })
  isProblem(t, await put((jsonOf(shown) as { url: string }).url, data), 410, 'ticket_over')
  hasStatus(t, await put(place.url, data, { 'content-type': `${type}; charset=x` }), 200)
})

await t.test('a URL expires', async (t) => {
  const short = personOf(server, 'short', { exp: Math.floor(Date.now() / 1000) + 3 })
  const place = await placeOf(short)
  t.ok(Date.parse(place.expires_at) <= Date.now() + 3_000, 'with the token it was asked for with')
  await wait(Date.parse(place.expires_at) - Date.now() + 50)
  isProblem(t, await put(place.url, pdf('late')), 410, 'ticket_over')
})

await t.test('what began in time may take its time', async (t) => {
  const short = personOf(server, 'short', { exp: Math.floor(Date.now() / 1000) + 3 })
  const place = await placeOf(short)
  const data = pdf('slow', 200_000)
  const connection = await openRaw(server.address)
  const headers = { 'content-type': type, 'content-length': String(data.length) }
  await connection.write(requestHead('PUT', new URL(place.url).pathname, headers))
  await connection.write(data.subarray(0, 150_000))
  await wait(Date.parse(place.expires_at) - Date.now() + 500)
  await connection.write(data.subarray(150_000))
  hasStatus(t, await connection.answer(), 200)
  connection.destroy()
})

await t.test('a page of the portal may send to it, and no other page', async (t) => {
  const data = pdf('from a page')
  const place = await placeOf(bert)
  const path = new URL(place.url).pathname
  const preflight = (origin: string) =>
    server.call(path, {
      method: 'OPTIONS',
      headers: {
        ...{ origin, 'access-control-request-method': 'PUT' },
        'access-control-request-headers': 'content-type,content-digest',
      },
    })
  const allowed = await preflight(portal)
  t.match(allowed.headers, {
    'access-control-allow-origin': portal,
    'access-control-allow-methods': /PUT/,
    'access-control-allow-headers': /content-type.*content-digest/i,
  })
  const other = await preflight('https://elsewhere.example')
  t.not(other.headers['access-control-allow-origin'], 'https://elsewhere.example')
  const sent = await put(place.url, data, { 'content-type': type, origin: portal })
  hasStatus(t, sent, 200)
  t.equal(sent.headers['access-control-allow-origin'], portal)
})

await t.test('two at once are one', async (t) => {
  const data = pdf('at once', 300_000)
  const place = await placeOf(bert)
  const sent = await Promise.all(Array.from({ length: 4 }, () => put(place.url, data)))
  const statuses = sent.map(({ status }) => status).sort()
  t.same(statuses, [200, 410, 410, 410])
  const confirmed = await Promise.all(Array.from({ length: 4 }, () => confirm(bert, place, data)))
  for (const each of confirmed) hasStatus(t, each, 201)
  t.equal(new Set(confirmed.map(({ text }) => text)).size, 1)
  const told = (await actionsOf(place.id)).filter((each) => each === 'document.upload success')
  t.equal(told.length, 1)
  const record = await placeOf(doctor, { patientId: anna.id })
  hasStatus(t, await put(record.url, pdf('a record at once')), 200)
  const all = await Promise.all(
    Array.from({ length: 6 }, () => confirm(doctor, record, pdf('a record at once'))),
  )
  for (const each of all) hasStatus(t, each, 201, 'a record')
  const uploads = (await actionsOf(record.id)).filter((each) => each === 'record.upload success')
  t.equal(uploads.length, 1)
})

await t.test('what is confirmed wrongly is discarded', async (t) => {
  const data = pdf('confirmed', 4_000)
  for (const [said, code] of [
    [{ size: data.length + 1 }, 'content_mismatch'],
    [{ contentType: 'image/png' }, 'content_mismatch'],
    [{ sha256: sha256(pdf('other')) }, 'digest_mismatch'],
    [{ patientId: anna.id }, 'content_mismatch'],
  ] as const) {
    const before = (await server.blobs()).length
    const place = await placeOf(bert)
    hasStatus(t, await put(place.url, data), 200)
    t.equal((await server.blobs()).length, before + 1)
    isProblem(t, await confirm(bert, place, data, said), 422, code)
    isProblem(t, await confirm(bert, place, data), 409, 'not_uploaded')
    isProblem(t, await bert.get(`/api/docs/${place.id}/download`), 404)
    t.equal((await server.blobs()).length, before, 'its bytes are gone')
    t.ok((await actionsOf(place.id)).includes('document.discard success'))
  }
})

await t.test('a record that is there already is not there twice', async (t) => {
  const data = pdf('twice', 4_000)
  const first = await documentOf(doctor, data, { patientId: anna.id })
  const before = (await server.blobs()).length
  const second = await placeOf(doctor, { patientId: anna.id })
  hasStatus(t, await put(second.url, data), 200)
  const answer = await confirm(doctor, second, data)
  isProblem(t, answer, 409, 'duplicate_record')
  t.equal(answer.body.file_id, first.id)
  t.equal((await server.blobs()).length, before, 'its bytes are gone')
  const both = [
    await placeOf(doctor, { patientId: anna.id }),
    await placeOf(doctor, { patientId: anna.id }),
  ]
  const twin = pdf('twins', 4_000)
  for (const { url } of both) hasStatus(t, await put(url, twin), 200)
  const answers = await Promise.all(both.map((place) => confirm(doctor, place, twin)))
  t.same(answers.map(({ status }) => status).sort(), [201, 409], 'of two at once one is there')
})

await t.test('a hold keeps what is not confirmed; a type that is asked for stays', async (t) => {
  const data = pdf('held', 4_000)
  const place = await placeOf(bert)
  hasStatus(t, await put(place.url, data), 200)
  const held = await server.command('hold', 'place', '--file', place.id, '--reference', 'case-1')
  t.equal(held.code, 0, held.err)
  isProblem(t, await confirm(bert, place, data, { size: 1 }), 423, 'legal_hold')
  t.ok((await actionsOf(place.id)).includes('document.discard denied'))
  hasStatus(t, await confirm(bert, place, data), 201, 'it is there still')
  const asked = await recordType(admin, { name: 'Asked for' })
  hasStatus(t, await presign(doctor, { patientId: anna.id, medicalRecordTypeId: asked }), 200)
  isProblem(t, await admin.delete(`/api/medical-record-types/${asked}`), 409)
})

await t.test('who is erased takes their documents along', async (t) => {
  const gone = personOf(server, 'gone', { role: 'patient' })
  const data = pdf('to be erased')
  const own = await documentOf(gone, data)
  const waiting = await placeOf(gone)
  hasStatus(t, await put(waiting.url, pdf('never confirmed')), 200)
  await bytesOf(t, viewer, own, data)
  const before = (await server.blobs()).length
  const shred = await server.command('shred', '--person', 'gone', '--yes', '--json')
  t.equal(shred.code, 0, shred.err)
  await eventually('no bytes', async () => (await server.blobs()).length === before - 2)
  isProblem(t, await viewer.get(`/api/docs/${own.id}/download`), 404, 'not_found')
  t.notMatch((await confirm(gone, waiting, pdf('never confirmed'))).status, 201)
})

await t.test('clients that confirm nothing', async (t) => {
  const data = pdf('plain', 3_000)
  const answer = await bert.post('/presign-upload', { filename: 'p.pdf', content_type: type })
  hasStatus(t, answer, 200)
  const place = jsonOf(answer) as { URL: string; key: string; id: string; expiry_timestamp: string }
  t.match(place.key, /^uploads\/[0-9a-f-]{36}\.pdf$/)
  t.ok(Date.parse(place.expiry_timestamp) > Date.now())
  t.equal(
    (jsonOf(await put(place.URL, data)) as { upload_status: string }).upload_status,
    'Completed',
  )
  await bytesOf(t, bert, place, data)
  t.ok((await list(bert)).some(({ id }) => id === place.id))
  isProblem(t, await confirm(bert, place, data), 404, 'not_found')
  isProblem(t, await bert.post('/presign-upload', { filename: 'p.pdf' }), 400, 'invalid_field')
})

await t.test('pages', async (t) => {
  const carl = personOf(server, 'carl')
  const made: string[] = []
  for (let nth = 0; nth < 5; nth++) made.unshift((await documentOf(carl, pdf(`page ${nth}`))).id)
  const seen: string[] = []
  let cursor = ''
  for (let page = 0; page < 3; page++) {
    const answer = await carl.get(`/api/docs?limit=2${cursor}`)
    seen.push(...(listOf(answer) as unknown as readonly Entry[]).map(({ id }) => id))
    const next = answer.body.next_cursor
    t.equal(next === null, page === 2)
    cursor = `&cursor=${next ?? ''}`
  }
  t.same(seen, made, 'newest first')
  isProblem(t, await carl.get('/api/docs?cursor=x'), 400, 'invalid_field')
})
