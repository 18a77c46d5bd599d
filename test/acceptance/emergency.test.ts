import { setTimeout as wait } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { startReceiver, verifiedWebhook } from '../helpers/event-receiver.js'
import { hasBytes, hasStatus, isProblem } from './support/checks.js'
import { pdf } from './support/content.js'
import { eventually } from './support/eventually.js'
import { type Answer, listOf } from './support/http.js'
import { assign, type Person, personOf, recordPath, recordType } from './support/people.js'
import { openReader } from './support/reader.js'
import { startServer } from './support/server.js'

// An emergency from its request to its review, with everything that is refused on the way.

const secret = `whsec_${Buffer.alloc(32, 7).toString('base64')}`
const webhook = await startReceiver()
t.teardown(() => webhook.goAway())
const server = await startServer({
  WEBHOOK_URL: webhook.url,
  WEBHOOK_SECRET: secret,
  EMERGENCY_MAX_RECORDS: '3',
})
t.teardown(() => server.close())

const admin = personOf(server, 'admin', { role: 'admin' })
const auditor = personOf(server, 'auditor', { role: 'auditor' })
const patient = personOf(server, 'patient', { role: 'patient' })
const other = personOf(server, 'other', { role: 'patient' })
const treating = personOf(server, 'treating', { role: 'clinician' })
const rescuer = personOf(server, 'rescuer', { role: 'clinician' })

await assign(admin, treating, patient)
await assign(admin, treating, other)
const [plain, sensitive] = [await recordType(admin), await recordType(admin, { sensitive: true })]
const record = { patient_id: patient.id, medical_record_type_id: plain }
const data = pdf('blood group', 5_000)
const recordId = await treating.record(data, record)
const secretId = await treating.record(pdf('psychiatry', 900), {
  ...record,
  medical_record_type_id: sensitive,
})
const elsewhere = await treating.record(pdf('somebody else', 900), {
  patient_id: other.id,
  medical_record_type_id: plain,
})
const general = await patient.file(pdf('my own', 900))
const [path, secretPath] = [recordPath(recordId), recordPath(secretId)]

const emergencyPath = '/api/emergency-access'
const wish = {
  patient_id: patient.id,
  reason_code: 'life_threatening',
  reason: 'Unconscious, brought in by ambulance',
  minutes: 60,
}
const ask = (who: Person, more: Readonly<Record<string, unknown>> = {}) =>
  who.post(emergencyPath, { ...wish, ...more })

type Fields = Readonly<Record<string, unknown>>
const fieldsOf = (answer: Answer) => JSON.parse(answer.text) as Fields
const idOf = (answer: Answer): string => {
  if (answer.status !== 201) throw new Error(`No emergency access: ${answer.text}`)
  return String(fieldsOf(answer)['emergency_id'])
}
const listed = (answer: Answer) => {
  const { emergencies } = JSON.parse(answer.text) as { readonly emergencies: readonly Fields[] }
  return emergencies
}

// The shortest there is, asked for first: what becomes of it is looked at in the end.
const late = personOf(server, 'late', { role: 'clinician' })
const lateAnswer = await ask(late, { minutes: 1 })
const lateId = idOf(lateAnswer)
const lateEnd = Date.parse(String(fieldsOf(lateAnswer)['ends_at']))
const lateReading = late.get(`${path}/download`)

await t.test('who may not ask, and what is no request', async (t) => {
  isProblem(t, await ask(patient), 403, 'forbidden')
  isProblem(t, await ask(admin), 403, 'forbidden')
  isProblem(t, await ask(auditor), 403, 'forbidden')
  const robot = personOf(server, 'robot', { roles: ['clinician', 'service'] })
  isProblem(t, await ask(robot), 403, 'forbidden')
  const ill = personOf(server, patient.id, { role: 'clinician' })
  isProblem(t, await ask(ill), 403, 'forbidden')
  isProblem(t, await ask(rescuer, { patient_id: 'nobody-here' }), 404, 'not_found')
  isProblem(t, await ask(rescuer, { minutes: 241 }), 400)
  isProblem(t, await ask(rescuer, { minutes: 0 }), 400)
  isProblem(t, await ask(rescuer, { minutes: 1.5 }), 400)
  isProblem(t, await ask(rescuer, { reason: 'short' }), 400)
  isProblem(t, await ask(rescuer, { reason: ' '.repeat(20) }), 400)
  isProblem(t, await ask(rescuer, { reason_code: 'curiosity' }), 400)
  isProblem(t, await ask(rescuer, { sensitive_types: ['no-such-type'] }), 400, 'invalid_field')
  isProblem(t, await ask(rescuer, { can_share: true }), 400)
  isProblem(t, await server.call(emergencyPath, { method: 'POST', json: wish }), 401)
  isProblem(t, await rescuer.get(`${path}/download`), 404, 'not_found')
})

