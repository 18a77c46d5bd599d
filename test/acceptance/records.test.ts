import { once } from 'node:events'
import { createServer, type Server as HttpServer } from 'node:http'
import t from 'tap'
import { hasBytes, hasStatus, isProblem } from './support/checks.js'
import { contentTypes, pdf, png, sha256 } from './support/content.js'
import { eventually } from './support/eventually.js'
import { listOf } from './support/http.js'
import { fields, filePart, multipart } from './support/multipart.js'
import {
  assign,
  filePath,
  idOf,
  type Person,
  personOf,
  recordPath,
  recordType,
  recordUploadPath,
} from './support/people.js'
import { openRaw, requestHead } from './support/raw.js'
import { startServer } from './support/server.js'

// Every row of family B, with each status it can give. Who may do what is in access-table.test.ts.

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/
const instant = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/
const missing = '00000000-0000-4000-8000-000000000000'
const listPath = '/api/files/medical-records'
const typesPath = '/api/medical-record-types'

const server = await startServer()
t.teardown(() => server.close())

let people = 0
/** Someone who has nothing yet. */
const someone = (role = 'patient') => personOf(server, `${role}-${++people}`, { role })

const admin = someone('admin')
const type = await recordType(admin, { name: 'Any report' })

interface Care {
  readonly patient: Person
  readonly doctor: Person
  readonly fields: { readonly patient_id: string; readonly medical_record_type_id: string }
}

/** A patient and the clinician assigned to them. */
async function care(): Promise<Care> {
  const [patient, doctor] = [someone(), someone('clinician')]
  await assign(admin, doctor, patient)
  return { patient, doctor, fields: { patient_id: patient.id, medical_record_type_id: type } }
}

const gone = async (id: string) => {
  await admin.delete(`${recordPath(id)}/delete`)
}

await t.test('POST upload/medical-record seals a record for patient and clinician', async (t) => {
  const { patient, doctor, fields: record } = await care()
  const data = pdf('record', 300_000)
  const answer = await doctor.uploadRecord(data, record, { filename: 'blood.pdf' })
  hasStatus(t, answer, 201)
  t.match(answer.body, {
    record_id: uuid,
    file_id: uuid,
    ...record,
    filename: 'blood.pdf',
    content_type: contentTypes.pdf,
    size: data.length,
    sha256: sha256(data),
    created_at: instant,
  })
  const grants = answer.body.grants ?? []
  t.same(grants.map((grant) => grant.user_id).sort(), [doctor.id, patient.id].sort())
  const path = `${recordPath(idOf(answer))}/download`
  hasBytes(t, await patient.get(path), data)
  hasBytes(t, await doctor.get(path), data)
})

await t.test('the fields may come before or after the file', async (t) => {
  const { doctor, fields: record } = await care()
  const [patientField, typeField] = fields({ ...record })
  if (patientField === undefined || typeField === undefined) throw new Error('Two fields')
  const file = (seed: string) => filePart(pdf(seed, 300_000))
  const orders = [
    [file('order 1'), patientField, typeField],
    [patientField, file('order 2'), typeField],
    [typeField, file('order 3'), patientField],
    [typeField, patientField, file('order 4')],
  ]
  for (const parts of orders) hasStatus(t, await doctor.form(recordUploadPath, parts), 201)
  t.equal(listOf(await doctor.get(listPath)).length, 4)
})

await t.test('who is not assigned is refused, and nothing is left', async (t) => {
  const { patient, fields: record } = await care()
  const [stranger, parts] = [someone('clinician'), fields({ ...record })]
  const before = await server.blobs()
  const file = filePart(pdf('unassigned', 600_000))
  isProblem(t, await stranger.form(recordUploadPath, [...parts, file]), 403, 'not_assigned')
  isProblem(t, await stranger.form(recordUploadPath, [file, ...parts]), 403, 'not_assigned')
  isProblem(t, await patient.form(recordUploadPath, [...parts, file]), 403, 'not_assigned')
  isProblem(t, await admin.form(recordUploadPath, [file, ...parts]), 403, 'not_assigned')
  t.same(await server.blobs(), before)
  t.same(listOf(await patient.get(listPath)), [])
  const log = JSON.stringify((await patient.get('/api/patients/me/access-log')).body)
  t.match(log, stranger.id, 'the patient sees the refused attempts')
  const { headers, body } = multipart([...parts, file])
  isProblem(t, await server.call(recordUploadPath, { method: 'POST', headers, body }), 401)
})

