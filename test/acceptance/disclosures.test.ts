import t from 'tap'
import { hasStatus, isProblem } from './support/checks.js'
import { pdf } from './support/content.js'
import { type Answer, listOf } from './support/http.js'
import { assign, personOf, recordPath, recordType } from './support/people.js'
import { startServer } from './support/server.js'

// To whom a patient's records were opened, as the patient and as auditors get it.

const server = await startServer()
t.teardown(() => server.close())

const admin = personOf(server, 'admin', { role: 'admin' })
const auditor = personOf(server, 'auditor', { role: 'auditor' })
const patient = personOf(server, 'patient', { role: 'patient' })
const other = personOf(server, 'other', { role: 'patient' })
const treating = personOf(server, 'treating', { role: 'clinician' })
const consulted = personOf(server, '=consulted', { role: 'clinician' })
const rescuer = personOf(server, 'rescuer', { role: 'clinician' })

await assign(admin, treating, patient)
await assign(admin, treating, other)
const type = await recordType(admin)
const record = { patient_id: patient.id, medical_record_type_id: type }
const fileId = await treating.record(pdf('report', 90_000), record)
const path = recordPath(fileId)
const purpose = 'Second opinion, "urgent"'
const emergency = {
  patient_id: patient.id,
  reason_code: 'urgent_treatment',
  reason: 'Found unconscious',
  minutes: 5,
}
const others = await treating.record(pdf('another patient'), { ...record, patient_id: other.id })

await t.test('a record is shared, read in ranges, and read in an emergency', async (t) => {
  hasStatus(t, await patient.post(`${path}/grants`, { user_id: consulted.id, purpose }), 201)
  for (const range of ['bytes=0-99', 'bytes=100-199', 'bytes=200-299']) {
    hasStatus(t, await consulted.get(`${path}/download`, { range }), 206)
  }
  hasStatus(t, await patient.get(`${path}/download`), 200)
  hasStatus(t, await other.get(`${path}/download`), 404)
  hasStatus(t, await rescuer.post('/api/emergency-access', emergency), 201)
  hasStatus(t, await rescuer.get(`${path}/download?view=true`), 200)
})

type Fields = Readonly<Record<string, unknown>>
const entriesOf = (answer: Answer) =>
  (JSON.parse(answer.text) as { readonly disclosures: readonly Fields[] }).disclosures
const mine = '/api/patients/me/disclosures'
const theirs = `/api/patients/${patient.id}/disclosures`

await t.test('what the patient is told', async (t) => {
  const answer = await patient.get(mine)
  hasStatus(t, answer, 200)
  const [first, second, third, ...more] = entriesOf(answer)
  t.match(first, {
    action: 'record.view',
    recipient_id: rescuer.id,
    basis: 'emergency',
    purpose: emergency.reason,
    grant_id: null,
  })
  t.match(second, {
    action: 'record.download',
    recipient_id: consulted.id,
    recipient_roles: ['clinician'],
    requests: 3,
    file_id: fileId,
    version: 1,
    medical_record_type_id: type,
    basis: 'explicit',
    purpose,
  })
  t.match(third, {
    action: 'record.grant',
    recipient_id: consulted.id,
    disclosed_by: patient.id,
    purpose,
  })
  t.same(more, [], 'neither their own reading nor what was refused')
})

await t.test('what auditors and administrators are told', async (t) => {
  for (const who of [auditor, admin]) {
    const answer = await who.get(theirs)
    hasStatus(t, answer, 200)
    t.equal(entriesOf(answer).length, 3)
    t.match(entriesOf(answer)[1], { has_purpose: true, purpose: null })
    t.notMatch(answer.text, /opinion|unconscious/)
  }
  t.match(entriesOf(await patient.get(theirs))[1], { purpose }, 'the patient, by their id')
  isProblem(t, await other.get(theirs), 403, 'forbidden')
  isProblem(t, await treating.get(theirs), 403, 'forbidden')
  isProblem(t, await server.call(mine), 401)
  t.same(entriesOf(await auditor.get('/api/patients/nobody-at-all/disclosures')), [])
  const { text } = await other.get('/api/patients/me/disclosures')
  t.notMatch(text, fileId)
  t.notMatch(text, others, 'their own records were opened to nobody')
})

