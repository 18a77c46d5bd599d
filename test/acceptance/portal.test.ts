import { once } from 'node:events'
import { createServer } from 'node:http'
import t from 'tap'
import { hasBytes, hasStatus, isProblem } from './support/checks.js'
import { pdf } from './support/content.js'
import { eventually } from './support/eventually.js'
import { listOf } from './support/http.js'
import { type Person, personOf, recordPath, recordType } from './support/people.js'
import { startServer } from './support/server.js'

// Where a portal keeps the assignments: nobody tells the service of a new one.

const assigned = new Set<string>()
const nameOf = (clinician: string | null, patient: string | null) => `${clinician} of ${patient}`
const portal = createServer((request, response) => {
  const { searchParams } = new URL(request.url ?? '', 'http://portal')
  const pair = nameOf(searchParams.get('clinician_id'), searchParams.get('patient_id'))
  response.end(JSON.stringify({ assigned: assigned.has(pair) }))
})
portal.listen(0, '127.0.0.1')
await once(portal, 'listening')
t.teardown(() => portal.close())
const address = portal.address()
if (address === null || typeof address === 'string') throw new Error('No port')
const server = await startServer({
  ASSIGNMENTS_URL: `http://127.0.0.1:${address.port}/check`,
  DATABASE_SERVICE_TOKEN: 'portal-token-0123456789',
  ASSIGNMENTS_CACHE_SECONDS: '1',
})
t.teardown(() => server.close())

const admin = personOf(server, 'admin', { role: 'admin' })
const patient = personOf(server, 'patient')
const author = personOf(server, 'author', { role: 'clinician' })
const assign = (clinician: Person) => assigned.add(nameOf(clinician.id, patient.id))
const type = await recordType(admin)
const data = pdf('of the team')

assign(author)
const fileId = await author.record(data, { patient_id: patient.id, medical_record_type_id: type })
const path = `${recordPath(fileId)}/download`
const records = `/api/files/medical-records?patient_id=${patient.id}`

const idsSeenBy = async (who: Person) =>
  listOf(await who.get(records)).map(({ file_id }) => file_id)

await t.test('a clinician newly assigned is noticed where they ask for the patient', async (t) => {
  const newcomer = personOf(server, 'newcomer', { role: 'clinician' })
  t.same(await idsSeenBy(newcomer), [])
  isProblem(t, await newcomer.get(path), 404)
  assign(newcomer)
  await eventually('the list has it', async () => (await idsSeenBy(newcomer)).includes(fileId))
  hasBytes(t, await newcomer.get(path), data)
})

await t.test('or where they ask for a record', async (t) => {
  const other = personOf(server, 'other', { role: 'clinician' })
  assign(other)
  isProblem(t, await other.get(path), 403)
  await eventually('it opens', async () => (await other.get(path)).status === 200)
})

await t.test('what is sensitive is not given', async (t) => {
  const sensitive = await recordType(admin, { sensitive: true })
  const fields = { patient_id: patient.id, medical_record_type_id: sensitive }
  const hidden = await author.record(pdf('sensitive'), fields)
  const later = personOf(server, 'later', { role: 'clinician' })
  assign(later)
  await eventually('the list has the other', async () => (await idsSeenBy(later)).includes(fileId))
  t.notOk((await idsSeenBy(later)).includes(hidden))
  isProblem(t, await later.get(`${recordPath(hidden)}/download`), 403)
})

await t.test('whom the portal does not name gets nothing', async (t) => {
  const nobody = personOf(server, 'nobody-assigned', { role: 'clinician' })
  t.same(await idsSeenBy(nobody), [])
  isProblem(t, await nobody.get(path), 404)
  hasStatus(t, await patient.get(path), 200, 'the patient needs no portal')
})
