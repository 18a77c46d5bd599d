import { setTimeout as wait } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { pdf } from '../acceptance/support/content.js'
import { eventually } from '../acceptance/support/eventually.js'
import {
  assign,
  filePath,
  type Person,
  personOf,
  recordType,
} from '../acceptance/support/people.js'
import { type Server, startServer } from '../acceptance/support/server.js'
import { randomOf } from '../helpers/random.js'
import { type Findings, settle, verify } from './support/service-check.js'
import { durations } from './support/service-kinds.js'
import { type Round, type Upload, work } from './support/service-load.js'
import type { Client } from './support/service-model.js'
import { onDatabase } from './support/service-stored.js'

// A service on the embedded database is moved to PostgreSQL under load, killed at drawn moments of the move,
// and once more when its writing has just ended. What was acknowledged is in the other database, and nothing else.
// KILLS: how many; SEED repeats what is drawn, not its timing.

if (process.env['TEST_DATABASE_URL'] === undefined) throw new Error('TEST_DATABASE_URL is needed')
const kills = Number(process.env['KILLS'] ?? 4)
const seed = Number(process.env['SEED'] ?? 8006)
const random = randomOf(seed)
const clientsARound = 4
/** Rows that make the move last longer than any kill is waited for. */
const filler = 20_000
const latestKillMs = 2_000
const password = 'nobody-is-to-read-this'

/** Empty counts as absent: the database made for this server is where it moves to. */
const embedded = { DATABASE_URL: '', LOG_LEVEL: 'info', SEGMENT_SIZE_LOG2: '16' }

interface Place {
  readonly server: Server
  /** The other database, with a password for nobody to see. */
  readonly url: string
}

async function place(t: Test): Promise<Place> {
  const server = await startServer(embedded)
  t.teardown(() => server.close())
  if (server.database === undefined) throw new Error('TEST_DATABASE_URL is needed')
  const url = new URL(server.database.url)
  url.password = password
  return { server, url: url.href }
}

const moving = ({ server, url }: Place, ...args: string[]) =>
  server.beginCommand(['database', 'move', ...args], {
    ...{ DATABASE_URL: '', DATABASE_MOVE_URL: url },
  })

async function move(at: Place, ...args: string[]) {
  const { code, out, err } = await moving(at, ...args).result
  return { code, said: out + err }
}

function someone(server: Server, id: string, role: string): Person {
  const exp = Math.floor(Date.now() / 1000) + 86_400
  return personOf(server, id, { role, exp })
}

async function newClients(server: Server, number: number): Promise<Client[]> {
  const admin = someone(server, 'admin', 'admin')
  return await Promise.all(
    Array.from({ length: clientsARound }, async (_, n): Promise<Client> => {
      const kind = n % 2 === 0 ? 'file' : 'record'
      const owner = someone(server, `person-${number}-${n}`, 'patient')
      const guest = someone(server, `guest-${number}-${n}`, 'patient')
      const doctor = someone(server, `doctor-${number}-${n}`, 'clinician')
      if (kind === 'record') await assign(admin, doctor, owner)
      const uploader = kind === 'file' ? owner : doctor
      return { kind, owner, uploader, guest, isSlow: n === 3, items: [], former: undefined }
    }),
  )
}

function newRound(number: number, type: string): Round {
  return {
    ...{ number, random, type, isFinal: false, durations: durations({}), pauseMs: 80 },
    ...{ flights: new Set(), acknowledged: 0, isOver: false, problems: [] },
  }
}

function holds(t: Test, { lost, half, repeats }: Findings, what: string): void {
  t.strictSame(lost, [], `${what}: all that was acknowledged is there, and nothing else`)
  t.strictSame(half, [], `${what}: nothing is there by half`)
  t.strictSame(repeats, [], `${what}: a repeated upload comes to one file`)
}

const beginnings = (server: Server) =>
  server.logs().split('"a move of the database is under way"').length

/** At work since before the move went on; `strike` says when the kill is to come. */
async function killUnderLoad(
  at: Place,
  round: Round,
  clients: readonly Client[],
  strike: () => Promise<unknown>,
): Promise<string> {
  const working = clients.map((client) => work(round, client))
  await eventually('an acknowledgement', () => round.acknowledged > 0, 60_000)
  const begun = beginnings(at.server)
  const command = moving(at)
  await eventually('the move', () => beginnings(at.server) > begun, 60_000)
  await strike()
  round.isOver = true
  await at.server.kill()
  await Promise.all(working)
  // One that came too late for the service goes on by itself, on the database nobody has.
  await Promise.race([command.result, wait(2_000)])
  command.kill()
  return (await command.result).err
}

const told = /"the database was moved|was moved \(/

