import t from 'tap'
import { hasBytes, hasStatus, isProblem } from './support/checks.js'
import { pdf } from './support/content.js'
import type { Call } from './support/http.js'
import { startIdentityProvider } from './support/identity-provider.js'
import { fields, filePart, multipart } from './support/multipart.js'
import { filePath, idOf, personOf, recordPath, recordType } from './support/people.js'
import { startServer } from './support/server.js'

// A portal's back end acts for its users: in the roles and for the actions it was given, of what they may do.

const provider = await startIdentityProvider()
t.teardown(() => provider.stop())
const server = await startServer({
  PRIMARY_IDENTITY: 'shared',
  OIDC_ISSUER: provider.issuer,
  OIDC_AUDIENCE: provider.audience,
  SERVICE_CLIENTS: JSON.stringify({
    'portal-api': { roles: ['patient', 'clinician'], actions: ['view', 'download', 'upload'] },
    'shared-reader': { roles: ['patient'], actions: ['view'] },
    'patients-only': { roles: ['patient'], actions: ['view', 'download', 'upload', 'delete'] },
  }),
})
t.teardown(() => server.close())

const admin = personOf(server, 'admin', { role: 'admin' })
const patient = personOf(server, 'patient')
const doctor = personOf(server, 'doctor', { role: 'clinician' })

await admin.post('/api/assignments', { clinician_id: doctor.id, patient_id: patient.id })
const type = await recordType(admin)
const record = { patient_id: patient.id, medical_record_type_id: type }
const data = pdf('for a service to read')
const fileId = await doctor.record(data, record)
const ownFile = await patient.file(pdf('of the patient’s own'))

const api = await provider.serviceToken('portal-api')
const reader = server.tokenOf('shared-reader', { role: 'service' })
const patientsOnly = server.tokenOf('patients-only', { role: 'service' })

/** A call of a service's for a person. */
const acting = (token: string, person: string, path: string, options: Call = {}) =>
  server.call(path, {
    ...options,
    token,
    headers: { ...options.headers, 'x-on-behalf-of': person },
  })
const uploadFor = (token: string, person: string, content: Buffer) => {
  const form = multipart([...fields({ ...record }), filePart(content)])
  return acting(token, person, '/api/files/upload/medical-record', { method: 'POST', ...form })
}
const download = `${recordPath(fileId)}/download`

await t.test('it does what it may, of what the person may', async (t) => {
  hasBytes(t, await acting(api, 'patient', download), data)
  hasBytes(t, await acting(api, 'doctor', download), data)
  isProblem(t, await acting(api, 'stranger', download), 404)
  hasStatus(t, await acting(api, 'patient', filePath(ownFile)), 200)
  isProblem(t, await acting(api, 'doctor', filePath(ownFile)), 404)
  const made = idOf(await uploadFor(api, 'doctor', pdf('made by a service')))
  hasStatus(t, await doctor.get(`${recordPath(made)}/metadata`), 200, 'it is the doctor’s')
  isProblem(t, await uploadFor(api, 'stranger', pdf('of nobody')), 403, 'not_assigned')
})

await t.test('the audit names both', async (t) => {
  const log = await patient.get(`${recordPath(fileId)}/access-log`)
  const entries = (log.body.entries ?? log.body.events ?? []) as readonly Readonly<
    Record<string, unknown>
  >[]
  t.match(
    entries.find(({ on_behalf_of: person }) => person === 'doctor'),
    { actor_id: 'portal-api', action: 'record.download', outcome: 'success' },
  )
  t.match(
    entries.find(
      ({ outcome, on_behalf_of: person }) => outcome === 'denied' && person === 'stranger',
    ),
    { actor_id: 'portal-api' },
  )
})

await t.test(
  'keys of idempotency are the service’s own, and disclosures name the person',
  async (t) => {
    const form = () => multipart([filePart(pdf('once'))])
    const headers = { 'idempotency-key': 'one' }
    const send = (token: string, more: Readonly<Record<string, string>>) => {
      const { headers: own, body } = form()
      const all = { ...own, ...headers, ...more }
      return server.call('/api/files/upload', { method: 'POST', token, headers: all, body })
    }
    const first = idOf(await send(api, { 'x-on-behalf-of': 'cara' }))
    t.equal(idOf(await send(api, { 'x-on-behalf-of': 'cara' })), first, 'the same again')
    isProblem(t, await send(server.tokenOf('cara'), {}), 409, 'duplicate_file')
    const told = await patient.get('/api/patients/me/disclosures')
    const entries = (told.body as { disclosures?: readonly Readonly<Record<string, unknown>>[] })
      .disclosures
    t.match(
      entries?.find(({ on_behalf_of: person }) => person === 'doctor'),
      { recipient_id: 'doctor', disclosed_by: 'portal-api' },
    )
  },
)