let emergencyId = ''

await t.test('one patient is opened for reading', async (t) => {
  const answer = await ask(rescuer)
  hasStatus(t, answer, 201)
  emergencyId = idOf(answer)
  t.match(fieldsOf(answer), {
    clinician_id: rescuer.id,
    patient_id: patient.id,
    reason: wish.reason,
    status: 'open',
    ended_at: null,
    records: 0,
  })
  const list = await rescuer.get(`${emergencyPath}/${emergencyId}/records`)
  t.same(
    listOf(list).map(({ file_id }) => file_id),
    [recordId],
    'the sensitive one is not among them',
  )
  hasBytes(t, await rescuer.get(`${path}/download`), data)
  hasStatus(t, await rescuer.get(`${path}/download?view=true`, { range: 'bytes=0-9' }), 206)
  hasStatus(t, await rescuer.head(`${path}/download`), 200)
  hasStatus(t, await rescuer.get(`${path}/metadata`), 200)
  const { versions } = (await rescuer.get(`${path}/versions`)).body
  t.equal(versions?.length, 1)
  t.same(listOf(await rescuer.get('/api/files/medical-records')), [], 'no grant came of it')
})

await t.test('and for nothing else', async (t) => {
  const refused = 'emergency_reads_only'
  isProblem(t, await rescuer.delete(`${path}/delete`), 403, refused)
  isProblem(t, await rescuer.post(`${path}/grants`, { user_id: 'friend' }), 403, refused)
  isProblem(t, await rescuer.get(`${path}/grants`), 403, refused)
  isProblem(t, await rescuer.delete(`${path}/grants/${treating.id}`), 403, refused)
  isProblem(t, await rescuer.patch(`${path}/metadata`, { label: 'x' }), 403, refused)
  isProblem(t, await rescuer.get(`${path}/access-log`), 403, refused)
  isProblem(t, await rescuer.uploadRecord(pdf('mine', 500), record), 403, 'not_assigned')
  isProblem(t, await rescuer.get(`/api/files/${general}`), 404, 'not_found')
  isProblem(t, await rescuer.get(`${secretPath}/download`), 403, 'sensitive_not_named')
  isProblem(t, await rescuer.get(`${recordPath(elsewhere)}/download`), 404, 'not_found')
  const second = await ask(rescuer, { patient_id: other.id })
  isProblem(t, second, 409, 'emergency_open')
  t.equal(fieldsOf(second)['emergency_id'], emergencyId, 'says which is open')
  isProblem(t, await ask(rescuer), 409, 'emergency_open')
  const bystander = personOf(server, 'bystander', { role: 'clinician' })
  isProblem(t, await bystander.get(`${path}/download`), 404, 'not_found')
  isProblem(t, await bystander.get(`${emergencyPath}/${emergencyId}`), 404, 'not_found')
  isProblem(t, await bystander.get(`${emergencyPath}/${emergencyId}/records`), 404, 'not_found')
  isProblem(t, await auditor.get(`${emergencyPath}/${emergencyId}/records`), 404, 'not_found')
  isProblem(t, await bystander.post(`${emergencyPath}/${emergencyId}/end`), 404, 'not_found')
  isProblem(t, await patient.post(`${emergencyPath}/${emergencyId}/end`), 403, 'forbidden')
  const review = { finding: 'justified' }
  isProblem(t, await auditor.post(`${emergencyPath}/${emergencyId}/review`, review), 409)
  isProblem(t, await admin.post(`${emergencyPath}/${emergencyId}/review`, review), 403)
  isProblem(t, await auditor.get(`${emergencyPath}/not-an-id`), 404, 'not_found')
})

await t.test('no more records than are needed', async (t) => {
  const paths: string[] = []
  for (const name of ['two', 'three', 'four']) {
    paths.push(recordPath(await treating.record(pdf(name, 700), record)))
  }
  const answers: Answer[] = []
  for (const each of paths) answers.push(await rescuer.get(`${each}/download`))
  t.same(
    answers.map(({ status }) => status),
    [200, 200, 403],
    'the first was opened before',
  )
  t.equal(answers[2]?.body.code, 'emergency_spent')
  hasStatus(t, await rescuer.get(`${path}/download`), 200, 'what was opened stays so')
  const seen = fieldsOf(await auditor.get(`${emergencyPath}/${emergencyId}`))
  t.equal(seen['records'], 3)
})

