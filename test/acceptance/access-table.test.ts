import { readFile } from 'node:fs/promises'
import { setTimeout as wait } from 'node:timers/promises'
import t from 'tap'
import { pdf, sha256 } from './support/content.js'
import { eventually } from './support/eventually.js'
import { type Answer, listOf } from './support/http.js'
import { filePart } from './support/multipart.js'
import {
  actedFor,
  assign,
  filePath,
  type Person,
  personOf,
  type RecordFields,
  recordPath,
  recordType,
  visitorOf,
} from './support/people.js'
import { startServer } from './support/server.js'

// Every cell of test/access.csv, driven over HTTP. Whatever an action may change is made anew for
// each cell, so that no cell depends on another.

const server = await startServer({
  ASSIGNMENT_GRANTS: 'uploader',
  SERVICE_CLIENTS: JSON.stringify({
    'portal-api': {
      roles: ['patient', 'clinician'],
      actions: ['view', 'download', 'upload', 'update', 'delete'],
    },
  }),
})
t.teardown(() => server.close())

const roles = {
  stranger: 'patient',
  clinician: 'clinician',
  auditor: 'auditor',
  admin: 'admin',
  patient: 'patient',
  uploader: 'clinician',
  former_uploader: 'clinician',
  assigned_granted: 'clinician',
  assigned_ungranted: 'clinician',
  viewer: 'clinician',
  sharer: 'clinician',
  revoked: 'clinician',
  expired: 'clinician',
  emergency: 'clinician',
} as const

type Known = keyof typeof roles
type Relation = Known | 'nobody' | 'service_for_patient' | 'service_for_uploader'

const person = (name: Known) => personOf(server, name, { role: roles[name] })
const portal = server.tokenOf('portal-api', { role: 'service' })
const people: Readonly<Record<Relation, Person>> = {
  nobody: visitorOf(server),
  stranger: person('stranger'),
  clinician: person('clinician'),
  auditor: person('auditor'),
  admin: person('admin'),
  patient: person('patient'),
  uploader: person('uploader'),
  former_uploader: person('former_uploader'),
  assigned_granted: person('assigned_granted'),
  assigned_ungranted: person('assigned_ungranted'),
  viewer: person('viewer'),
  sharer: person('sharer'),
  revoked: person('revoked'),
  expired: person('expired'),
  emergency: person('emergency'),
  service_for_patient: actedFor(server, 'patient', portal),
  service_for_uploader: actedFor(server, 'uploader', portal),
}
const { admin, patient } = people

interface Cell {
  readonly family: string
  readonly action: string
  readonly relation: Relation
  readonly status: number
}

const isRelation = (name: string): name is Relation => name in people

/** The cells of the table: lines of a matrix, without comments and dashes. */
function readTable(csv: string): Cell[] {
  const lines = csv.split('\n').filter((line) => line.trim() !== '' && !line.startsWith('#'))
  const [header = [], ...rows] = lines.map((line) => line.split(',').map((cell) => cell.trim()))
  return rows.flatMap(([family = '', action = '', ...statuses]) =>
    statuses.flatMap((status, column) => {
      const relation = header[column + 2] ?? ''
      if (!isRelation(relation)) throw new Error(`No such relation: ${relation}`)
      return status === '-' ? [] : [{ family, action, relation, status: Number(status) }]
    }),
  )
}

const cells = readTable(await readFile(new URL('../access.csv', import.meta.url), 'utf8'))

const clinicians = [
  'uploader',
  'former_uploader',
  'assigned_granted',
  'assigned_ungranted',
] as const
for (const name of clinicians) await assign(admin, people[name], patient)
const type = await recordType(admin)
const record: RecordFields = { patient_id: patient.id, medical_record_type_id: type }

let count = 0
const fresh = () => pdf(`table ${++count}`, 200)

async function grantTo(path: string, terms: Readonly<Record<string, unknown>>): Promise<void> {
  const answer = await patient.post(`${path}/grants`, terms)
  if (answer.status !== 201) throw new Error(`Not granted: ${answer.text}`)
}

/** When the last of the grants that are to expire has done so. */
let expiry = 0

/** A record with everyone in place; for its former uploader, one that they made. */
async function makeRecord(relation: Relation): Promise<string> {
  const maker = relation === 'former_uploader' ? people.former_uploader : people.uploader
  const id = await maker.record(fresh(), record)
  const path = recordPath(id)
  await grantTo(path, { user_id: 'assigned_granted', can_download: true })
  await grantTo(path, { user_id: 'viewer', can_download: false })
  await grantTo(path, { user_id: 'sharer', can_download: true, can_share: true })
  await grantTo(path, { user_id: 'revoked', can_download: true, can_share: true })
  await grantTo(path, { user_id: 'guest' })
  await patient.delete(`${path}/grants/revoked`)
  expiry = Date.now() + 2000
  await grantTo(path, { user_id: 'expired', expires_at: new Date(expiry).toISOString() })
  return id
}