await t.test('only the actions it was given', async (t) => {
  const view = `${download}?view=true`
  hasStatus(t, await acting(reader, 'patient', view), 200)
  isProblem(t, await acting(reader, 'patient', download), 403, 'not_acted_for')
  isProblem(t, await acting(reader, 'patient', filePath(ownFile)), 403, 'not_acted_for')
  const gone = { method: 'DELETE' }
  isProblem(t, await acting(reader, 'patient', filePath(ownFile), gone), 403, 'not_acted_for')
  isProblem(t, await acting(api, 'patient', filePath(ownFile), gone), 403, 'not_acted_for')
  const json = { method: 'PATCH', json: { label: 'x' } }
  isProblem(t, await acting(api, 'patient', `${filePath(ownFile)}/metadata`, json), 403)
  const upload = await uploadFor(reader, 'doctor', pdf('by a reader'))
  isProblem(t, upload, 403, 'not_acted_for')
})

await t.test('only in the roles it was given', async (t) => {
  hasBytes(t, await acting(patientsOnly, 'patient', download), data)
  isProblem(t, await acting(patientsOnly, 'doctor', download), 404)
  isProblem(t, await uploadFor(patientsOnly, 'doctor', pdf('as a clinician')), 403, 'not_assigned')
  const list = await acting(patientsOnly, 'doctor', '/api/files/medical-records')
  t.same(list.body.records, [])
  const theirs = await acting(patientsOnly, 'patient', '/api/files/medical-records')
  t.ok((theirs.body.records ?? []).length > 0)
})

const never: Readonly<Record<string, readonly [string, Call]>> = {
  'emergency access': [
    '/api/emergency-access',
    {
      method: 'POST',
      json: { patient_id: 'patient', reason_code: 'unconscious', reason: 'x', minutes: 5 },
    },
  ],
  'a grant': [`${recordPath(fileId)}/grants`, { method: 'POST', json: { user_id: 'stranger' } }],
  'taking one back': [`${recordPath(fileId)}/grants/doctor`, { method: 'DELETE' }],
  'a record type': ['/api/medical-record-types', { method: 'POST', json: { id: 'x', name: 'x' } }],
  'an assignment': [
    '/api/assignments',
    { method: 'POST', json: { clinician_id: 'stranger', patient_id: 'patient' } },
  ],
  'the list of assignments': ['/api/assignments', {}],
  'the audit log': ['/api/v1/audit/logs', {}],
  'verifying the audit log': ['/api/v1/audit/verify', { method: 'POST', json: {} }],
  'what is said of people’s activity': ['/api/v1/audit/my-activity', {}],
  disclosures: ['/api/patients/me/disclosures', {}],
}

for (const [what, [path, call]] of Object.entries(never)) {
  await t.test(`never for anybody: ${what}`, async (t) => {
    for (const person of ['patient', 'doctor', 'admin']) {
      isProblem(t, await acting(api, person, path, call), 403, 'not_acted_for')
    }
  })
}

await t.test('who may act for nobody', async (t) => {
  const others: Readonly<Record<string, string>> = {
    'a service that was given nothing': await provider.serviceToken('stranger-api'),
    'a person': doctor.token,
    'an administrator': admin.token,
    'a person named like the service': server.tokenOf('portal-api'),
  }
  for (const [what, token] of Object.entries(others)) {
    t.comment(what)
    isProblem(t, await acting(token, 'patient', download), 403, 'not_acted_for')
  }
  for (const person of ['', ' ', 'a'.repeat(129), 'space|bucket|documents']) {
    const answer = await acting(api, person, download)
    t.ok([400, 401, 403].includes(answer.status), `${answer.status} for “${person}”`)
  }
  t.comment('for itself it has nothing')
  isProblem(t, await server.call(download, { token: api }), 404)
})

await t.test('refusals of that kind are on record', async (t) => {
  const answer = await admin.get('/api/v1/audit/logs?action=auth.refused&limit=200')
  const events = answer.body.events ?? []
  t.ok(events.some(({ reason }) => reason === 'not_acted_for'))
})