await t.test('those it concerns see it at once', async (t) => {
  const told = () =>
    webhook.taken
      .map((arrival) => verifiedWebhook(arrival, secret))
      .filter(({ data }) => data['emergency_id'] === emergencyId)
  await eventually('the webhook', () => told().length > 0, 5_000)
  t.equal(told()[0]?.type, 'emergency.request')
  for (const { body } of webhook.taken) t.notMatch(body, /ambulance/)
  const [mine] = listed(await patient.get(emergencyPath)).filter(
    (each) => each['emergency_id'] === emergencyId,
  )
  t.equal(mine?.['reason'], wish.reason, 'the patient is told why')
  t.equal(fieldsOf(await rescuer.get(`${emergencyPath}/${emergencyId}`))['reason'], wish.reason)
  t.equal(fieldsOf(await auditor.get(`${emergencyPath}/${emergencyId}`))['reason'], wish.reason)
  t.equal(fieldsOf(await admin.get(`${emergencyPath}/${emergencyId}`))['reason'], null)
  t.same(listed(await other.get(emergencyPath)), [], 'and nobody else')
  const open = listed(await auditor.get(`${emergencyPath}?status=open`))
  t.same(
    open.map((each) => each['emergency_id']),
    [emergencyId, lateId],
    'newest first',
  )
  const entries = listOf(await patient.get(`${path}/access-log`)) as unknown as readonly Fields[]
  const theirs = entries.filter(({ actor_id }) => actor_id === rescuer.id)
  const reads = theirs.filter(({ outcome }) => outcome === 'success')
  t.ok(reads.length >= 4, `${reads.length} accesses`)
  for (const read of reads) {
    t.match(read, { emergency_id: emergencyId, basis: 'emergency', grant_id: null })
    t.equal(read['purpose'], wish.reason)
  }
  const refusals = theirs.filter(({ reason }) => reason === 'emergency_reads_only')
  t.ok(refusals.every(({ emergency_id }) => emergency_id === emergencyId))
  const all = listOf(await patient.get('/api/patients/me/access-log?limit=200'))
  t.match(
    all.filter(({ action, outcome }) => action === 'emergency.request' && outcome === 'success'),
    [{ actor_id: rescuer.id, reason: 'life_threatening' }, { actor_id: late.id }],
    'the request itself',
  )
  t.notMatch(server.logs(), /ambulance/)
})

/** What is under way is broken off when it ends. */
await t.test('its end breaks off what is being read', async (t) => {
  const doctor = personOf(server, 'doctor', { role: 'clinician' })
  const large = recordPath(await treating.record(pdf('large', 32 * 1024 * 1024), record))
  const id = idOf(await ask(doctor, { sensitive_types: [sensitive, plain] }))
  hasStatus(t, await doctor.get(`${secretPath}/download`), 200, 'named, and so opened')
  const all = listOf(await doctor.get(`${emergencyPath}/${id}/records?limit=2`))
  t.equal(all.length, 2)
  const reading = await openReader(server.address, doctor, `${large}/download`)
  await reading.read(256 * 1024)
  hasStatus(t, await doctor.post(`${emergencyPath}/${id}/end`), 200)
  const took = await eventually(
    'the event',
    async () => /broken_off/.test((await patient.get(`${large}/access-log`)).text),
    15_000,
  )
  t.ok(took < 5_500, `after ${Math.round(took)} ms`)
  t.ok((await reading.drain()).length < 32 * 1024 * 1024)
  reading.destroy()
  isProblem(t, await doctor.get(`${large}/download`), 403, 'emergency_over')
  isProblem(t, await doctor.get(`${emergencyPath}/${id}/records`), 403, 'emergency_over')
  const again = await doctor.post(`${emergencyPath}/${id}/end`)
  t.match(fieldsOf(again), { status: 'to_review', ended_by: doctor.id })
  hasStatus(t, await ask(doctor, { patient_id: other.id }), 201, 'another one can follow')
})

await t.test('an auditor ends it, and judges it', async (t) => {
  hasStatus(t, await auditor.post(`${emergencyPath}/${emergencyId}/end`), 200)
  isProblem(t, await rescuer.get(`${path}/download`), 403, 'emergency_over')
  isProblem(t, await rescuer.delete(`${path}/delete`), 403, 'emergency_over')
  const review = { finding: 'unjustified', note: 'Nobody was brought in that day' }
  const reviewPath = `${emergencyPath}/${emergencyId}/review`
  isProblem(t, await rescuer.post(reviewPath, review), 403, 'forbidden')
  isProblem(t, await auditor.post(reviewPath, { finding: 'fine' }), 400)
  const answer = await auditor.post(reviewPath, review)
  hasStatus(t, answer, 200)
  t.match(fieldsOf(answer), {
    status: 'reviewed',
    finding: 'unjustified',
    reviewed_by: auditor.id,
    review_note: review.note,
  })
  isProblem(t, await auditor.post(reviewPath, review), 409, 'conflict')
  const left = listed(await auditor.get(emergencyPath))
  t.notOk(left.some((each) => each['emergency_id'] === emergencyId))
  const reviewed = listed(await patient.get(`${emergencyPath}?status=reviewed`))
  t.match(reviewed, [{ emergency_id: emergencyId, review_note: review.note }])
})

