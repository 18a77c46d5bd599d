import t from 'tap'
import { startReceiver, verifiedWebhook } from '../helpers/event-receiver.js'
import { hasStatus } from './support/checks.js'
import { pdf } from './support/content.js'
import { eventually } from './support/eventually.js'
import { listOf } from './support/http.js'
import { assign, personOf, recordPath, recordType } from './support/people.js'
import { startServer } from './support/server.js'

// What somebody should look at: an event and a webhook, once for what is one matter.

const secret = `whsec_${Buffer.alloc(32, 9).toString('base64')}`
const webhook = await startReceiver()
t.teardown(() => webhook.goAway())
const server = await startServer({
  WEBHOOK_URL: webhook.url,
  WEBHOOK_SECRET: secret,
  WEBHOOK_EVENTS: 'alert.*',
  ALERT_EVERY_SECONDS: '1',
  ALERT_REFUSALS_PER_HOUR: '5',
  ALERT_RECORDS_PER_HOUR: '3',
})
t.teardown(() => server.close())

const admin = personOf(server, 'admin', { role: 'admin' })
const auditor = personOf(server, 'auditor', { role: 'auditor' })
const patient = personOf(server, 'patient', { role: 'patient' })
const treating = personOf(server, 'treating', { role: 'clinician' })
await assign(admin, treating, patient)
const record = { patient_id: patient.id, medical_record_type_id: await recordType(admin) }
const paths: string[] = []
for (let n = 0; n < 3; n++) paths.push(recordPath(await treating.record(pdf(`${n}`), record)))
const [first = ''] = paths

const alerts = async (rule: string) =>
  listOf(await auditor.get('/api/v1/audit/logs?action=alert.raised&limit=200')).filter(
    ({ reason }) => reason === rule,
  )
const one = async (rule: string) => {
  await eventually(rule, async () => (await alerts(rule)).length > 0, 10_000)
  return await alerts(rule)
}
const told = (rule: string) =>
  webhook.taken
    .map((arrival) => verifiedWebhook(arrival, secret))
    .filter(({ data }) => data['reason'] === rule)

await t.test('many refusals of one person', async (t) => {
  const prober = personOf(server, 'prober', { role: 'clinician' })
  for (let n = 0; n < 4; n++) hasStatus(t, await prober.get(`${first}/download`), 404)
  const careful = personOf(server, 'careful', { role: 'clinician' })
  for (let n = 0; n < 4; n++) hasStatus(t, await careful.get(`${first}/download`), 404)
  hasStatus(t, await prober.get(`${first}/download`), 404)
  t.match(await one('many_refusals'), [{ subject_id: 'prober', bytes: 5, outcome: 'success' }])
})

await t.test('many refusals of one address', async (t) => {
  const before = (await alerts('many_refusals')).length
  for (let n = 0; n < 5; n++) hasStatus(t, await server.call('/api/files/user'), 401)
  await eventually('it', async () => (await alerts('many_refusals')).length > before, 10_000)
  const [newest] = await alerts('many_refusals')
  t.match(newest, { subject_id: null, ip: '127.0.0.1' })
})

await t.test('many records by one person; their own are not counted', async (t) => {
  for (const path of paths) hasStatus(t, await patient.get(`${path}/download`), 200)
  for (const path of paths.slice(0, 2)) hasStatus(t, await treating.get(`${path}/download`), 200)
  hasStatus(t, await treating.get(`${first}/download?view=true`), 200)
  t.same(await alerts('many_records'), [], 'the same one twice is one')
  hasStatus(t, await treating.get(`${paths[2] ?? ''}/download`), 200)
  t.match(await one('many_records'), [{ subject_id: treating.id, bytes: 3 }])
})

await t.test('reading outside an assignment', async (t) => {
  const consulted = personOf(server, 'consulted', { role: 'clinician' })
  const relative = personOf(server, 'relative', { role: 'patient' })
  for (const user_id of [consulted.id, relative.id, treating.id]) {
    hasStatus(t, await patient.post(`${first}/grants`, { user_id }), 201)
  }
  for (const each of [relative, treating, consulted, consulted]) {
    hasStatus(t, await each.get(`${first}/download`), 200)
  }
  t.match(await one('outside_assignment'), [
    { subject_id: consulted.id, patient_id: patient.id, file_id: first.split('/').at(-1) },
  ])
})

await t.test('an emergency', async (t) => {
  const rescuer = personOf(server, 'rescuer', { role: 'clinician' })
  const answer = await rescuer.post('/api/emergency-access', {
    patient_id: patient.id,
    reason_code: 'urgent_treatment',
    reason: 'Brought in unconscious',
    minutes: 5,
  })
  hasStatus(t, answer, 201)
  t.match(await alerts('emergency'), [{ subject_id: rescuer.id, patient_id: patient.id }])
})

await t.test('each is told, once', async (t) => {
  const start = performance.now()
  await eventually('the webhooks', () => told('emergency').length > 0, 10_000)
  // Several looks at the log later.
  await eventually('time', () => Promise.resolve(performance.now() > start + 3_500), 10_000)
  for (const [rule, times] of [
    ['many_refusals', 2],
    ['many_records', 1],
    ['outside_assignment', 1],
    ['emergency', 1],
  ] as const) {
    t.equal((await alerts(rule)).length, times, rule)
    t.equal(told(rule).length, times, `${rule}: the webhook`)
  }
  for (const { body } of webhook.taken) t.notMatch(body, /127\.0\.0\.1|unconscious/)
})

await t.test('damage to the log', async (t) => {
  const { database } = server
  if (database === undefined) return
  await database.query(
    `set session_replication_role = replica;
     update audit_events set actor_id = 'somebody' where action = 'record_type.create'`,
  )
  const { code } = await server.command('audit', 'verify')
  t.equal(code, 1)
  t.match(await one('audit_damaged'), [{ bytes: 1 }])
})