await t.test(`killed ${kills} times while it moves, seed ${seed}`, async (t) => {
  const at = await place(t)
  const { server } = at
  const type = await recordType(someone(server, 'admin', 'admin'))
  await server.stop()
  await onDatabase({ ...server, database: undefined }, (database) =>
    database.script(`insert into assignments (assignment_id, clinician_id, patient_id, starts_at, created_by)
      select gen_random_uuid(), 'c' || n, 'p' || n, now(), 'filler' from generate_series(1, ${filler}) n`),
  )
  await server.start(embedded)
  const clients: Client[] = []
  const waiting = new Set<Upload>()
  let struck = 0
  for (let kill = 1; kill <= kills; kill++) {
    const present = await newClients(server, kill)
    clients.push(...present)
    const round = newRound(kill, type)
    const moment = Math.round(random() * latestKillMs)
    const said = await killUnderLoad(at, round, present, () => wait(moment))
    if (/ended before it was done/.test(said)) struck += 1
    else t.comment(said)
    await server.start(embedded)
    const { carriedOut, ...findings } = await settle(round, present, waiting)
    t.comment(
      `kill ${kill} after ${moment} ms: ${round.acknowledged} changes acknowledged,`,
      `${round.flights.size} never answered, ${carriedOut} of them carried out`,
    )
    t.strictSame(round.problems, [], 'only the kill broke anything')
    holds(t, findings, `kill ${kill}, seed ${seed}`)
  }
  t.equal(struck, kills, 'each struck the move')

  await t.test('and when its writing has just ended', async (t) => {
    const present = await newClients(server, kills + 1)
    clients.push(...present)
    const round = newRound(kills + 1, type)
    await killUnderLoad(at, round, present, () =>
      eventually('the end of writing', () => round.problems.length > 0, 120_000),
    )
    t.strictSame(
      round.problems.filter((problem) => !/: 503 .*"database_moved"/.test(problem)),
      [],
      'from the end of writing on, and only then, nothing was taken',
    )
    await t.rejects(server.start(embedded), told, 'the service does not start on what was moved')
    const { code, said } = await move(at)
    t.equal(code, 0, said)
    await server.start({ DATABASE_URL: at.url, LOG_LEVEL: 'info' })
    const { carriedOut, ...findings } = await settle(round, present, waiting)
    t.comment(
      `${round.acknowledged} changes until the end, ${carriedOut} of the unanswered carried out`,
    )
    holds(t, findings, 'after the move')
  })

  const findings: Findings = { lost: [], half: [], repeats: [] }
  const items = clients.flatMap((client) => client.items)
  await verify(clients, items, findings)
  holds(t, findings, `${items.length} files of ${clients.length} people on PostgreSQL`)
  const [filled] = (await server.database?.query(
    `select count(*)::int as n from assignments where created_by = 'filler'`,
  )) ?? [{}]
  t.equal(filled?.['n'], filler)
  const verified = await server.command('audit', 'verify')
  t.equal(verified.code, 0, `the log is whole: ${verified.out}`)
  t.match(await move(at, '--abandon'), { code: 1, said: /A service has been started on the new/ })
  await server.stop()
  await t.rejects(server.start(embedded), told, 'the source still refuses')
  t.notMatch(server.logs(), new RegExp(password), 'nobody was told the password')
})

await t.test('a move that is complete is taken back, and made again', async (t) => {
  const at = await place(t)
  const { server } = at
  const anna = personOf(server, 'anna')
  const before = await anna.file(pdf('before', 900))
  t.match(await server.command('database', 'move'), { code: 1, err: /DATABASE_MOVE_URL/ })
  t.match(await move(at, '--abandon'), { code: 0, said: /There is no move/ })
  t.match(await move(at), { code: 0, said: /compared and the same/ })
  t.match(await anna.get('/api/files/user'), { status: 503, body: { code: 'database_moved' } })
  t.equal((await server.call('/health/ready')).status, 503)
  t.match(await move(at), { code: 0, said: /compared and the same/ }, 'twice is once')
  const shred = await server.command('shred', '--person', 'anna', '--yes')
  t.match(shred, { code: 1, err: /is being moved/ }, 'nobody is destroyed in one of two databases')
  t.match(await move(at, '--abandon'), { code: 0, said: /The move was given up/ })
  await eventually('ready again', async () => (await server.call('/health/ready')).status === 200)
  const after = await anna.file(pdf('after', 900))
  await anna.delete(filePath(before))
  await server.stop()
  const onCopy = { DATABASE_URL: at.url }
  await t.rejects(server.start(onCopy), /given up: it must not be served/, 'the copy serves nobody')
  t.match(await move(at), { code: 0, said: /compared and the same/ }, 'without a service')
  const early = await server.command('audit', 'verify')
  t.match(early, { code: 1, err: /start the service on it first/ }, 'nobody writes before')
  await server.start(onCopy)
  t.equal((await anna.get(filePath(after))).status, 200)
  t.equal((await anna.get(filePath(before))).status, 404, 'what was deleted has not come back')
  await t.test('the log tells of it', async (t) => {
    const admin = personOf(server, 'admin', { role: 'admin' })
    const { text } = await admin.get('/api/v1/audit/logs?action=database.move')
    for (const reason of ['begun', 'stopped', 'abandoned']) t.match(text, reason)
    const verified = await server.command('audit', 'verify')
    t.equal(verified.code, 0, verified.out)
  })
  await t.test('rules hold in the new database', async (t) => {
    const { database } = server
    if (database === undefined) throw new Error('no database')
    await t.rejects(database.query('delete from audit_events'), /append-only/)
    await t.rejects(database.query('truncate audit_events'), /append-only/)
    await t.rejects(database.query('delete from principals'), /foreign key/)
    const invalid = await database.query('select 1 from pg_constraint where not convalidated')
    t.strictSame(invalid, [])
  })
})