await t.test('its texts are under the key of the patient, and turn with it', async (t) => {
  const turned = await server.command('keys', 'rotate-user', patient.id, '--json')
  t.equal(turned.code, 0, turned.err)
  const seen = fieldsOf(await patient.get(`${emergencyPath}/${emergencyId}`))
  t.equal(seen['reason'], wish.reason)
  t.equal(seen['review_note'], 'Nobody was brought in that day')
})

await t.test('what can be done with a database and without keys', async (t: Test) => {
  const { database } = server
  if (database === undefined) return
  const ender = personOf(server, 'ender', { role: 'clinician' })
  const id = idOf(await ask(ender))
  await database.query(
    `update emergencies set ends_at = ends_at + interval '1 day' where emergency_id = '${id}'`,
  )
  isProblem(t, await ender.get(`${path}/download`), 500, 'internal')
  // It is shown for what it is, and hides nothing else.
  for (const who of [auditor, admin, patient]) {
    const all = listed(await who.get(`${emergencyPath}?status=all&limit=200`))
    t.ok(all.length > 3, `${all.length} of them`)
    for (const each of all) t.equal(each['intact'], each['emergency_id'] !== id)
    t.equal(all.find((each) => each['emergency_id'] === id)?.['reason'], null)
  }
  hasStatus(t, await patient.get('/api/patients/me/access-log?limit=200'), 200)
  const failed = '/api/v1/audit/logs?action=emergency.list&outcome=failed'
  t.match(listOf(await auditor.get(failed))[0], { emergency_id: id, reason: 'damaged' })
  const forger = personOf(server, 'forger', { role: 'clinician' })
  await database.query(
    `insert into emergencies (emergency_id, clinician_id, patient_id, reason_code, sensitive_types,
       requested_at, ends_at)
     select gen_random_uuid(), 'forger', patient_id, reason_code, sensitive_types, now(),
       now() + interval '1 hour' from emergencies where emergency_id = '${emergencyId}'`,
  )
  isProblem(t, await forger.get(`${path}/download`), 404, 'not_found')
  await database.query(
    `update emergency_notes set emergency_id =
       (select emergency_id from emergencies where clinician_id = 'forger')
     where emergency_id = '${emergencyId}' and kind = 'terms'`,
  )
  isProblem(t, await forger.get(`${path}/download`), 500, 'internal')
  await database.query(
    `update emergencies set ended_at = null, reviewed_at = null, finding = null, ends_at = now() + interval '1 hour'
     where emergency_id = '${emergencyId}'`,
  )
  await eventually(
    'the end is sealed',
    async () => {
      const { out } = await server.command('audit', 'verify', '--json')
      return out.includes('row_put_back')
    },
    30_000,
  )
})

await t.test('the time is up', async (t) => {
  hasStatus(t, await lateReading, 200)
  await wait(Math.max(0, lateEnd - Date.now() + 50))
  isProblem(t, await late.get(`${path}/download`), 403, 'emergency_over')
  isProblem(t, await late.get(`${emergencyPath}/${lateId}/records`), 403, 'emergency_over')
  t.match(fieldsOf(await late.get(`${emergencyPath}/${lateId}`)), {
    status: 'to_review',
    ended_at: new Date(lateEnd).toISOString(),
  })
  hasStatus(t, await ask(late), 201, 'another one can follow')
  const log = await auditor.get('/api/v1/audit/logs?action=emergency.end&user_id=late')
  t.match(listOf(log), [{ action: 'emergency.end', reason: 'expired' }])
})

await t.test('once the keys of the patient are destroyed, so are its words', async (t) => {
  const witness = personOf(server, 'witness', { role: 'clinician' })
  hasStatus(t, await ask(witness), 201)
  const { code, err } = await server.command('shred', '--person', patient.id, '--yes')
  t.equal(code, 0, err)
  isProblem(t, await witness.get(`${path}/download`), 404, 'not_found')
  const seen = fieldsOf(await auditor.get(`${emergencyPath}/${emergencyId}`))
  t.match(seen, { reason: null, review_note: null, reason_code: 'life_threatening' })
  isProblem(t, await ask(late), 409)
  const again = await ask(personOf(server, 'newcomer', { role: 'clinician' }))
  isProblem(t, again, 409, 'person_erased')
})