await t.test('each reading of it is on record', async (t) => {
  const log = listOf(
    await auditor.get('/api/v1/audit/logs?action=patient.disclosures_read&limit=200'),
  )
  const ofPatient = log.filter((each) => each.patient_id === patient.id) as unknown as Fields[]
  t.ok(ofPatient.some(({ actor_id }) => actor_id === auditor.id))
  t.match(
    ofPatient.find(({ actor_id }) => actor_id === other.id),
    { outcome: 'denied', reason: 'forbidden' },
  )
})

await t.test('a span of time, and pages', async (t) => {
  const [, , grant] = entriesOf(await patient.get(mine))
  const at = encodeURIComponent(String(grant?.['at']))
  t.equal(entriesOf(await patient.get(`${mine}?to=${at}`)).length, 0, 'before the first')
  t.equal(entriesOf(await patient.get(`${mine}?from=${at}`)).length, 3)
  t.equal(entriesOf(await patient.get(`${mine}?from=2020-01-01&to=2020-12-31`)).length, 0)
  isProblem(t, await patient.get(`${mine}?from=yesterday`), 400, 'invalid_field')
  isProblem(t, await patient.get(`${mine}?from=2021-01-01&to=2020-01-01`), 400, 'invalid_field')
  isProblem(t, await patient.get(`${mine}?format=xml`), 400)
  const seen: unknown[] = []
  for (let cursor = ''; ; ) {
    const page = await patient.get(`${mine}?limit=1${cursor}`)
    hasStatus(t, page, 200)
    seen.push(...entriesOf(page).map(({ action }) => action))
    const next = page.body.next_cursor
    if (next === null || next === undefined) break
    cursor = `&cursor=${next}`
  }
  t.same(seen, ['record.view', 'record.download', 'record.grant'])
})

await t.test('as CSV and PDF', async (t) => {
  const csv = await patient.get(`${mine}?format=csv`)
  hasStatus(t, csv, 200)
  t.match(csv.headers['content-type'], /^text\/csv/)
  t.match(csv.headers['content-disposition'], 'attachment; filename="disclosures.csv"')
  t.match(csv.headers['cache-control'], /no-store/)
  const lines = csv.text.trimEnd().split('\r\n')
  t.equal(lines.length, 4)
  t.match(lines[2], /,'=consulted,/, 'no formula')
  t.match(lines[2], '"Second opinion, ""urgent"""')
  t.notMatch((await auditor.get(`${theirs}?format=csv`)).text, /opinion/)
  for (const call of [mine, '/api/patients/me/access-log']) {
    const made = await patient.get(`${call}?format=pdf`)
    hasStatus(t, made, 200)
    t.equal(made.headers['content-type'], 'application/pdf')
    t.equal(made.bytes.subarray(0, 5).toString(), '%PDF-')
    t.match(made.bytes.toString('latin1').trimEnd(), /%%EOF$/)
  }
  isProblem(t, await other.get(`${theirs}?format=pdf`), 403, 'forbidden')
})

await t.test('the access log, whole', async (t) => {
  const log = '/api/patients/me/access-log'
  const csv = await patient.get(`${log}?format=csv`)
  t.match(csv.headers['content-disposition'], 'access-log.csv')
  const lines = csv.text.trimEnd().split('\r\n')
  t.match(lines[0], /^at,last_at,requests,action,outcome/)
  const json = listOf(await patient.get(`${log}?limit=200`))
  t.ok(lines.length > json.length - 3 && lines.length > 8, `${lines.length} lines`)
  t.ok(lines.some((line) => /denied,not_found,other/.test(line)))
  t.equal(listOf(await patient.get(`${log}?to=2020-01-01`)).length, 0)
})

await t.test('the log as FHIR AuditEvents', async (t) => {
  const answer = await auditor.get(`/api/v1/audit/logs?format=fhir&patient_id=${patient.id}`)
  hasStatus(t, answer, 200)
  t.equal(answer.headers['content-type'], 'application/fhir+ndjson')
  const events = answer.text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Fields)
  t.ok(events.length > 8)
  for (const event of events) t.equal(event['resourceType'], 'AuditEvent')
  t.ok(events.some((event) => JSON.stringify(event).includes('IHE.BasicAudit.PatientRead')))
  isProblem(t, await treating.get('/api/v1/audit/logs?format=fhir'), 403)
})