await t.test('a record upload that is not well formed is refused', async (t) => {
  const { doctor, fields: record } = await care()
  const file = filePart(pdf('wrong', 300_000))
  const wrong = [
    fields({ patient_id: record.patient_id }),
    fields({ medical_record_type_id: type }),
    fields({ ...record, medical_record_type_id: missing }),
    fields({ ...record, medical_record_type_id: 'no such type' }),
    fields({ ...record, patient_id: '' }),
    fields({ ...record, colour: 'red' }),
    [...fields({ ...record }), ...fields({ patient_id: 'another' })],
  ]
  const before = await server.blobs()
  for (const parts of wrong) {
    isProblem(t, await doctor.form(recordUploadPath, [...parts, file]), 400)
    isProblem(t, await doctor.form(recordUploadPath, [file, ...parts]), 400)
  }
  isProblem(t, await doctor.form(recordUploadPath, fields({ ...record })), 400, 'file_missing')
  isProblem(t, await doctor.post(recordUploadPath, record), 415)
  const digest = fields({ ...record, sha256: sha256(pdf('other')) })
  isProblem(t, await doctor.form(recordUploadPath, [file, ...digest]), 422, 'digest_mismatch')
  t.same(await server.blobs(), before)
})

await t.test('duplicate_record only where the caller can open the existing one', async (t) => {
  const { patient, doctor, fields: record } = await care()
  const data = pdf('duplicate record')
  const id = await doctor.record(data, record)
  const again = await doctor.uploadRecord(data, record)
  isProblem(t, again, 409, 'duplicate_record')
  t.equal(again.body.file_id, id)
  const other = await care()
  hasStatus(t, await doctor.uploadRecord(data, record, { filename: 'x.pdf' }), 409)
  hasStatus(t, await other.doctor.uploadRecord(data, other.fields), 201, 'another patient')
  await doctor.delete(`${recordPath(id)}/delete`)
  hasStatus(t, await doctor.uploadRecord(data, record), 201, 'once it is deleted')
  hasStatus(t, await patient.upload(data), 201, 'the patient’s own file of the same bytes')
})

await t.test('a type’s own limits hold, wherever its field stands', async (t) => {
  const { doctor, fields: record } = await care()
  const limits = { allowed_types: ['image/png'], max_size_mb: 1 }
  const narrow = await recordType(admin, { name: 'Small picture', ...limits })
  const parts = fields({ ...record, medical_record_type_id: narrow })
  const image = { filename: 'a.png', type: 'image/png' }
  const wrongType = filePart(pdf('not a picture'))
  const tooLarge = filePart(Buffer.concat([png('huge'), Buffer.alloc(2 << 20)]), image)
  const before = await server.blobs()
  for (const order of [
    [...parts, wrongType],
    [wrongType, ...parts],
  ]) {
    isProblem(t, await doctor.form(recordUploadPath, order), 415, 'type_not_allowed')
  }
  for (const order of [
    [...parts, tooLarge],
    [tooLarge, ...parts],
  ]) {
    isProblem(t, await doctor.form(recordUploadPath, order), 413, 'file_too_large')
  }
  t.same(await server.blobs(), before)
  const fits = filePart(png('fits'), image)
  hasStatus(t, await doctor.form(recordUploadPath, [fits, ...parts]), 201)
})

await t.test('GET medical-records lists what the caller can open', async (t) => {
  const [one, two] = [await care(), await care()]
  await assign(admin, one.doctor, two.patient)
  const other = await recordType(admin, { name: 'Other' })
  const first = await one.doctor.record(pdf('listed 1'), one.fields)
  const second = await one.doctor.record(pdf('listed 2'), two.fields)
  const third = await one.doctor.record(pdf('listed 3'), {
    ...one.fields,
    medical_record_type_id: other,
  })
  const ids = async (who: Person, query = '') => {
    const answer = await who.get(`${listPath}${query}`)
    hasStatus(t, answer, 200, query)
    return listOf(answer).map((record) => record.file_id)
  }
  t.same((await ids(one.doctor)).sort(), [first, second, third].sort())
  t.same((await ids(one.patient)).sort(), [first, third].sort())
  t.same(await ids(two.patient), [second])
  t.same(await ids(someone()), [])
  t.same(await ids(one.doctor, `?patient_id=${two.patient.id}`), [second])
  t.same(await ids(one.doctor, `?type=${other}`), [third])
  const [past, future] = ['2001-01-01T00:00:00Z', '2101-01-01T00:00:00Z']
  t.equal((await ids(one.doctor, `?from=${past}&to=${future}`)).length, 3)
  t.same(await ids(one.doctor, `?from=${future}`), [])
  t.same(await ids(one.doctor, `?to=${past}`), [])
  t.equal((await ids(one.doctor, '?limit=2')).length, 2)
  const entry = listOf(await two.patient.get(listPath))[0]
  t.match(entry, { ...two.fields, file_id: second, filename: 'report.pdf', version: 1 })
  for (const query of ['?from=yesterday', '?limit=x', '?cursor=nonsense']) {
    isProblem(t, await one.doctor.get(listPath + query), 400)
  }
  isProblem(t, await server.call(listPath), 401)
})

