import { readFile } from 'node:fs/promises'
import t from 'tap'
import { statusOf } from '../../../src/errors/error-codes.js'
import {
  type Decision,
  decideWithAssignment,
  type EmergencyFacts,
  type HeldTerms,
  mayAdminister,
  mayEndEmergency,
  mayGrantTerms,
  mayInEmergency,
  mayOnFile,
  mayOnRecord,
  mayReadReason,
  mayRequestEmergency,
  mayReviewEmergency,
  mayRevoke,
  maySeeEmergency,
  mayUploadRecord,
  openGrants,
  type RecordAction,
  type RecordFacts,
} from '../../../src/people/policy.js'

// Each cell of test/access.csv that is the policy's to decide, decided without a server.

const now = new Date('2026-01-02T00:00:00Z')
const past = new Date('2026-01-01T00:00:00Z')
const future = new Date('2026-01-03T00:00:00Z')

const grant = (basis: HeldTerms['basis'], terms: Partial<HeldTerms> = {}): HeldTerms => ({
  basis,
  canDownload: true,
  canShare: false,
  expiresAt: null,
  ...terms,
})
const stranger: RecordFacts = {
  isPatient: false,
  isUploader: false,
  isAssigned: false,
  isAdmin: false,
  grants: [],
  now,
}
const person = (facts: Partial<RecordFacts>): RecordFacts => ({ ...stranger, ...facts })
const mine = { canShare: true }
const columns: Readonly<Record<string, RecordFacts>> = {
  stranger,
  clinician: stranger,
  auditor: stranger,
  admin: person({ isAdmin: true }),
  patient: person({ isPatient: true, grants: [grant('own', mine)] }),
  uploader: person({ isUploader: true, isAssigned: true, grants: [grant('assignment', mine)] }),
  former_uploader: person({ isUploader: true, grants: [grant('assignment', mine)] }),
  assigned_granted: person({ isAssigned: true, grants: [grant('explicit')] }),
  assigned_ungranted: person({ isAssigned: true }),
  viewer: person({ grants: [grant('explicit', { canDownload: false })] }),
  sharer: person({ grants: [grant('explicit', mine)] }),
  revoked: stranger,
  expired: person({ grants: [grant('explicit', { expiresAt: past })] }),
}

type Decide = (facts: RecordFacts) => Decision

const on =
  (action: RecordAction): Decide =>
  (facts) =>
    mayOnRecord(action, facts)

const rolesOf = (facts: RecordFacts) => [facts.isAdmin ? 'admin' : 'clinician']
const administer: Decide = (facts) => mayAdminister(rolesOf(facts))
const another = { basis: 'explicit', isOwn: false } as const
const listed: Decide = (facts) =>
  openGrants(facts).length > 0
    ? { allow: true, grant: undefined }
    : { allow: false, code: 'not_found' }

/** How the policy decides each row; rows missing here are not its business. */
const rows: Readonly<Record<string, Decide>> = {
  'upload record': mayUploadRecord,
  'find in the list': listed,
  download: on('download'),
  head: on('download'),
  view: on('view'),
  'read metadata': on('read_metadata'),
  'change metadata': on('change_metadata'),
  'replace content': on('replace_content'),
  'list versions': on('list_versions'),
  delete: on('delete'),
  restore: on('restore'),
  'list grants': on('list_grants'),
  grant: on('grant'),
  "revoke one's own": (facts) => mayRevoke(facts, [{ basis: 'explicit', isOwn: true }]),
  "revoke another's": (facts) => mayRevoke(facts, [another]),
  "revoke the patient's": (facts) => mayRevoke(facts, [{ basis: 'own', isOwn: false }]),
  'read access log': on('read_access_log'),
  'make a type': administer,
  'change a type': administer,
  'delete a type': administer,
  'list assignments': administer,
  assign: administer,
  'end an assignment': administer,
}
/** Open to whoever is known, or family A's refusals: nothing to decide. */
const elsewhere = [
  'list records',
  'read my access log',
  'list types',
  'download as a file',
  'delete as a file',
]

interface Cell {
  readonly action: string
  readonly relation: string
  readonly status: string
}

function cellsOf(csv: string, family: string): Cell[] {
  const lines = csv.split('\n').filter((line) => line.trim() !== '' && !line.startsWith('#'))
  const [header = [], ...table] = lines.map((line) => line.split(',').map((cell) => cell.trim()))
  return table
    .filter(([name]) => name === family)
    .flatMap(([, action = '', ...statuses]) =>
      statuses.map((status, n) => ({ action, relation: header[n + 2] ?? '', status })),
    )
}

