import { setTimeout as wait } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { eventually } from '../acceptance/support/eventually.js'
import { assign, type Person, personOf, recordType } from '../acceptance/support/people.js'
import { type Server, startServer } from '../acceptance/support/server.js'
import { randomOf } from '../helpers/random.js'
import {
  aimAtAnswer,
  aimAtCommand,
  aimAtRequest,
  aimAtStart,
  struck,
} from './support/service-aim.js'
import { type Findings, settle, verify } from './support/service-check.js'
import { commands, isUnderWay, type Report } from './support/service-commands.js'
import { type MasterKeys, makePeople, masterKeys } from './support/service-keys.js'
import { durations, isRequestKind, type Kind } from './support/service-kinds.js'
import { type Round, type Upload, work } from './support/service-load.js'
import type { Client } from './support/service-model.js'
import { type Aim, kinds, leastOf, planTurn, shuffled } from './support/service-plan.js'
import {
  type Reckoned,
  reckon,
  recurringJobs,
  type Setting,
  startLater,
} from './support/service-reckoning.js'
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
/** Of all there is, opened again after each turn of the master key. */
const sampleSize = 40

/** How often a kill that came too late is repeated. */
const mostRepeats = 3

const seconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`

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
    for (let kill = 0; kill < kills; soak.sums.turns++) {
      const aims = planTurn(random, kills - kill)
      kill += await killInTurn(t, soak, aims, { before: kill, spare: kills - kill - aims.length })
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
  const recurring = await recurringJobs((...args) => runToItsEnd(server, args))
  const admin = someone(server, 'admin', 'admin')
  const type = await recordType(admin)
  await server.stop()
  const people = await onDatabase(server, (database) =>
    makePeople(database, keys.setting('alone'), residents),
  )
  const times = durations(Object.fromEntries(commands.map(({ name, usualMs }) => [name, usualMs])))
  const clients: Client[] = []
  const soak: Soak = {
    ...{ server, admin, type, people, clients, masterKeys: keys, durations: times, recurring },
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
  for (let tries = 0; ; tries++) {
    const { code, out, err } = await server.command(...args, '--json')
    if (code === 0) return JSON.parse(out) as Report
    if (!isUnderWay(err) || tries > 30) {
      throw new Error(`${args.join(' ')} ended with ${code ?? 'a signal'}: ${err}`)
    }
    await wait(1_000)
  }
}

/** Of neither this round nor the one before. */
function idleOf(clients: readonly Client[]): Client {
  const others = clients.slice(0, -2 * (clientsARound + 1))
  const [one] = shuffled(
    random,
    others.filter(({ items }) => items.some(({ state }) => state.isLive)),
  )
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

/** The kills of a turn, again where one came too late and there are kills to spare; how many. */
async function killInTurn(
  t: Test,
  soak: Soak,
  aims: readonly Aim[],
  { before, spare }: { readonly before: number; readonly spare: number },
): Promise<number> {
  const [first, ...queue] = aims
  if (first === undefined) return 0
  await soak.start(first)
  await verifySome(t, soak, `after ${before} kills`)
  let done = 0
  let again = 0
  for (let aim: Aim | undefined = first; aim !== undefined; ) {
    const current: Aim = aim
    const following = (isHit: boolean) => {
      const canRepeat = again < mostRepeats && done < aims.length + spare - queue.length
      const isAgain = !isHit && canRepeat
      again = isAgain ? again + 1 : 0
      return isAgain ? current : queue.shift()
    }
    aim = await killOnce(t, soak, before + ++done, { aim, following })
  }
  return done
}

interface Shot {
  readonly aim: Aim
  /** What the next kill is aimed at. */
  readonly following: (isHit: boolean) => Aim | undefined
}

/** Load, kill, restart, and all that was touched verified; what the next kill is aimed at. */
async function killOnce(
  t: Test,
  soak: Soak,
  kill: number,
  { aim, following }: Shot,
): Promise<Aim | undefined> {
  const { clients, waiting } = soak
  const what = `kill ${kill}, seed ${seed}`
  const former = clients.slice(-clientsARound - 1)
  const present = await newClients(soak, { kill, former, aim })
  clients.push(...present)
  const isByCommand = commands.some(({ name }) => name === aim.kind)
  // A command takes a while to begin: what is done meanwhile has to be verified as well.
  const pauseMs = isByCommand ? 250 : 0
  const round = newRound(soak, kill, { isFinal: aim.isFinal, pauseMs })
  const begun = performance.now()
  const { kinds, after } = await runUntilKilled(soak, round, { present, aim })
  const killed = performance.now()
  const next = following(kinds.has(aim.kind))
  // The new key comes first only where all that ran without are gone.
  const isTurning = next?.phase === 'moved' && aim.phase !== 'moved'
  if (next?.kind === 'sweep') await ageFiles(soak.server)
  await soak.start(isTurning || next === undefined ? { ...aim, isFinal: false } : next)
  const started = performance.now()
  for (const each of after) await each()
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
  if (isTurning) await startLater(t, soak, next)
  return next
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
  const isOfRecords = ['grant', 'revoke', 'answer'].includes(aim.kind) || random() < 0.5
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

interface Broken {
  /** The kinds of operations the kill broke off. */
  readonly kinds: ReadonlySet<Kind>
  /** To be done after the restart. */
  readonly after: readonly (() => Promise<void>)[]
}

async function runUntilKilled(
  soak: Soak,
  round: Round,
  { present, aim }: { present: readonly Client[]; aim: Aim },
): Promise<Broken> {
  const command = commands.find(({ name }) => name === aim.kind)
  await command?.prepare?.(soak)
  const working = present.slice(0, clientsARound).map((client) => work(round, client))
  const kill = async () => {
    round.isOver = true
    await soak.server.kill()
  }
  // Two of three times there is something acknowledged, else the first requests are struck as well.
  if (round.number % 3 !== 0) {
    const isUnderWay = () => round.acknowledged > 0 || round.problems.length > 0
    await eventually('an acknowledgement', isUnderWay, 60_000)
    await wait(random() * 400)
  }
  if (command !== undefined) {
    const { isHit, after } = await aimAtCommand(soak, round, command, kill)
    await Promise.all(working)
    return { kinds: struck(round, isHit ? aim.kind : undefined), after }
  }
  const isHit = await strike(soak, round, { client: present[clientsARound], aim, kill })
  await Promise.all(working)
  return { kinds: struck(round, isHit ? aim.kind : undefined), after: [] }
}

/** Whether what it was aimed at was struck, where requests without an answer do not tell. */
async function strike(
  soak: Soak,
  round: Round,
  { client, aim, kill }: { client: Client | undefined; aim: Aim; kill: () => Promise<void> },
): Promise<boolean> {
  if (client === undefined) throw new Error('Nobody is there to ask')
  if (isRequestKind(aim.kind)) {
    await aimAtRequest(round, client, aim.kind, kill)
    return false
  }
  if (aim.kind === 'answer') {
    await aimAtAnswer(round, client, kill)
    return true
  }
  await wait(random() * 300)
  await kill()
  return await aimAtStart(soak, random, settingsOf(soak.masterKeys, aim))
}

function holds(t: Test, { lost, half, repeats }: Findings, what: string): void {
  t.strictSame(lost, [], `${what}: nothing acknowledged is lost`)
  t.strictSame(half, [], `${what}: nothing is there by half`)
  t.strictSame(repeats, [], `${what}: a repeated upload comes to one file`)
}

/** What is opened by the new master key alone, some of all there is. */
async function verifySome(t: Test, { clients }: Soak, what: string): Promise<void> {
  const findings: Findings = { lost: [], half: [], repeats: [] }
  const items = shuffled(
    random,
    clients.flatMap((client) => client.items),
  ).slice(0, sampleSize)
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
  const least = leastOf(kills)
  for (const kind of kinds) {
    const found = byKind.get(kind) ?? 0
    t.ok(found >= least, `${found} kills struck ${kind}, at least ${least}`)
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