await t.test('GET and HEAD …/download', async (t) => {
  const { patient, doctor, fields: record } = await care()
  const data = pdf('download', 600_000)
  const answer = await doctor.uploadRecord(data, record, { filename: 'قلب "1".pdf' })
  const path = `${recordPath(idOf(answer))}/download`
  const download = await patient.get(path)
  hasBytes(t, download, data)
  t.match(download.headers, {
    'content-type': contentTypes.pdf,
    'content-disposition': /^attachment; .*filename\*=UTF-8''/,
    'cache-control': 'private, no-store',
    'accept-ranges': 'bytes',
    etag: /^"/,
  })
  const view = await patient.get(`${path}?view=true`)
  hasBytes(t, view, data)
  t.match(view.headers['content-disposition'], /^inline/)
  const part = await patient.get(path, { range: 'bytes=262140-262150' })
  hasStatus(t, part, 206)
  t.ok(part.bytes.equals(data.subarray(262_140, 262_151)))
  const etag = download.headers['etag'] ?? ''
  hasStatus(t, await patient.get(path, { 'if-none-match': etag }), 304)
  isProblem(t, await patient.get(path, { range: 'bytes=9999999-' }), 416)
  const head = await patient.head(path)
  hasStatus(t, head, 200)
  t.equal(head.headers['content-length'], String(data.length))
  isProblem(t, await someone('clinician').get(path), 404)
  isProblem(t, await patient.get(`${recordPath(missing)}/download`), 404)
  isProblem(t, await server.call(path), 401)
})

await t.test('a record’s file is no general file, and a general file is no record', async (t) => {
  const { patient, doctor, fields: record } = await care()
  const id = await doctor.record(pdf('record only'), record)
  for (const who of [patient, doctor, admin]) {
    isProblem(t, await who.get(filePath(id)), 404)
    isProblem(t, await who.get(`${filePath(id)}/metadata`), 404)
    isProblem(t, await who.get(`${filePath(id)}/versions`), 404)
    isProblem(t, await who.get(`${filePath(id)}/access-log`), 404)
    isProblem(t, await who.patch(`${filePath(id)}/metadata`, { label: 'x' }), 404)
    isProblem(t, await who.delete(filePath(id)), 404)
    isProblem(t, await who.delete(`${filePath(id)}/delete`), 404)
    isProblem(t, await who.post(`${filePath(id)}/restore`), 404)
  }
  t.same(listOf(await patient.get('/api/files/user')), [])
  const general = await patient.file(pdf('general only'))
  isProblem(t, await patient.get(`${recordPath(general)}/download`), 404)
  isProblem(t, await patient.get(`${recordPath(general)}/grants`), 404)
  isProblem(t, await admin.delete(`${recordPath(general)}/delete`), 404)
})