type Act = (who: Person, id: string) => Promise<Answer>

const put: Act = (who, path) => who.form(`${path}/content`, [filePart(fresh())], { method: 'PUT' })

/** The list, with 404 in place of 200 where this record is not in it. */
const find: Act = async (who, id) => {
  const answer = await who.get(`/api/files/medical-records?limit=200&patient_id=${patient.id}`)
  if (answer.status !== 200) return answer
  return { ...answer, status: listOf(answer).some((each) => each.file_id === id) ? 200 : 404 }
}

const revokeOwn: Act = async (who, id) => {
  const guest = `guest-of-${who.id}`
  const granted = await who.post(`${recordPath(id)}/grants`, { user_id: guest })
  return granted.status === 201 ? who.delete(`${recordPath(id)}/grants/${guest}`) : granted
}

/** What needs no file. */
const creations: Readonly<Record<string, (who: Person) => Promise<Answer>>> = {
  'A upload': (who) => who.upload(fresh()),
  'A upload batch': (who) => who.form('/api/files/upload/batch', [filePart(fresh())]),
  'A check': (who) => who.post('/api/files/check', { sha256: sha256(fresh()), size: 200 }),
  'A list': (who) => who.get('/api/files/user'),
  'B upload record': (who) => who.uploadRecord(fresh(), record),
  'B list records': (who) => who.get('/api/files/medical-records'),
  'B read my access log': (who) => who.get('/api/patients/me/access-log'),
  'B list types': (who) => who.get('/api/medical-record-types'),
  'B make a type': (who) => who.post('/api/medical-record-types', { name: `Type ${++count}` }),
  'B change a type': async (who) =>
    who.put(`/api/medical-record-types/${await recordType(admin)}`, { name: `Type ${++count}` }),
  'B delete a type': async (who) =>
    who.delete(`/api/medical-record-types/${await recordType(admin)}`),
  'B list assignments': (who) => who.get('/api/assignments'),
  'B assign': (who) =>
    who.post('/api/assignments', { clinician_id: `c-${++count}`, patient_id: 'someone' }),
  'B end an assignment': async (who) => {
    const clinician = personOf(server, `c-${++count}`)
    await assign(admin, clinician, people.stranger)
    return who.delete(`/api/assignments?clinician_id=${clinician.id}&patient_id=stranger`)
  },
  'E list accounts': (who) => who.get('/api/v1/users'),
  'E make an account': (who) => who.post('/api/v1/users', account()),
  'E read an account': async (who) => who.get(await accountPath()),
  'E change an account': async (who) => who.put(await accountPath(), { full_name: 'x' }),
  'E deactivate an account': async (who) => who.delete(await accountPath()),
  'E list permissions': (who) => who.get('/api/v1/permissions'),
  'E give a permission': (who) => who.post('/api/v1/permissions', permission()),
  'E change a permission': async (who) => who.put(await permissionPath(), { can_write: true }),
  'E take a permission away': async (who) => who.delete(await permissionPath()),
  'E read the audit log': (who) => who.get('/api/v1/audit/logs?limit=1'),
  'E read statistics': (who) => who.get('/api/v1/audit/stats'),
  'E verify the audit log': (who) => who.post('/api/v1/audit/verify', {}),
  'E who am I': (who) => who.get('/api/v1/auth/me'),
  'E my permissions': (who) => who.get('/api/v1/permissions/my-permissions'),
  'E my activity': (who) => who.get('/api/v1/audit/my-activity'),
  'E my own statistics': (who) => who.get(`/api/v1/audit/user-stats/${who.id}`),
  "E a patient's disclosures": (who) => who.get(`/api/patients/${patient.id}/disclosures`),
}

const account = () => ({
  email: `someone-${++count}@clinic.example`,
  password: `nine copper kettles of Bern ${count}`,
})
const permission = () => ({
  user_id: `someone-${++count}`,
  bucket_name: 'documents',
  prefix: 'wards/',
})

/** One that was made by an administrator, for the cell to do something with. */
async function madeAt(path: string, json: unknown): Promise<string> {
  const answer = await admin.post(path, json)
  if (answer.status !== 201) throw new Error(answer.text)
  return `${path}/${answer.body.id}`
}
const accountPath = () => madeAt('/api/v1/users', account())
const permissionPath = () => madeAt('/api/v1/permissions', permission())

