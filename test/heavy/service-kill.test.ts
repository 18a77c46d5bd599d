import { stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { openEmbeddedDatabase } from '../../src/db/embedded-database.js'
import { eventually } from '../acceptance/support/eventually.js'
import { assign, type Person, personOf, recordType } from '../acceptance/support/people.js'
import { type Server, startServer } from '../acceptance/support/server.js'
import { randomOf } from '../helpers/random.js'
import { type Findings, settle, verify } from './support/service-check.js'
import { type Flight, type Round, type Upload, work } from './support/service-load.js'
import type { Client } from './support/service-model.js'

// The whole service, killed under load and started again on the same data. The clients and their
// book of what was acknowledged live here, outside the process that is killed.
// KILLS=200 for a soak; SEED repeats what is drawn, not its timing; TEST_DATABASE_URL: on PostgreSQL.

const kills = Number(process.env['KILLS'] ?? 5)
const seed = Number(process.env['SEED'] ?? 8006)
const random = randomOf(seed)
const clientsARound = 6

const seconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`

const selectVersions =
  'SELECT sealed_id::text AS id, sealed_length::text AS length FROM file_versions'

/** How long a killed service's claim on an Idempotency-Key may stand at most. */
const claimSeconds = 60

/** A fourth of the time what is deleted is destroyed at once: after kills 4, 8, 12 … */
const isFinalAfter = (kill: number) => kill > 0 && kill % 4 === 0

interface Sums {
  /** Changes answered with success. */
  acknowledged: number
  /** Requests never answered. */
  inFlight: number
  /** Uploads among them. */
  uploads: number
  killsInUpload: number
  /** Unanswered, and done all the same. */
  carriedOut: number
}

interface Soak {
  readonly server: Server
  readonly admin: Person
  readonly type: string
  /** Of all rounds. */
  readonly clients: Client[]
  /** Uploads to repeat once an earlier claim on their key has ended. */
  readonly waiting: Set<Upload>
  readonly sums: Sums
}

await t.test(
  `killed ${kills} times, seed ${seed}`,
  { timeout: 180_000 + kills * 30_000 },
  async (t) => {
    const server = await startServer(settings(0))
    t.teardown(() => server.close())
    const admin = someone(server, 'admin', 'admin')
    const soak: Soak = {
      server,
      admin,
      type: await recordType(admin),
      clients: [],
      waiting: new Set(),
      sums: { acknowledged: 0, inFlight: 0, uploads: 0, killsInUpload: 0, carriedOut: 0 },
    }
    for (let kill = 1; kill <= kills; kill++) await killOnce(t, soak, kill)
    await verifyAll(t, soak)

    const { sums } = soak
    const { acknowledged, killsInUpload } = sums
    t.ok(killsInUpload * 2 >= kills, `${killsInUpload} of ${kills} kills broke an upload off`)
    t.ok(acknowledged >= kills, `${acknowledged} changes were acknowledged and hold`)
    t.equal(await server.stop(), 0, 'it stops in peace')
    const { missing, ...stored } = await compareStored(server)
    t.strictSame(missing, [], 'no row points at bytes that are not there')
    const files = soak.clients.flatMap(({ items }) => items).length
    const figures = { kills, ...sums, files, ...stored, missing: missing.length }
    t.comment(`total: ${JSON.stringify(figures)}`)
  },
)

/** Load, kill, restart, and all that was touched verified. */
async function killOnce(t: Test, soak: Soak, kill: number): Promise<void> {
  const { server, admin, type, clients, waiting } = soak
  const what = `kill ${kill}, seed ${seed}`
  const former = clients.slice(-clientsARound)
  const present = await newClients(server, admin, { kill, former })
  clients.push(...present)
  const round = newRound(kill, type)
  const afterMs = 20 + Math.floor(random() * 1_480)
  const inFlight = await runUntilKilled({ server, clients: present }, round, afterMs)
  const start = performance.now()
  await server.start(settings(kill))
  const started = performance.now()
  const { carriedOut, ...findings } = await settle(round, [...former, ...present], waiting)
  t.comment(
    `${what}: after ${afterMs} ms ${round.acknowledged} changes were acknowledged;`,
    `in flight: ${inFlight.map((flight) => flight.what).join(', ') || 'nothing'};`,
    `${round.flights.size} never answered, ${carriedOut} of them carried out;`,
    `started in ${seconds(started - start)}, verified in ${seconds(performance.now() - started)}`,
  )
  count(soak.sums, round, carriedOut)
  t.strictSame(round.problems, [], `${what}: only the kill broke anything`)
  holds(t, findings, what)
}

function count(sums: Sums, { acknowledged, flights }: Round, carriedOut: number): void {
  const uploads = [...flights].filter(({ what }) => what === 'upload').length
  sums.acknowledged += acknowledged
  sums.inFlight += flights.size
  sums.uploads += uploads
  sums.carriedOut += carriedOut
  if (uploads > 0) sums.killsInUpload++
}

function settings(kill: number): Record<string, string> {
  return { LOG_LEVEL: 'warn', ...(isFinalAfter(kill) ? { DELETE_RETENTION_DAYS: '0' } : {}) }
}

function someone(server: Server, id: string, role: string): Person {
  const exp = Math.floor(Date.now() / 1000) + 86_400
  return personOf(server, id, { role, exp })
}

/** Fresh people, so that lists stay short and keys are made under load too. */
async function newClients(
  server: Server,
  admin: Person,
  { kill, former }: { kill: number; former: readonly Client[] },
): Promise<Client[]> {
  return await Promise.all(
    Array.from({ length: clientsARound }, async (_, index): Promise<Client> => {
      const kind = index % 2 === 0 ? 'file' : 'record'
      const guest = someone(server, `guest-${kill}-${index}`, 'patient')
      const owner = someone(server, `person-${kill}-${index}`, 'patient')
      const uploader =
        kind === 'file' ? owner : someone(server, `doctor-${kill}-${index}`, 'clinician')
      if (kind === 'record') await assign(admin, uploader, owner)
      const isSlow = index >= clientsARound - 2
      return { kind, owner, uploader, guest, isSlow, items: [], former: former[index] }
    }),
  )
}

function newRound(number: number, type: string): Round {
  return {
    number,
    random,
    type,
    isFinal: isFinalAfter(number - 1),
    flights: new Set(),
    acknowledged: 0,
    isOver: false,
    problems: [],
  }
}

/**
 * What was under way at the moment of the kill; some of it may have been answered all the same. Two
 * of three times the clock starts at the first acknowledgement, else when the first requests leave.
 */
async function runUntilKilled(
  { server, clients }: Pick<Soak, 'server' | 'clients'>,
  round: Round,
  afterMs: number,
): Promise<Flight[]> {
  const working = clients.map((client) => work(round, client))
  if (round.number % 3 !== 0) {
    await eventually(
      'an acknowledgement',
      () => {
        return round.acknowledged > 0 || round.problems.length > 0
      },
      60_000,
    )
  }
  await wait(afterMs)
  const inFlight = [...round.flights]
  round.isOver = true
  await server.kill()
  await Promise.all(working)
  return inFlight
}

function holds(t: Test, { lost, half, repeats }: Findings, what: string): void {
  t.strictSame(lost, [], `${what}: nothing acknowledged is lost`)
  t.strictSame(half, [], `${what}: nothing is there by half`)
  t.strictSame(repeats, [], `${what}: a repeated upload comes to one file`)
}

/** Every file there ever was, and repetitions that wait for an earlier claim to end. */
async function verifyAll(t: Test, { type, clients, waiting }: Soak): Promise<void> {
  const findings: Findings = { lost: [], half: [], repeats: [] }
  const begin = performance.now()
  const waited = waiting.size
  while (waiting.size > 0 && performance.now() - begin < claimSeconds * 1000) {
    await wait(1000)
    findings.repeats.push(...(await settle(newRound(kills + 1, type), clients, waiting)).repeats)
  }
  for (const { content } of waiting) findings.repeats.push(`${content.seed}: still in progress`)
  t.comment(
    `${waited} repetitions waited for an earlier claim, ${seconds(performance.now() - begin)}`,
  )
  const items = clients.flatMap((client) => client.items)
  await verify(clients, items, findings)
  holds(t, findings, `after ${kills} kills, seed ${seed}`)
}

interface Stored {
  /** Versions whose bytes are not there whole. */
  readonly missing: string[]
  readonly versions: number
  /** Sealed bytes that no version points at. */
  readonly orphans: number
  /** Files that were never completed. */
  readonly partial: number
}

/** Rows against bytes, once the service has stopped. */
async function compareStored(server: Server): Promise<Stored> {
  const rows = await versionRows(server)
  const blobs = new Map<string, number>()
  let partial = 0
  for (const path of await server.blobs()) {
    if (basename(dirname(path)) === 'incoming') partial++
    else blobs.set(basename(path), (await stat(path)).size)
  }
  const missing = rows.flatMap(({ id, length }) =>
    blobs.get(id) === Number(length) ? [] : [`${id}: ${blobs.get(id) ?? 'no'} of ${length} bytes`],
  )
  const known = new Set(rows.map(({ id }) => id))
  const orphans = [...blobs.keys()].filter((id) => !known.has(id)).length
  return { missing, versions: rows.length, orphans, partial }
}

interface VersionRow {
  readonly id: string
  readonly length: string
}

async function versionRows(server: Server): Promise<VersionRow[]> {
  if (server.database !== undefined) {
    const rows = await server.database.query(selectVersions)
    return rows.map(({ id, length }) => ({ id: String(id), length: String(length) }))
  }
  const db = await openEmbeddedDatabase({ folder: join(server.dataDir, 'database') })
  try {
    return await db.rows<VersionRow>({ name: 'versions', text: selectVersions })
  } finally {
    await db.close()
  }
}