await t.test('metadata, content, versions of a record', async (t) => {
  const { patient, doctor, fields: record } = await care()
  const [one, two] = [pdf('record version 1'), pdf('record version 2', 300_000)]
  const path = recordPath(await doctor.record(one, record))
  const metadata = await patient.get(`${path}/metadata`)
  hasStatus(t, metadata, 200)
  t.match(metadata.body, { ...record, filename: 'report.pdf', size: one.length, version: 1 })
  const change = { filename: 'better name.pdf', label: 'Final', notes: 'Corrected' }
  hasStatus(t, await doctor.patch(`${path}/metadata`, change), 200)
  t.match((await patient.get(`${path}/metadata`)).body, change)
  isProblem(t, await doctor.patch(`${path}/metadata`, { patient_id: 'x' }), 400, 'unknown_field')
  const friend = someone()
  await patient.post(`${path}/grants`, { user_id: friend.id })
  const put = await doctor.form(`${path}/content`, [filePart(two)], { method: 'PUT' })
  hasStatus(t, put, 200)
  t.match(put.body, { version: 2, sha256: sha256(two) })
  for (const who of [patient, doctor, friend]) {
    hasBytes(t, await who.get(`${path}/download`), two)
    hasBytes(t, await who.get(`${path}/download?version=1`), one)
  }
  const same = await doctor.form(`${path}/content`, [filePart(two)], { method: 'PUT' })
  hasStatus(t, same, 200)
  t.equal(same.body.version, 2)
  t.equal(listOf(await patient.get(`${path}/versions`)).length, 2)
  isProblem(t, await server.call(`${path}/versions`), 401)
  isProblem(t, await someone().get(`${path}/versions`), 404)
})

await t.test('a refused new version is refused before its body', async (t) => {
  const { patient, doctor, fields: record } = await care()
  const path = `${recordPath(await doctor.record(pdf('refused version'), record))}/content`
  const { headers, body } = multipart([filePart(pdf('never read', 900_000))])
  const connection = await openRaw(server.address)
  await connection.write(
    requestHead('PUT', path, {
      ...headers,
      authorization: `Bearer ${patient.token}`,
      'content-length': String(body.length),
      expect: '100-continue',
    }),
  )
  const answer = await connection.answer(3000)
  isProblem(t, answer, 403)
  t.equal(answer.headers['connection'], 'close')
  t.notMatch(connection.received().toString('latin1'), '100 Continue')
  connection.destroy()
})

await t.test('DELETE …/delete, and restore', async (t) => {
  const { patient, doctor, fields: record } = await care()
  const data = pdf('deleted record')
  const id = await doctor.record(data, record)
  const path = recordPath(id)
  isProblem(t, await patient.delete(`${path}/delete`), 403, 'patient_cannot_delete')
  isProblem(t, await someone('clinician').delete(`${path}/delete`), 404)
  isProblem(t, await server.call(`${path}/delete`, { method: 'DELETE' }), 401)
  const answer = await doctor.delete(`${path}/delete`)
  hasStatus(t, answer, 200)
  t.match(answer.body, { file_id: id, deleted_at: instant, purge_after: instant })
  for (const who of [patient, doctor]) {
    isProblem(t, await who.get(`${path}/download`), 404)
    isProblem(t, await who.get(`${path}/metadata`), 404)
    isProblem(t, await who.get(`${path}/grants`), 404)
    t.same(listOf(await who.get(listPath)), [])
  }
  isProblem(t, await doctor.delete(`${path}/delete`), 404)
  hasStatus(t, await doctor.post(`${path}/restore`), 200)
  for (const who of [patient, doctor]) hasBytes(t, await who.get(`${path}/download`), data)
  isProblem(t, await doctor.post(`${path}/restore`), 409)
  hasStatus(t, await admin.delete(`${path}/delete`), 200)
  const log = await patient.get('/api/patients/me/access-log')
  t.match(JSON.stringify(log.body), id, 'what happened to it stays on record')
})

await t.test('grants: share, list, revoke', async (t) => {
  const { patient, doctor, fields: record } = await care()
  const data = pdf('shared')
  const path = recordPath(await doctor.record(data, record))
  const friend = someone()
  isProblem(t, await friend.get(`${path}/download`), 404)
  const terms = { can_download: false, can_share: false, purpose: 'second opinion' }
  const expires = new Date(Date.now() + 86_400_000).toISOString()
  const wish = { user_id: friend.id, ...terms, expires_at: expires }
  const granted = await patient.post(`${path}/grants`, wish)
  hasStatus(t, granted, 201)
  t.match(granted.body, { user_id: friend.id, ...terms, basis: 'explicit' })
  t.equal(Date.parse(granted.body.expires_at ?? ''), Date.parse(expires))
  hasBytes(t, await friend.get(`${path}/download?view=true`), data)
  isProblem(t, await friend.get(`${path}/download`), 403, 'download_not_granted')
  const list = await patient.get(`${path}/grants`)
  hasStatus(t, list, 200)
  const bases = listOf(list).map((grant) => [grant.user_id, grant.basis])
  t.same(
    bases.sort(),
    [
      [doctor.id, 'assignment'],
      [friend.id, 'explicit'],
      [patient.id, 'own'],
    ].sort(),
  )
  hasStatus(t, await patient.delete(`${path}/grants/${friend.id}`), 200)
  t.ok([403, 404].includes((await friend.get(`${path}/download`)).status))
  isProblem(t, await patient.delete(`${path}/grants/${friend.id}`), 404)
  isProblem(t, await patient.delete(`${path}/grants/${patient.id}`), 409, 'grant_not_revocable')
  isProblem(t, await patient.delete(`${path}/grants/nobody`), 404)
  hasStatus(t, await patient.post(`${path}/grants`, { user_id: friend.id }), 201, 'once more')
  hasBytes(t, await friend.get(`${path}/download`), data)
})