const csv = await readFile(new URL('../../access.csv', import.meta.url), 'utf8')
const cells = cellsOf(csv, 'B')

const code = (decision: Decision) => (decision.allow ? 'allowed' : decision.code)
/** Statuses of success differ by route, and the policy knows none: each of them is an allow. */
const said = (decision: Decision) => (decision.allow ? '2xx' : String(statusOf(decision.code)))
const meant = (status: string) => (status.startsWith('2') ? '2xx' : status)

await t.test('every row of B is decided here or belongs elsewhere', (t) => {
  const actions = [...new Set(cells.map(({ action }) => action))]
  t.same([...actions].sort(), [...Object.keys(rows), ...elsewhere].sort())
  t.end()
})

await t.test('every cell of B', (t) => {
  let decided = 0
  for (const { action, relation, status } of cells) {
    const decide = rows[action]
    const facts = columns[relation]
    if (decide === undefined || facts === undefined || status === '-') continue
    t.equal(said(decide(facts)), meant(status), `${action}: ${relation}`)
    decided++
  }
  t.ok(decided > 250, `${decided} cells`)
  t.end()
})

await t.test('a refusal says why', (t) => {
  const of = (name: string) => columns[name] ?? stranger
  t.equal(code(mayOnRecord('delete', of('patient'))), 'patient_cannot_delete')
  t.equal(code(mayOnRecord('delete', { ...of('patient'), isAdmin: true })), 'patient_cannot_delete')
  t.equal(code(mayOnRecord('download', of('viewer'))), 'download_not_granted')
  t.equal(code(mayOnRecord('download', of('expired'))), 'forbidden')
  t.equal(code(mayUploadRecord(stranger)), 'not_assigned')
  t.equal(code(mayRevoke(of('patient'), [])), 'not_found')
  t.equal(code(mayRevoke(of('viewer'), [])), 'forbidden', 'says nothing of who holds grants')
  t.equal(code(mayOnFile({ isOwner: false })), 'not_found')
  t.equal(code(mayOnFile({ isOwner: true })), 'allowed')
  t.end()
})

await t.test('an uploader whose grant was revoked deletes, and changes nothing', (t) => {
  const facts = person({ isUploader: true, isAssigned: true })
  t.equal(said(mayOnRecord('delete', facts)), '2xx')
  t.equal(said(mayOnRecord('replace_content', facts)), '403')
  t.equal(said(mayOnRecord('download', facts)), '403')
  t.end()
})

await t.test('a grant ends at its time, not before and not after', (t) => {
  const at = (expiresAt: Date) => person({ grants: [grant('explicit', { expiresAt })] })
  t.equal(said(mayOnRecord('view', at(future))), '2xx')
  t.equal(said(mayOnRecord('view', at(now))), '403')
  t.end()
})

await t.test('the grant an answer rests on is the one that rests on least', (t) => {
  const [shared, team] = [grant('explicit'), grant('assignment')]
  const facts = person({ isAssigned: true, grants: [team, shared] })
  t.match(mayOnRecord('download', facts), { allow: true, grant: shared })
  const viewOnly = grant('explicit', { canDownload: false })
  const both = person({ isAssigned: true, grants: [viewOnly, team] })
  t.match(mayOnRecord('download', both), { allow: true, grant: team })
  t.end()
})

await t.test('nobody passes on more than they have', (t) => {
  const wish = { canDownload: true, canShare: false, expiresAt: null }
  const viewOnly = grant('explicit', { canDownload: false, canShare: true })
  t.equal(mayGrantTerms([grant('own')], wish).allow, true)
  t.equal(mayGrantTerms([viewOnly], wish).allow, false)
  t.equal(mayGrantTerms([viewOnly], { ...wish, canDownload: false }).allow, true)
  const short = grant('explicit', { expiresAt: now })
  t.equal(mayGrantTerms([short], wish).allow, false)
  t.equal(mayGrantTerms([short], { ...wish, expiresAt: future }).allow, false)
  t.equal(mayGrantTerms([short], { ...wish, expiresAt: past }).allow, true)
  t.end()
})

