import t from 'tap'
import { hasBytes, hasStatus, isProblem } from './support/checks.js'
import { pdf } from './support/content.js'
import { listOf } from './support/http.js'
import { assign, filePath, personOf, recordPath, recordType } from './support/people.js'
import { rawCall, requestHead } from './support/raw.js'
import { startServer } from './support/server.js'

// Ids that are none, and the portal's ids, which may be anything of up to 128 characters.

const server = await startServer()
t.teardown(() => server.close())

const anna = personOf(server, 'anna')
const admin = personOf(server, 'admin', { role: 'admin' })
const id = await anna.file(pdf('ids'))

const malformed: Readonly<Record<string, string>> = {
  'a parent folder': '../../../../etc/passwd',
  'an encoded parent folder': '..%2f..%2f..%2fetc%2fpasswd',
  'a doubly encoded parent folder': '%252e%252e%252f',
  backslashes: '..%5c..%5cwindows',
  NUL: '%00',
  'an id and NUL': `${id}%00`,
  'an id and a line end': `${id}%0d%0aX-Injected:%20yes`,
  '128 characters': 'a'.repeat(128),
  '1,000 characters': 'a'.repeat(1000),
  '5,000 characters': 'a'.repeat(5000),
  'a number': '42',
  'a word of JavaScript': '__proto__',
  'an id in braces': `%7b${id}%7d`,
  'an id that is not hexadecimal': id.replace(/^./, 'g'),
  'an id and a blank': `${id}%20`,
  'an id and a quote': `${id}'--`,
  'half an escape': '%e0%a4%a',
  'not UTF-8': '%ff%fe',
  emoji: encodeURIComponent('🩺'),
}

for (const [what, wrong] of Object.entries(malformed)) {
  await t.test(`no file has an id of this kind: ${what}`, async (t) => {
    const paths = [
      filePath(wrong),
      `${filePath(wrong)}/metadata`,
      `${filePath(wrong)}/access-log`,
      `${recordPath(wrong)}/download`,
      `${recordPath(wrong)}/grants`,
    ]
    for (const path of paths) {
      const answer = await anna.get(path)
      t.ok([400, 404, 414].includes(answer.status), `${answer.status} for ${path.slice(0, 80)}`)
      isProblem(t, answer, answer.status)
      t.equal(answer.headers['x-injected'], undefined)
    }
    const gone = await anna.delete(filePath(wrong))
    t.ok([400, 404, 414].includes(gone.status), String(gone.status))
  })
}

await t.test(
  'an id with NUL in the request line is refused, and the service goes on',
  async (t) => {
    const authorization = `Bearer ${anna.token}`
    const request = requestHead('GET', `/api/files/${id}\0`, { authorization, connection: 'close' })
    const answer = await rawCall(server.address, request)
    t.equal(answer.status, 400)
    hasStatus(t, await anna.get('/api/files/user'), 200)
  },
)

await t.test('our ids are told in lower case and found in any', async (t) => {
  const answer = await anna.get(filePath(id.toUpperCase()))
  t.ok([200, 404].includes(answer.status))
  hasStatus(t, await anna.get(filePath(id)), 200)
})

await t.test('portal ids of up to 128 characters, whatever is in them', async (t) => {
  const ids = ['p'.repeat(128), 'urn:patient/7', 'Ωμέγα', 'a b', 'x%2f..', "o'neil", '42', '../x']
  const type = await recordType(admin)
  for (const patientId of ids) {
    const patient = personOf(server, patientId)
    const doctor = personOf(server, `doctor of ${patientId}`.slice(0, 128))
    await assign(admin, doctor, patient)
    const record = { patient_id: patientId, medical_record_type_id: type }
    const data = pdf(`of ${patientId}`)
    const file = await doctor.record(data, record)
    hasBytes(t, await patient.get(`${recordPath(file)}/download`), data)
    const query = `patient_id=${encodeURIComponent(patientId)}`
    t.equal(listOf(await doctor.get(`/api/files/medical-records?${query}`)).length, 1, patientId)
    const friend = personOf(server, `friend-of-${patientId}`.slice(0, 128))
    hasStatus(t, await patient.post(`${recordPath(file)}/grants`, { user_id: friend.id }), 201)
    hasStatus(t, await friend.get(`${recordPath(file)}/download`), 200)
    const grant = `${recordPath(file)}/grants/${encodeURIComponent(friend.id)}`
    hasStatus(t, await patient.delete(grant), 200, `revoking ${friend.id}`)
    t.not((await friend.get(`${recordPath(file)}/download`)).status, 200)
  }
})

await t.test('a portal id longer than 128 characters is refused', async (t) => {
  const tooLong = 'p'.repeat(129)
  const assignment = { clinician_id: 'c', patient_id: tooLong }
  isProblem(t, await admin.post('/api/assignments', assignment), 400)
  const answer = await anna.uploadRecord(pdf('long'), {
    patient_id: tooLong,
    medical_record_type_id: 'x',
  })
  isProblem(t, answer, 400)
  const list = await anna.get(`/api/files/medical-records?patient_id=${tooLong}`)
  t.ok([200, 400].includes(list.status))
})

await t.test('numbers are ids too: 42 and "42" are the same', async (t) => {
  const assignment = await admin.post('/api/assignments', { clinician_id: 7001, patient_id: 7002 })
  hasStatus(t, assignment, 201)
  t.match(assignment.body, { clinician_id: '7001', patient_id: '7002' })
  const record = { patient_id: '7002', medical_record_type_id: await recordType(admin) }
  const doctor = personOf(server, 'unused', { sub: 7001 })
  const file = await doctor.record(pdf('numbers'), record)
  hasStatus(t, await personOf(server, '7002').get(`${recordPath(file)}/download`), 200)
})