await t.test('grants: what is wrong with a wish is said', async (t) => {
  const { patient, doctor, fields: record } = await care()
  const path = `${recordPath(await doctor.record(pdf('wishes'), record))}/grants`
  const wrong: unknown[] = [
    {},
    { user_id: '' },
    { user_id: 'x'.repeat(129) },
    { user_id: 'a', can_download: 'perhaps' },
    { user_id: 'a', expires_at: 'tomorrow' },
    { user_id: 'a', expires_at: '2001-01-01T00:00:00Z' },
    { user_id: 'a', purpose: 'p'.repeat(100_000) },
    { user_id: 'a', role: 'admin' },
    [],
    'a',
  ]
  for (const wish of wrong) isProblem(t, await patient.post(path, wish), 400)
  isProblem(t, await server.call(path, { method: 'POST', json: { user_id: 'a' } }), 401)
  isProblem(t, await server.call(path), 401)
  isProblem(t, await someone().get(path), 404)
  isProblem(t, await someone().post(path, { user_id: 'a' }), 404)
  isProblem(t, await patient.post(`${recordPath(missing)}/grants`, { user_id: 'a' }), 404)
})

await t.test('grants: a clinician revokes what they granted, the patient anyone’s', async (t) => {
  const { patient, doctor, fields: record } = await care()
  const path = recordPath(await doctor.record(pdf('revokes'), record))
  const [one, two, three] = [someone(), someone(), someone()]
  const grant = (who: Person, whom: Person) =>
    who.post(`${path}/grants`, { user_id: whom.id, can_share: true })
  hasStatus(t, await grant(doctor, one), 201)
  hasStatus(t, await grant(patient, two), 201)
  hasStatus(t, await grant(one, three), 201, 'a grantee who can share')
  isProblem(t, await doctor.delete(`${path}/grants/${two.id}`), 403)
  isProblem(t, await doctor.delete(`${path}/grants/${patient.id}`), 409)
  hasStatus(t, await doctor.delete(`${path}/grants/${one.id}`), 200)
  hasStatus(t, await patient.delete(`${path}/grants/${doctor.id}`), 200)
  const after = await doctor.get(`${path}/download`)
  isProblem(t, after, 403)
})

await t.test('a grant ends at its time', async (t) => {
  const { patient, doctor, fields: record } = await care()
  const path = recordPath(await doctor.record(pdf('short'), record))
  const friend = someone()
  const end = new Date(Date.now() + 1500).toISOString()
  await patient.post(`${path}/grants`, { user_id: friend.id, expires_at: end })
  hasStatus(t, await friend.get(`${path}/download`), 200)
  await eventually('the end', async () => (await friend.get(`${path}/download`)).status !== 200)
  t.ok(Date.now() >= Date.parse(end) - 50, 'not before its time')
  t.same(listOf(await friend.get(listPath)), [])
})

await t.test('the access log shows the patient who did what', async (t) => {
  const { patient, doctor, fields: record } = await care()
  const id = await doctor.record(pdf('watched', 600_000), record)
  const path = recordPath(id)
  const stranger = someone('clinician')
  await doctor.get(`${path}/download`)
  await stranger.get(`${path}/download`)
  for (const paths of [`${path}/access-log`, '/api/patients/me/access-log']) {
    const answer = await patient.get(paths)
    hasStatus(t, answer, 200, paths)
    const events = listOf(answer)
    const said = JSON.stringify(events)
    t.match(said, doctor.id)
    t.match(said, stranger.id, 'refused attempts too')
    t.match(said, 'denied')
    t.match(said, 'clinician', 'the role')
    t.match(said, 'assignment', 'the basis')
  }
  isProblem(t, await stranger.get(`${path}/access-log`), 404)
  isProblem(t, await server.call('/api/patients/me/access-log'), 401)
  t.same(listOf(await someone().get('/api/patients/me/access-log')), [])
})