/** What leaves a file as it is. */
const readings: Readonly<Record<string, Act>> = {
  'A download': (who, id) => who.get(filePath(id)),
  'A view': (who, id) => who.get(`${filePath(id)}?view=true`),
  'A head': (who, id) => who.head(filePath(id)),
  'A read metadata': (who, id) => who.get(`${filePath(id)}/metadata`),
  'A list versions': (who, id) => who.get(`${filePath(id)}/versions`),
  'A read access log': (who, id) => who.get(`${filePath(id)}/access-log`),
  'B find in the list': find,
  'B download': (who, id) => who.get(`${recordPath(id)}/download`),
  'B view': (who, id) => who.get(`${recordPath(id)}/download?view=true`),
  'B head': (who, id) => who.head(`${recordPath(id)}/download`),
  'B read metadata': (who, id) => who.get(`${recordPath(id)}/metadata`),
  'B list versions': (who, id) => who.get(`${recordPath(id)}/versions`),
  'B list grants': (who, id) => who.get(`${recordPath(id)}/grants`),
  'B read access log': (who, id) => who.get(`${recordPath(id)}/access-log`),
  'B download as a file': (who, id) => who.get(filePath(id)),
  'B delete as a file': (who, id) => who.delete(filePath(id)),
}

/** What changes a file. */
const changes: Readonly<Record<string, Act>> = {
  'A change metadata': (who, id) => who.patch(`${filePath(id)}/metadata`, { label: 'x' }),
  'A replace content': (who, id) => put(who, filePath(id)),
  'A delete': (who, id) => who.delete(`${filePath(id)}/delete`),
  'A delete plainly': (who, id) => who.delete(filePath(id)),
  'A restore': async (who, id) => {
    await patient.delete(filePath(id))
    return who.post(`${filePath(id)}/restore`)
  },
  'B change metadata': (who, id) => who.patch(`${recordPath(id)}/metadata`, { label: 'x' }),
  'B replace content': (who, id) => put(who, recordPath(id)),
  'B delete': (who, id) => who.delete(`${recordPath(id)}/delete`),
  'B restore': async (who, id) => {
    await admin.delete(`${recordPath(id)}/delete`)
    return who.post(`${recordPath(id)}/restore`)
  },
  'B grant': (who, id) => who.post(`${recordPath(id)}/grants`, { user_id: `friend-${++count}` }),
  "B revoke one's own": revokeOwn,
  "B revoke another's": (who, id) => who.delete(`${recordPath(id)}/grants/guest`),
  "B revoke the patient's": (who, id) => who.delete(`${recordPath(id)}/grants/${patient.id}`),
}

const nameOf = ({ family, action }: Cell) => `${family} ${action}`

// The records come first: what their former uploader made was made while they were assigned.
const shared = { record: await makeRecord('uploader'), former: await makeRecord('former_uploader') }
const own = new Map<Cell, string>()
for (const cell of cells) {
  if (!(nameOf(cell) in changes)) continue
  const id = cell.family === 'A' ? await patient.file(fresh()) : await makeRecord(cell.relation)
  own.set(cell, id)
}
const general = await patient.file(fresh())

const query = `clinician_id=former_uploader&patient_id=${patient.id}`
await admin.delete(`/api/assignments?${query}`)
await eventually(
  'the end of the assignment',
  async () => {
    const answer = await people.former_uploader.get(`${recordPath(shared.former)}/download`)
    return answer.status !== 200
  },
  61_000,
)
const emergency = await people.emergency.post('/api/emergency-access', {
  patient_id: patient.id,
  reason_code: 'urgent_treatment',
  reason: 'Every cell of the table',
  minutes: 240,
})
if (emergency.status !== 201) throw new Error(`No emergency access: ${emergency.text}`)
await wait(Math.max(0, expiry + 100 - Date.now()))

function idFor(cell: Cell): string {
  if (cell.family === 'A') return general
  return cell.relation === 'former_uploader' ? shared.former : shared.record
}

function perform(cell: Cell): Promise<Answer> {
  const name = nameOf(cell)
  const who = people[cell.relation]
  const creation = creations[name]
  if (creation !== undefined) return creation(who)
  const act = readings[name] ?? changes[name]
  if (act === undefined) throw new Error(`The table has an action nobody knows: ${name}`)
  return act(who, own.get(cell) ?? idFor(cell))
}

for (const name of new Set(cells.map(nameOf))) {
  await t.test(name, async (t) => {
    for (const cell of cells.filter((each) => nameOf(each) === name)) {
      const answer = await perform(cell)
      const said = answer.status === cell.status ? '' : answer.text.slice(0, 200)
      t.equal(answer.status, cell.status, `${cell.relation}: ${cell.status} ${said}`)
    }
  })
}

await t.test('every action is in the table, for everyone', (t) => {
  const known = { ...creations, ...readings, ...changes }
  t.same([...new Set(cells.map(nameOf))].sort(), Object.keys(known).sort())
  t.same(new Set(cells.map(({ relation }) => relation)), new Set(Object.keys(people)))
  t.end()
})
