import { setTimeout as wait } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { eventually } from '../acceptance/support/eventually.js'
import { assign, type Person, personOf, recordType } from '../acceptance/support/people.js'
import { type Server, startServer } from '../acceptance/support/server.js'
import { randomOf } from '../helpers/random.js'
import { aimAtCommand, aimAtRequest, aimAtStart, struck } from './support/service-aim.js'
import { type Findings, settle, verify } from './support/service-check.js'
import { commands, type Report } from './support/service-commands.js'
import { type MasterKeys, makePeople, masterKeys } from './support/service-keys.js'
import { durations, isRequestKind, type Kind, requestKinds } from './support/service-kinds.js'
import { type Round, type Upload, work } from './support/service-load.js'
import type { Client } from './support/service-model.js'
import { type Reckoned, reckon, type Setting, startLater } from './support/service-reckoning.js'
import { ageFiles, onDatabase } from './support/service-stored.js'

// The whole service, killed under load and started again on the same data. The clients and their
// book of what was acknowledged live here, outside the process that is killed. Each kill is aimed at
// a kind of operation, one after another; meanwhile the master key turns, and at the end of each turn
// what kills interrupted is finished, swept, and compared: nothing else is left.
// KILLS=500 for a soak; SEED repeats what is drawn, not its timing; TEST_DATABASE_URL: on PostgreSQL.

const kills = Number(process.env['KILLS'] ?? 5)
const seed = Number(process.env['SEED'] ?? 8006)
const random = randomOf(seed)
/** At work all the time; one more asks for what the kill is aimed at. */
const clientsARound = 4
/** So many people's keys that a rotation takes long enough to be killed. */
const residents = 1_500
/** Small, so that uploads of several segments are cheap. */
const segmentSizeLog2 = 16
/** How many times each kind has its turn while the master key turns once. */
const timesATurn = kills >= 100 ? 2 : 1
/** Of all there is, opened again after each turn of the master key. */
const sampleSize = 40

const seconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`

/** What a kill is aimed at, and how the service runs then. */
interface Aim extends Setting {
  readonly kind: Kind
}

const kinds: readonly Kind[] = [...requestKinds, 'start', ...commands.map(({ name }) => name)]

/** How many kills must have broken something of each kind off. */
const least = kills >= 500 ? 10 : Math.floor(kills / (1.5 * kinds.length))

interface Sums {
  /** Changes answered with success. */
  acknowledged: number
  /** Requests never answered. */
  inFlight: number
  /** Uploads among them. */
  uploads: number
  /** Unanswered, and done all the same. */
  carriedOut: number
  /** Of the master key. */
  turns: number
}

interface Soak extends Reckoned {
  readonly admin: Person
  readonly type: string
  /** Uploads to repeat once an earlier claim on their key has ended. */
  readonly waiting: Set<Upload>
  readonly sums: Sums
  /** Kills that broke something of a kind off. */
  readonly byKind: Map<Kind, number>
}

await t.test(
  `killed ${kills} times, seed ${seed}`,
  { timeout: 300_000 + kills * 30_000 },
  async (t) => {
    const soak = await setUp(t)
    let versions = 0
    let missed: Kind[] = []
    for (let kill = 0; kill < kills; soak.sums.turns++) {
      const aims = planTurn(missed).slice(0, kills - kill)
      missed = await killInTurn(t, soak, aims, kill)
      kill += aims.length
      versions = await reckon(t, soak, `after ${kill} kills`)
    }
    await soak.start({ phase: 'alone', isFinal: false })
    await verifyAll(t, soak, versions)
    t.equal(await soak.server.stop(), 0, 'it stops in peace')
    tellAll(t, soak, versions)
  },
)

async function setUp(t: Test): Promise<Soak> {
  const keys = masterKeys()
  const server = await startServer(settingsOf(keys, { phase: 'alone', isFinal: false }))
  t.teardown(() => server.close())
  const admin = someone(server, 'admin', 'admin')
  const type = await recordType(admin)
  await server.stop()
  const people = await onDatabase(server, (database) =>
    makePeople(database, keys.setting('alone'), residents),
  )
  const times = durations(Object.fromEntries(commands.map(({ name, usualMs }) => [name, usualMs])))
  const clients: Client[] = []
  const soak: Soak = {
    ...{ server, admin, type, people, clients, masterKeys: keys, durations: times },
    waiting: new Set(),
    halfDone: new Map(),
    byKind: new Map(),
    swept: { orphans: 0, intents: 0, halfWritten: 0, destroyed: 0 },
    sums: { acknowledged: 0, inFlight: 0, uploads: 0, carriedOut: 0, turns: 0 },
    idle: () => idleOf(clients),
    start: async (as) => {
      const begun = performance.now()
      await server.start(settingsOf(keys, as))
      times.note('start', performance.now() - begun)
    },
    run: (...args) => runToItsEnd(server, args),
    repeat: (t, what) => repeatWaiting(t, soak, what),
  }
  return soak
}

async function runToItsEnd(server: Server, args: readonly string[]): Promise<Report> {
  const { code, out, err } = await server.command(...args, '--json')
  if (code !== 0) throw new Error(`${args.join(' ')} ended with ${code ?? 'a signal'}: ${err}`)
  return JSON.parse(out) as Report
}

/** Of neither this round nor the one before. */
function idleOf(clients: readonly Client[]): Client {
  const others = clients.slice(0, -2 * (clientsARound + 1))
  const [one] = shuffled(others.filter(({ items }) => items.some(({ state }) => state.isLive)))
  if (one === undefined) throw new Error('Everyone is at work')
  return one
}

async function repeatWaiting(t: Test, soak: Soak, what: string): Promise<void> {
  const round = newRound(soak, 0, { isFinal: false, pauseMs: 0 })
  const found = await settle(round, soak.clients, soak.waiting)
  for (const { content } of soak.waiting) found.repeats.push(`${content.seed}: in progress`)
  holds(t, found, what)
}

function settingsOf(keys: MasterKeys, { phase, isFinal }: Setting): Record<string, string> {
  return {
    LOG_LEVEL: 'warn',
    SEGMENT_SIZE_LOG2: String(segmentSizeLog2),
    MASTER_KEYS: keys.setting(phase),
    ...(isFinal ? { DELETE_RETENTION_DAYS: '0' } : {}),
  }
}

function someone(server: Server, id: string, role: string): Person {
  const exp = Math.floor(Date.now() / 1000) + 86_400
  return personOf(server, id, { role, exp })
}

function shuffled<T>(all: readonly T[]): T[] {
  return all
    .map((one) => ({ one, at: random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ one }) => one)
}

/** Every kind in a drawn order, and once more what the last turn's kills came too late for. */
function planTurn(missed: readonly Kind[]): Aim[] {
  const all = [...Array.from({ length: timesATurn }, () => kinds).flat(), ...missed]
  const aim = (phase: Setting['phase']) => (kind: Kind) =>
    ({ kind, phase, isFinal: kind === 'purge' }) as const
  const bound = commands.filter(({ phase }) => phase === 'moved')
  const isBound = (kind: Kind) => bound.some(({ name }) => name === kind)
  const last = bound.filter(({ isLast }) => isLast === true).map(({ name }) => name)
  const free = shuffled(all.filter((kind) => !isBound(kind)))
  const late = free.splice(Math.ceil(free.length / 2))
  const turning = all.filter((kind) => isBound(kind) && !last.some((name) => name === kind))
  return [
    ...free.slice(0, 1).map(aim('alone')),
    ...free.slice(1).map(aim('added')),
    ...shuffled([...late, ...turning]).map(aim('moved')),
    ...last.map(aim('moved')),
  ]
}

/** The kills of a turn; the kinds they came too late for. */
async function killInTurn(
  t: Test,
  soak: Soak,
  aims: readonly Aim[],
  before: number,
): Promise<Kind[]> {
  const missed: Kind[] = []
  const [first] = aims
  if (first !== undefined) await soak.start(first)
  await verifySome(t, soak, `after ${before} kills`)
  for (const [at, aim] of aims.entries()) {
    // The new key comes first only where all that ran without are gone.
    if (aim.phase === 'moved' && aims[at - 1]?.phase !== 'moved') await startLater(t, soak, aim)
    const next = aims[at + 1]
    const goesOn = next !== undefined && (next.phase !== 'moved' || aim.phase === 'moved')
    const after = goesOn ? next : { ...aim, isFinal: false }
    if (!(await killOnce(t, soak, before + at + 1, { aim, after }))) missed.push(aim.kind)
  }
  return missed
}

/** Load, kill, restart, and all that was touched verified. Whether it struck what it was aimed at. */
async function killOnce(
  t: Test,
  soak: Soak,
  kill: number,
  { aim, after }: { readonly aim: Aim; readonly after: Aim },
): Promise<boolean> {
  const { clients, waiting } = soak
  const what = `kill ${kill}, seed ${seed}`
  const former = clients.slice(-clientsARound - 1)
  const present = await newClients(soak, { kill, former, aim })
  clients.push(...present)
  const isByCommand = commands.some(({ name }) => name === aim.kind)
  // A command takes a while to begin: what is done meanwhile has to be verified as well.
  const pauseMs = isByCommand ? 80 : 0
  const round = newRound(soak, kill, { isFinal: aim.isFinal, pauseMs })
  const begun = performance.now()
  const kinds = await runUntilKilled(soak, round, { present, aim, after })
  const killed = performance.now()
  if (after.kind === 'sweep') await ageFiles(soak.server)
  await soak.start(after)
  const started = performance.now()
  for (const command of commands) if (kinds.has(command.name)) await command.after?.(soak)
  const { carriedOut, ...findings } = await settle(round, [...former, ...present], waiting)
  t.comment(
    `${what}: aimed at ${aim.kind}, struck ${[...kinds].join(', ') || 'nothing'};`,
    `${round.acknowledged} changes acknowledged in ${seconds(killed - begun)};`,
    `${round.flights.size} never answered, ${carriedOut} of them carried out;`,
    `started in ${seconds(started - killed)}, verified in ${seconds(performance.now() - started)}`,
  )
  count(soak, round, kinds, carriedOut)
  t.strictSame(round.problems, [], `${what}: only the kill broke anything`)
  holds(t, findings, what)
  return kinds.has(aim.kind)
}

function count(
  { sums, byKind }: Soak,
  { acknowledged, flights }: Round,
  kinds: ReadonlySet<Kind>,
  carriedOut: number,
): void {
  sums.acknowledged += acknowledged
  sums.inFlight += flights.size
  sums.uploads += [...flights].filter(({ what }) => what === 'upload').length
  sums.carriedOut += carriedOut
  for (const kind of kinds) byKind.set(kind, (byKind.get(kind) ?? 0) + 1)
}

/** Fresh people, so that lists stay short and keys are made under load too; the last asks for what is aimed at. */
async function newClients(
  { server, admin }: Soak,
  { kill, former, aim }: { kill: number; former: readonly Client[]; aim: Aim },
): Promise<Client[]> {
  const isOfRecords = aim.kind === 'grant' || aim.kind === 'revoke' || random() < 0.5
  const isAimedSlow = random() < 0.3
  return await Promise.all(
    Array.from({ length: clientsARound + 1 }, async (_, index): Promise<Client> => {
      const isAimed = index === clientsARound
      const kind = (isAimed ? isOfRecords : index % 2 === 1) ? 'record' : 'file'
      const guest = someone(server, `guest-${kill}-${index}`, 'patient')
      const owner = someone(server, `person-${kill}-${index}`, 'patient')
      const uploader =
        kind === 'file' ? owner : someone(server, `doctor-${kill}-${index}`, 'clinician')
      if (kind === 'record') await assign(admin, uploader, owner)
      const isSlow = isAimed ? isAimedSlow : index >= clientsARound - 2
      return { kind, owner, uploader, guest, isSlow, items: [], former: former[index] }
    }),
  )
}

function newRound(
  { type, durations }: Pick<Soak, 'type' | 'durations'>,
  number: number,
  { isFinal, pauseMs }: Pick<Round, 'isFinal' | 'pauseMs'>,
): Round {
  return {
    ...{ number, random, type, isFinal, durations, pauseMs },
    flights: new Set(),
    acknowledged: 0,
    isOver: false,
    problems: [],
  }
}

/** The kinds of operations the kill broke off. */
async function runUntilKilled(
  soak: Soak,
  round: Round,
  { present, aim, after }: { present: readonly Client[]; aim: Aim; after: Aim },
): Promise<Set<Kind>> {
  const { server, masterKeys } = soak
  const aimed = present[clientsARound]
  const command = commands.find(({ name }) => name === aim.kind)
  await command?.prepare?.(soak)
  const working = present.slice(0, clientsARound).map((client) => work(round, client))
  const kill = async () => {
    round.isOver = true
    await server.kill()
  }
  // Two of three times there is something acknowledged, else the first requests are struck as well.
  if (round.number % 3 !== 0) {
    const isUnderWay = () => round.acknowledged > 0 || round.problems.length > 0
    await eventually('an acknowledgement', isUnderWay, 60_000)
    await wait(random() * 400)
  }
  let isHit = false
  if (command !== undefined) isHit = await aimAtCommand(soak, round, command, kill)
  else if (aimed !== undefined && isRequestKind(aim.kind)) {
    await aimAtRequest(round, aimed, aim.kind, kill)
  } else await wait(random() * 300).then(kill)
  await Promise.all(working)
  if (aim.kind === 'start') isHit = await aimAtStart(soak, random, settingsOf(masterKeys, after))
  return struck(round, isHit ? aim.kind : undefined)
}

function holds(t: Test, { lost, half, repeats }: Findings, what: string): void {
  t.strictSame(lost, [], `${what}: nothing acknowledged is lost`)
  t.strictSame(half, [], `${what}: nothing is there by half`)
  t.strictSame(repeats, [], `${what}: a repeated upload comes to one file`)
}

/** What is opened by the new master key alone, some of all there is. */
async function verifySome(t: Test, { clients }: Soak, what: string): Promise<void> {
  const findings: Findings = { lost: [], half: [], repeats: [] }
  const items = shuffled(clients.flatMap((client) => client.items)).slice(0, sampleSize)
  await verify([], items, findings)
  holds(t, findings, what)
}

/** Every file there ever was. */
async function verifyAll(t: Test, soak: Soak, versions: number): Promise<void> {
  const { clients, run } = soak
  const begun = performance.now()
  const scrubbed = await run('scrub', '--rate', '10000')
  t.match(scrubbed, { checked: versions, damaged_files: 0 }, 'every version is sound')
  const findings: Findings = { lost: [], half: [], repeats: [] }
  const items = clients.flatMap((client) => client.items)
  await verify(clients, items, findings)
  holds(t, findings, `after ${kills} kills, seed ${seed}`)
  t.comment(`${items.length} files verified in ${seconds(performance.now() - begun)}`)
}

function tellAll(t: Test, soak: Soak, versions: number): void {
  const { sums, byKind, clients, swept, halfDone } = soak
  for (const kind of kinds) {
    const found = byKind.get(kind) ?? 0
    t.ok(found >= least, `${found} kills broke ${kind} off, at least ${least}`)
  }
  t.ok(sums.acknowledged >= kills, `${sums.acknowledged} changes were acknowledged and hold`)
  const figures = {
    kills,
    ...sums,
    ...swept,
    files: clients.flatMap(({ items }) => items).length,
    versions,
    halfDone: Object.fromEntries(halfDone),
    byKind: Object.fromEntries(kinds.map((kind) => [kind, byKind.get(kind) ?? 0])),
  }
  t.comment(`total: ${JSON.stringify(figures)}`)
}