await t.test('ranges of one reading are shown as one', async (t) => {
  const { patient, doctor, fields: record } = await care()
  const path = recordPath(await doctor.record(pdf('ranges', 600_000), record))
  for (let n = 0; n < 6; n++) {
    const range = `bytes=${n * 1000}-${n * 1000 + 999}`
    hasStatus(t, await doctor.get(`${path}/download`, { range }), 206)
  }
  const events = listOf(await patient.get(`${path}/access-log`))
  const downloads = events.filter((event) => event.action?.includes('download'))
  t.equal(downloads.length, 1)
})

await t.test('record types', async (t) => {
  const [patient, doctor] = [someone(), someone('clinician')]
  const seeded = await patient.get(typesPath)
  hasStatus(t, seeded, 200)
  t.ok(listOf(seeded).length >= 12, 'a dozen to begin with')
  t.type(listOf(seeded)[0]?.name, 'string')
  isProblem(t, await server.call(typesPath), 401)
  const wish = { name: 'Spirometry', sensitive: true }
  for (const who of [patient, doctor, someone('auditor')]) {
    isProblem(t, await who.post(typesPath, wish), 403)
  }
  const made = await admin.post(typesPath, wish)
  hasStatus(t, made, 201)
  t.match(made.body, wish)
  const path = `${typesPath}/${made.body.id ?? ''}`
  isProblem(t, await doctor.put(path, { name: 'x' }), 403)
  isProblem(t, await doctor.delete(path), 403)
  const changed = await admin.put(path, { name: 'Lung function', sensitive: false })
  hasStatus(t, changed, 200)
  t.match(changed.body, { name: 'Lung function', sensitive: false })
  t.match(JSON.stringify(listOf(await doctor.get(typesPath))), 'Lung function')
  for (const wrong of [{}, { name: '' }, { name: 7 }, { name: 'x', colour: 'red' }]) {
    isProblem(t, await admin.post(typesPath, wrong), 400)
    isProblem(t, await admin.put(path, wrong), 400)
  }
  hasStatus(t, await admin.delete(path), 200)
  t.notMatch(JSON.stringify(listOf(await doctor.get(typesPath))), 'Lung function')
  isProblem(t, await admin.delete(path), 404)
  isProblem(t, await admin.put(`${typesPath}/${missing}`, { name: 'x' }), 404)
})

await t.test('a type that records have cannot be deleted', async (t) => {
  const { patient, doctor, fields: record } = await care()
  const used = await recordType(admin, { name: 'In use' })
  const data = pdf('typed')
  const id = await doctor.record(data, { ...record, medical_record_type_id: used })
  isProblem(t, await admin.delete(`${typesPath}/${used}`), 409)
  hasBytes(t, await patient.get(`${recordPath(id)}/download`), data)
  await gone(id)
})

await t.test('assignments are the administrators’ business', async (t) => {
  const path = '/api/assignments'
  const [patient, doctor] = [someone(), someone('clinician')]
  const wish = { clinician_id: doctor.id, patient_id: patient.id }
  for (const who of [patient, doctor, someone('auditor')]) {
    isProblem(t, await who.get(path), 403)
    isProblem(t, await who.post(path, wish), 403)
    isProblem(t, await who.delete(`${path}?clinician_id=${doctor.id}&patient_id=x`), 403)
  }
  isProblem(t, await server.call(path), 401)
  for (const wrong of [
    {},
    { clinician_id: 'a' },
    { ...wish, role: 'x' },
    { ...wish, ends_at: 'x' },
  ]) {
    isProblem(t, await admin.post(path, wrong), 400)
  }
  hasStatus(t, await admin.post(path, wish), 201)
  const list = await admin.get(`${path}?clinician_id=${doctor.id}`)
  hasStatus(t, list, 200)
  t.match(listOf(list), [wish])
})

