import { readdir, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import pg from 'pg'
import t, { type Test } from 'tap'
import { request } from 'undici'
import { pdf } from '../acceptance/support/content.js'
import { eventually } from '../acceptance/support/eventually.js'
import { type Answer, listOf } from '../acceptance/support/http.js'
import { filePart } from '../acceptance/support/multipart.js'
import {
  assign,
  type Person,
  personOf,
  recordPath,
  recordType,
} from '../acceptance/support/people.js'
import { openReader } from '../acceptance/support/reader.js'
import { type Server, startServer } from '../acceptance/support/server.js'
import { randomOf } from '../helpers/random.js'
import { type OwnCluster, ownCluster } from './support/own-cluster.js'

// The built service under load while its PostgreSQL is stopped and started under it, in peace and
// as by a crash. The book of what was acknowledged is kept here. RESTARTS: how often; SEED repeats
// what is drawn, not its timing.

const restarts = Number(process.env['RESTARTS'] ?? 6)
const seed = Number(process.env['SEED'] ?? 1503)
const random = randomOf(seed)
const recoveryLimitMs = 15_000
const KiB = 1024

/** What a caller may be told while the database is away. */
const refusals = ['database_unavailable', 'commit_unknown', 'audit_unavailable']

/** A record of one patient, changed by its clinician alone. */
interface Item {
  readonly id: string
  /** The content of every version acknowledged. */
  readonly versions: Buffer[]
  /** Content of which nobody could say whether it was stored. */
  readonly doubtful: Buffer[]
  /** Nothing where that is in doubt. */
  isShared: boolean | undefined
  isLive: boolean | undefined
}

interface Ward {
  readonly clinician: Person
  readonly patient: Person
  readonly guest: Person
  readonly items: Item[]
  /** Uploads in doubt. */
  readonly doubtful: Buffer[]
}

interface Book {
  readonly type: string
  readonly wards: readonly Ward[]
  readonly problems: string[]
  readonly refused: Map<string, number>
  acknowledged: number
  /** Broken off without an answer. */
  broken: number
  brokenReads: number
  wholeReads: number
  isOver: boolean
}

let drawn = 0
function freshContent(): Buffer {
  const sizes = [200, 20 * KiB, 256 * KiB, 700 * KiB]
  return pdf(`content ${++drawn}`, sizes[Math.floor(random() * sizes.length)])
}

type Outcome = 'done' | 'not done' | 'in doubt'

/** Done, or surely not, or who knows. Whatever else is answered is a problem. */
async function ask(
  book: Book,
  what: string,
  expected: number,
  send: () => Promise<Answer>,
): Promise<{ readonly outcome: Outcome; readonly answer?: Answer }> {
  let answer: Answer
  try {
    answer = await send()
  } catch {
    book.broken += 1
    return { outcome: 'in doubt' }
  }
  if (answer.status === expected) {
    book.acknowledged += 1
    return { outcome: 'done', answer }
  }
  const { code = '' } = answer.body
  if (answer.status !== 503 || !refusals.includes(code) || !answer.headers['retry-after']) {
    book.problems.push(`${what}: ${answer.status} ${answer.text.slice(0, 200)}`)
  }
  book.refused.set(code, (book.refused.get(code) ?? 0) + 1)
  return { outcome: code === 'commit_unknown' ? 'in doubt' : 'not done', answer }
}

async function upload(book: Book, ward: Ward): Promise<void> {
  const data = freshContent()
  const record = { patient_id: ward.patient.id, medical_record_type_id: book.type }
  const { outcome, answer } = await ask(book, 'upload', 201, () =>
    ward.clinician.uploadRecord(data, record),
  )
  const id = answer?.body.file_id
  if (outcome === 'in doubt') ward.doubtful.push(data)
  else if (outcome === 'done' && id !== undefined) {
    ward.items.push({ id, versions: [data], doubtful: [], isShared: false, isLive: true })
  }
}

async function addVersion(book: Book, ward: Ward, item: Item): Promise<void> {
  const data = freshContent()
  const path = `${recordPath(item.id)}/content`
  const { outcome } = await ask(book, 'version', 200, () =>
    ward.clinician.form(path, [filePart(data)], { method: 'PUT' }),
  )
  if (outcome === 'done') item.versions.push(data)
  else if (outcome === 'in doubt') item.doubtful.push(data)
}

async function shareOrRevoke(book: Book, ward: Ward, item: Item): Promise<void> {
  const { clinician, guest } = ward
  const path = `${recordPath(item.id)}/grants`
  const isShared = item.isShared === true
  const { outcome } = isShared
    ? await ask(book, 'revoke', 200, () => clinician.delete(`${path}/${guest.id}`))
    : await ask(book, 'grant', 201, () => clinician.post(path, { user_id: guest.id }))
  if (outcome === 'done') item.isShared = !isShared
  else if (outcome === 'in doubt') item.isShared = undefined
}

async function remove(book: Book, ward: Ward, item: Item): Promise<void> {
  const { outcome } = await ask(book, 'delete', 200, () =>
    ward.clinician.delete(`${recordPath(item.id)}/delete`),
  )
  if (outcome === 'done') item.isLive = false
  else if (outcome === 'in doubt') item.isLive = undefined
}

/** What may be given out for it now. */
const candidates = ({ versions, doubtful }: Item) => [...versions.slice(-1), ...doubtful]

/** As it comes, with pauses, so that the database goes away under it; each byte must be right. */
async function read(book: Book, server: Server, ward: Ward, item: Item): Promise<void> {
  const all = candidates(item)
  const path = `${recordPath(item.id)}/download`
  const got: Buffer[] = []
  let length = -1
  try {
    const headers = { authorization: `Bearer ${ward.patient.token}` }
    const { statusCode, body, headers: told } = await request(server.origin + path, { headers })
    length = Number(told['content-length'])
    for await (const piece of body) {
      got.push(piece as Buffer)
      if (random() < 0.2) await wait(10)
    }
    if (statusCode !== 200) {
      const text = Buffer.concat(got).toString()
      if (statusCode !== 503 || !refusals.some((code) => text.includes(code)))
        book.problems.push(`read: ${statusCode} ${text.slice(0, 200)}`)
      return
    }
    book.wholeReads += 1
  } catch {
    book.brokenReads += 1
  }
  const bytes = Buffer.concat(got)
  const isRight = all.some((data) => data.subarray(0, bytes.length).equals(bytes))
  if (length >= 0 && !isRight) book.problems.push(`read: wrong bytes of ${item.id}`)
}

/** Something nobody is in doubt about, so that the answer to a change is known beforehand. */
function choose(ward: Ward): Item | undefined {
  const sure = ward.items.filter(
    ({ isLive, isShared, doubtful }) =>
      isLive === true && isShared !== undefined && doubtful.length === 0,
  )
  return sure[Math.floor(random() * sure.length)]
}

async function step(book: Book, server: Server, ward: Ward): Promise<void> {
  const draw = random()
  const item = choose(ward)
  if (item === undefined || draw < 0.3) await upload(book, ward)
  else if (draw < 0.45) await addVersion(book, ward, item)
  else if (draw < 0.65) await shareOrRevoke(book, ward, item)
  else if (draw < 0.95) await read(book, server, ward, item)
  else await remove(book, ward, item)
}

async function work(book: Book, server: Server, ward: Ward): Promise<void> {
  while (!book.isOver) {
    await step(book, server, ward)
    await wait(5 + random() * 20)
  }
}

/** Down at a drawn moment, away for a drawn time, and back: how long the service took to follow. */
async function restart(t: Test, cluster: OwnCluster, server: Server, n: number): Promise<void> {
  await wait(500 + random() * 1500)
  const mode = n % 2 === 0 ? 'fast' : 'immediate'
  const awayMs = n % 3 === 0 ? 0 : Math.floor(500 + random() * 3000)
  await cluster.stop(mode)
  if (awayMs > 0) {
    await wait(awayMs / 2)
    const ready = await server.call('/health/ready')
    t.equal(ready.status, 503, `restart ${n}: it says that it is not ready`)
    t.match(ready.text, /"database":false/, 'because of the database')
    t.equal((await server.call('/health/live')).status, 200, 'and that it lives')
    await wait(awayMs / 2)
  }
  await cluster.start()
  const isReady = async () => (await server.call('/health/ready')).status === 200
  const ms = await eventually('ready again', isReady, recoveryLimitMs)
  t.comment(`restart ${n}: ${mode}, away for ${awayMs} ms more, ready ${Math.round(ms)} ms after`)
}

/** A download that is under way while the database goes: goes on or breaks off, never a wrong byte. */
async function longRead(server: Server, { clinician, patient }: Ward, type: string) {
  const data = pdf('a long one', 16 * KiB * KiB)
  const id = await clinician.record(data, { patient_id: patient.id, medical_record_type_id: type })
  return async (t: Test, during: () => Promise<void>) => {
    const reader = await openReader(server.address, patient, `${recordPath(id)}/download`)
    t.equal(reader.status, 200, 'a long download begins')
    await reader.read(100 * KiB)
    await during()
    const bytes = await reader.drain()
    t.ok(data.subarray(0, bytes.length).equals(bytes), 'all it gave are right bytes')
    t.comment(`the long download gave ${bytes.length} of ${data.length} bytes`)
  }
}

/**
 * A job of the service does its work: a new clinician of a patient gets the team's records. Of a patient
 * beside the load, which deletes records while the job is waited for.
 */
async function jobsAtWork(server: Server, admin: Person, clinician: Person, type: string) {
  const patient = personOf(server, 'patient-apart', { role: 'patient' })
  await assign(admin, clinician, patient)
  const about = { patient_id: patient.id, medical_record_type_id: type }
  const path = `${recordPath(await clinician.record(pdf('apart'), about))}/download`
  return async (t: Test) => {
    const late = personOf(server, `late-${++drawn}`, { role: 'clinician' })
    await assign(admin, late, patient)
    const opens = async () => (await late.get(path)).status === 200
    const ms = await eventually('the job gave a new clinician access', opens, recoveryLimitMs)
    t.comment(`a job was done after ${Math.round(ms)} ms`)
  }
}

/** All that was acknowledged is there, and nothing more than what was in doubt. */
async function verify(t: Test, ward: Ward): Promise<void> {
  const { clinician, patient, guest, items, doubtful } = ward
  const list = await patient.get('/api/files/medical-records?limit=200')
  t.equal(list.status, 200, 'the list is answered')
  const listed = new Set(listOf(list).map(({ file_id: id }) => id ?? ''))
  const wrong: string[] = []
  for (const item of items) {
    const there = listed.has(item.id)
    if (item.isLive !== undefined && item.isLive !== there)
      wrong.push(`${item.id} listed: ${String(there)}`)
    if (!there) continue
    for (const who of [patient, clinician]) {
      const answer = await who.get(`${recordPath(item.id)}/download`)
      const isRight = candidates(item).some((data) => data.equals(answer.bytes))
      if (answer.status !== 200 || !isRight) wrong.push(`${item.id}: ${answer.status} to ${who.id}`)
    }
    const { status } = await guest.get(`${recordPath(item.id)}/metadata`)
    if (item.isShared !== undefined && item.isShared !== (status === 200)) {
      wrong.push(`${item.id} shared ${String(item.isShared)}: ${status}`)
    }
  }
  t.strictSame(wrong, [], `${items.length} records of ${patient.id} are as they were acknowledged`)
  const known = new Set(items.map(({ id }) => id))
  const risen = [...listed].filter((id) => !known.has(id))
  t.ok(risen.length <= doubtful.length, `${risen.length} beyond, ${doubtful.length} in doubt`)
  for (const id of risen) {
    const answer = await patient.get(`${recordPath(id)}/download`)
    t.ok(
      doubtful.some((data) => data.equals(answer.bytes)),
      'what was in doubt is there whole',
    )
  }
}

/** Rows against bytes: none without, and bytes without a row only where the service could not know. */
async function compareStored(t: Test, cluster: OwnCluster, server: Server, most: number) {
  const client = new pg.Client({ connectionString: cluster.url })
  await client.connect()
  const { rows } = await client.query<{ id: string; length: string }>(
    'SELECT sealed_id::text AS id, sealed_length::text AS length FROM file_versions',
  )
  await client.end()
  const blobs = new Map<string, number>()
  for (const path of await server.blobs()) {
    const name = basename(dirname(path))
    t.not(name, 'incoming', 'nothing half-written is left')
    blobs.set(basename(path), (await stat(path)).size)
  }
  const without = rows.filter(({ id, length }) => blobs.get(id) !== Number(length))
  t.strictSame(without, [], `${rows.length} rows have their bytes`)
  const orphans = blobs.size - rows.length
  t.ok(orphans <= most, `${orphans} orphans, ${most} in doubt`)
}

const timeout = 120_000 + restarts * 30_000
await t.test(`restarted ${restarts} times, seed ${seed}`, { timeout }, async (t) => {
  const cluster = await ownCluster()
  t.teardown(() => cluster.close())
  const server = await startServer({ DATABASE_URL: cluster.url, LOG_LEVEL: 'warn' })
  t.teardown(() => server.close())
  const admin = personOf(server, 'admin', { role: 'admin' })
  const wards: Ward[] = []
  for (let n = 0; n < 6; n++) {
    const clinician = personOf(server, `doctor-${n}`, { role: 'clinician' })
    const patient = personOf(server, `patient-${n}`, { role: 'patient' })
    const guest = personOf(server, `guest-${n}`, { role: 'patient' })
    await assign(admin, clinician, patient)
    wards.push({ clinician, patient, guest, items: [], doubtful: [] })
  }
  const book: Book = {
    ...{ type: await recordType(admin), wards, problems: [], refused: new Map() },
    ...{ acknowledged: 0, broken: 0, brokenReads: 0, wholeReads: 0, isOver: false },
  }
  const [first, last] = [wards[0], wards[wards.length - 1]]
  if (first === undefined || last === undefined) throw new Error('no ward')
  const reader = personOf(server, 'long-reader', { role: 'patient' })
  await assign(admin, last.clinician, reader)
  const reading = await longRead(server, { ...last, patient: reader }, book.type)
  const jobsGoOn = await jobsAtWork(server, admin, first.clinician, book.type)
  const working = wards.map((ward) => work(book, server, ward))
  try {
    for (let n = 1; n <= restarts; n++) {
      await reading(t, () => restart(t, cluster, server, n))
      await jobsGoOn(t)
    }
  } finally {
    book.isOver = true
    await Promise.all(working)
  }
  t.strictSame(book.problems, [], 'every answer was a success or a 503 in form')
  const { acknowledged, broken, brokenReads, wholeReads } = book
  t.comment(
    JSON.stringify({ acknowledged, broken, brokenReads, wholeReads }),
    JSON.stringify([...book.refused]),
  )
  t.ok(book.refused.size > 0 && acknowledged > restarts * 10, 'there was load, and it was refused')
  for (const ward of wards) await verify(t, ward)
  const items = wards.flatMap((ward) => ward.items)
  const most = [...wards, ...items].reduce((sum, { doubtful }) => sum + doubtful.length, 0)
  const debris = server.logs().split('debris left behind').length - 1
  t.equal(await server.stop(), 0, 'it stops in peace')
  t.strictSame(await readdir(join(server.filesDir, 'incoming')), [])
  await compareStored(t, cluster, server, most + debris)
})