await t.test('the assignment is asked about only where it makes a difference', async (t) => {
  const away = () => Promise.reject(new Error('away'))
  const decide = (action: RecordAction, facts: RecordFacts) => (isAssigned: boolean) =>
    mayOnRecord(action, { ...facts, isAssigned })
  const shared = columns['viewer'] ?? stranger
  t.equal(said(await decideWithAssignment(decide('view', shared), away)), '2xx')
  t.equal(said(await decideWithAssignment(decide('view', stranger), away)), '404')
  const team = person({ isUploader: true, grants: [grant('assignment')] })
  await t.rejects(decideWithAssignment(decide('view', team), away), { message: 'away' })
  const yes = () => Promise.resolve(true)
  const no = () => Promise.resolve(false)
  t.equal(said(await decideWithAssignment(decide('view', team), yes)), '2xx')
  t.equal(said(await decideWithAssignment(decide('view', team), no)), '403')
  t.equal(said(await decideWithAssignment(decide('view', stranger), yes)), '403')
})

/** The rows of those who have an emergency access open, as what is done to a record. */
const inEmergency: Readonly<Record<string, RecordAction>> = {
  download: 'download',
  head: 'download',
  view: 'view',
  'read metadata': 'read_metadata',
  'list versions': 'list_versions',
  'change metadata': 'change_metadata',
  'replace content': 'replace_content',
  delete: 'delete',
  restore: 'restore',
  'list grants': 'list_grants',
  grant: 'grant',
  'read access log': 'read_access_log',
}
const open: EmergencyFacts = { isOver: false, isSensitive: false, isNamed: false }

await t.test('an emergency opens what is read, and nothing else', (t) => {
  let decided = 0
  for (const { action, relation, status } of cells) {
    const wish = inEmergency[action]
    if (relation !== 'emergency' || wish === undefined) continue
    t.equal(said(mayInEmergency(wish, open)), meant(status), action)
    decided++
  }
  t.equal(decided, Object.keys(inEmergency).length)
  t.equal(code(mayInEmergency('delete', open)), 'emergency_reads_only')
  t.equal(code(mayInEmergency('view', { ...open, isOver: true })), 'emergency_over')
  const sensitive = { ...open, isSensitive: true }
  t.equal(code(mayInEmergency('view', sensitive)), 'sensitive_not_named')
  t.equal(code(mayInEmergency('view', { ...sensitive, isNamed: true })), 'allowed')
  t.equal(code(mayInEmergency('grant', { ...sensitive, isNamed: true })), 'emergency_reads_only')
  t.end()
})

await t.test('who asks for an emergency, ends it, judges it', (t) => {
  const ask = { roles: ['clinician'], isForAnother: false, isPatient: false }
  t.equal(code(mayRequestEmergency(ask)), 'allowed')
  t.equal(code(mayRequestEmergency({ ...ask, roles: ['admin', 'auditor'] })), 'forbidden')
  t.equal(code(mayRequestEmergency({ ...ask, roles: ['clinician', 'service'] })), 'forbidden')
  t.equal(code(mayRequestEmergency({ ...ask, isForAnother: true })), 'forbidden')
  t.equal(code(mayRequestEmergency({ ...ask, isPatient: true })), 'forbidden')
  const nobody = { roles: ['clinician'], isClinician: false, isPatient: false }
  const asked = { ...nobody, isClinician: true }
  const patient = { ...nobody, roles: ['patient'], isPatient: true }
  const auditor = { ...nobody, roles: ['auditor'] }
  const admin = { ...nobody, roles: ['admin'] }
  const all = [nobody, asked, patient, auditor, admin]
  t.same(
    all.map((one) => code(maySeeEmergency(one))),
    ['not_found', 'allowed', 'allowed', 'allowed', 'allowed'],
  )
  t.same(
    all.map((one) => code(mayEndEmergency(one))),
    ['not_found', 'allowed', 'forbidden', 'allowed', 'allowed'],
  )
  t.same(
    all.map((one) => code(mayReviewEmergency(one))),
    ['not_found', 'forbidden', 'forbidden', 'allowed', 'forbidden'],
  )
  t.same(all.map(mayReadReason), [false, true, true, true, false])
  const judge = { roles: ['auditor', 'clinician'], isClinician: true, isPatient: false }
  t.equal(code(mayReviewEmergency(judge)), 'forbidden', 'not their own')
  t.equal(code(mayReviewEmergency({ ...auditor, isPatient: true })), 'forbidden')
  t.end()
})