await t.test('an assignment opens, its end closes, its return opens again', async (t) => {
  const { patient, doctor, fields: record } = await care()
  const data = pdf('assignment')
  const path = `${recordPath(await doctor.record(data, record))}/download`
  await unassign(doctor, patient)
  await eventually('the end', async () => (await doctor.get(path)).status === 403, 61_000)
  isProblem(t, await doctor.uploadRecord(pdf('after the end'), record), 403, 'not_assigned')
  t.same(listOf(await doctor.get(listPath)), [])
  hasBytes(t, await patient.get(path), data)
  await assign(admin, doctor, patient)
  await eventually('the return', async () => (await doctor.get(path)).status === 200, 61_000)
})

/** Ends an assignment. */
async function unassign(clinician: Person, patient: Person): Promise<void> {
  const query = `clinician_id=${clinician.id}&patient_id=${patient.id}`
  const answer = await admin.delete(`/api/assignments?${query}`)
  if (answer.status !== 200) throw new Error(`${answer.status} ${answer.text}`)
}

await t.test('an assignment has a beginning and an end', async (t) => {
  const [patient, doctor] = [someone(), someone('clinician')]
  const record = { patient_id: patient.id, medical_record_type_id: type }
  const day = 86_400_000
  const future = new Date(Date.now() + day).toISOString()
  await assign(admin, doctor, patient, { starts_at: future })
  isProblem(t, await doctor.uploadRecord(pdf('too early'), record), 403, 'not_assigned')
})

await t.test(
  'a clinician newly assigned gets the patient’s records, sensitive ones not',
  async (t) => {
    const { patient, doctor, fields: record } = await care()
    const sensitive = await recordType(admin, { name: 'Psychiatry', sensitive: true })
    const data = pdf('team')
    const open = await doctor.record(data, record)
    const closed = await doctor.record(pdf('sensitive'), {
      ...record,
      medical_record_type_id: sensitive,
    })
    const colleague = someone('clinician')
    await assign(admin, colleague, patient)
    const status = async (id: string) => (await colleague.get(`${recordPath(id)}/download`)).status
    await eventually('the grant', async () => (await status(open)) === 200, 30_000)
    t.equal(await status(closed), 403)
    const later = await doctor.record(pdf('made later'), record)
    await eventually(
      'a grant for what comes later',
      async () => (await status(later)) === 200,
      30_000,
    )
    await unassign(colleague, patient)
    await eventually('the end', async () => (await status(open)) !== 200, 61_000)
  },
)

/** A portal that knows who treats whom, as far as the test tells it. */
async function portal(assigned: () => boolean | undefined): Promise<HttpServer> {
  const http = createServer((request, response) => {
    const answer = assigned()
    const isOurs = request.headers.authorization === 'Bearer portal-token-0123456789'
    response.writeHead(answer === undefined || !isOurs ? 500 : 200, {
      'content-type': 'application/json',
    })
    response.end(JSON.stringify({ assigned: answer }))
  })
  http.listen(0, '127.0.0.1')
  await once(http, 'listening')
  return http
}

await t.test('where the portal knows the assignments, it is asked', async (t) => {
  let answer: boolean | undefined = true
  const http = await portal(() => answer)
  t.teardown(() => http.close())
  const address = http.address()
  if (address === null || typeof address === 'string') throw new Error('No port')
  await server.stop()
  await server.start({
    ASSIGNMENTS_URL: `http://127.0.0.1:${address.port}/check`,
    DATABASE_SERVICE_TOKEN: 'portal-token-0123456789',
    ASSIGNMENTS_CACHE_SECONDS: '0',
  })
  const [patient, doctor] = [someone(), someone('clinician')]
  const record = { patient_id: patient.id, medical_record_type_id: type }
  const data = pdf('portal')
  const id = await doctor.record(data, record)
  const path = `${recordPath(id)}/download`
  hasBytes(t, await doctor.get(path), data)
  answer = false
  isProblem(t, await doctor.get(path), 403)
  isProblem(t, await doctor.uploadRecord(pdf('no'), record), 403, 'not_assigned')
  answer = undefined
  const away = await doctor.get(path)
  isProblem(t, away, 503, 'assignments_unavailable')
  t.match(away.headers['retry-after'], /^\d+$/)
  isProblem(t, await doctor.uploadRecord(pdf('no'), record), 503, 'assignments_unavailable')
  hasBytes(t, await patient.get(path), data)
  hasStatus(t, await patient.get(listPath), 200)
  const friend = someone()
  hasStatus(t, await patient.post(`${recordPath(id)}/grants`, { user_id: friend.id }), 201)
  hasBytes(t, await friend.get(path), data)
  isProblem(t, await admin.post('/api/assignments', {}), 400)
})
