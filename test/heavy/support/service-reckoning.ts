import { setTimeout as wait } from 'node:timers/promises'
import type { Test } from 'tap'
import { type Report, statusOf, type World } from './service-commands.js'
import { type Phase, wrongKeys } from './service-keys.js'
import type { Client } from './service-model.js'
import {
  bytesIn,
  letHoursPass,
  onDatabase,
  versionsIn,
  wrongBytes,
  wrongRows,
} from './service-stored.js'

/** How the service is started. */
export interface Setting {
  readonly phase: Phase
  /** What is deleted is destroyed at once. */
  readonly isFinal: boolean
}

export interface Reckoned extends World {
  readonly clients: Client[]
  /** The kinds of what the service does again and again: such a job that waits is nothing that was left. */
  readonly recurring: ReadonlySet<string>
  /** Everyone's keys who are there from the beginning, to be compared. */
  readonly people: ReadonlyMap<string, string>
  /** What sweeps found, in sum. */
  readonly swept: { orphans: number; intents: number; halfWritten: number; destroyed: number }
  readonly start: (as: Setting) => Promise<void>
  /** Sends uploads again that waited for an earlier claim to end. */
  readonly repeat: (t: Test, what: string) => Promise<void>
}

/** The service stops in peace, hours pass, and it starts again. */
export async function startLater(t: Test, world: Reckoned, as: Setting): Promise<void> {
  const { server, start, clients } = world
  t.equal(await server.stop(), 0, 'it stops in peace')
  const items = clients.flatMap((client) => client.items)
  await onDatabase(server, (database) => letHoursPass(server, database, items))
  await start(as)
}

/**
 * What kills interrupted is brought to its end, the turn of the master key too, and the sweep cleans
 * up. Then nothing is left of what was not acknowledged: not a row, not a byte, not a key. Leaves the
 * service stopped, and the new master key alone. How many versions there are.
 */
export async function reckon(t: Test, world: Reckoned, what: string): Promise<number> {
  const { server, masterKeys, run } = world
  for (let starts = 0, left: readonly Job[] = []; starts === 0 || left.length > 0; starts++) {
    if (starts > mostStarts) throw new Error(`Never done: ${JSON.stringify(left)}`)
    await startLater(t, world, { phase: 'moved', isFinal: false })
    left = await leftForLater(world)
  }
  await run('purge')
  await world.repeat(t, what)
  await finishTurn(t, world, what)
  t.strictSame(await leftForLater(world), [], `${what}: nothing is under way`)
  await verifyLog(t, world, what)
  await sweepBothWays(t, world, what)
  const masterKeyId = masterKeys.nextId()
  masterKeys.turn()
  const items = world.clients.flatMap((client) => client.items)
  const bytes = await bytesIn(server)
  return await onDatabase(server, async (database) => {
    const rows = await wrongRows(database, { items, masterKeyId, recurring: world.recurring })
    t.strictSame(rows, [], `${what}: no row is left, or missing`)
    const versions = await versionsIn(database)
    t.strictSame(wrongBytes(bytes, versions), [], `${what}: no bytes are left, or missing`)
    const wrong = await wrongKeys(database, masterKeys.setting('alone'), world.people)
    t.strictSame(wrong, [], `${what}: every key opens under the new master key alone`)
    return versions.length
  })
}

/** How often hours pass for what waits for a later one. */
const mostStarts = 8

interface Job {
  readonly kind: string
  readonly state: string
  readonly due: string
}

/**
 * Until the service has gone on with everything it had begun, at most two minutes; what of it is left
 * for a later hour.
 */
async function leftForLater({ run, recurring }: Reckoned): Promise<readonly Job[]> {
  const until = performance.now() + 120_000
  for (;;) {
    const others = (await jobsOf(run)).filter(
      ({ kind, state }) => !recurring.has(kind) || state !== 'waiting',
    )
    const isLater = ({ state, due }: Job) =>
      state === 'waiting' && Date.parse(due) > Date.now() + 60_000
    if (others.every(isLater)) return others
    if (performance.now() > until) throw new Error(`Still under way: ${JSON.stringify(others)}`)
    await wait(500)
  }
}

const jobsOf = async (run: World['run']) => Object.values(await run('jobs')) as Job[]

/** Of a service nobody has asked for anything. */
export async function recurringJobs(run: World['run']): Promise<ReadonlySet<string>> {
  return new Set((await jobsOf(run)).map(({ kind }) => kind))
}

async function finishTurn(t: Test, world: Reckoned, what: string): Promise<void> {
  const { run, masterKeys } = world
  const rotated = await run('keys', 'rotate-master')
  const { rewrapped, already, verified, master_key } = rotated
  t.equal(master_key, masterKeys.nextId(), `${what}: the rotation ends under the new master key`)
  t.equal(verified, Number(rewrapped) + Number(already), `${what}: every user key is verified`)
  const old = (await statusOf(world)).find(({ id }) => id === masterKeys.oldId())
  // One that was retired by a command whose end nobody saw stays retired.
  if (old?.check_value === true) await run('keys', 'retire', masterKeys.oldId())
}

const clean = { dry_run: false, refused: false, damaged: 0, young: 0 }

/** Of events that killed processes wrote, or were about to write, none is missing and none too many. */
async function verifyLog(t: Test, { server }: Reckoned, what: string): Promise<void> {
  const { code, out, err } = await server.command('audit', 'verify', '--json')
  const report = code === null || out === '' ? {} : (JSON.parse(out) as Report)
  t.match({ ...report, code }, { findings: [], code: 0 }, `${what}: the audit log is clean. ${err}`)
}

/** First what is hours old is set aside; then, by a clock that is weeks ahead, destroyed. */
async function sweepBothWays(t: Test, world: Reckoned, what: string): Promise<void> {
  const { run, server, swept } = world
  const first = await run('sweep', '--grace-hours', '1')
  t.match(first, clean, `${what}: a sweep finds no damage and nothing it cannot tell`)
  t.equal(await server.stop(), 0, 'it stops in peace')
  const { aside } = await bytesIn(server)
  const later = server.beginCommand(['sweep', '--json'], { NODE_OPTIONS: weeksAhead })
  const { code, out, err } = await later.result
  const second = code === null || out === '' ? {} : (JSON.parse(out) as Report)
  const all = { ...clean, orphans: 0, intents: 0, half_written: 0, destroyed: aside.length }
  t.match({ ...second, code }, { ...all, code: 0 }, `${what}: what was set aside goes. ${err}`)
  swept.orphans += Number(first['orphans'])
  swept.intents += Number(first['intents'])
  swept.halfWritten += Number(first['half_written'])
  swept.destroyed += aside.length
}

/** Of what is set aside the time of the renaming counts, which nobody can set: the clock has to be. */
const weeksAhead = `--import data:text/javascript,${encodeURIComponent(`
  import { isMainThread } from 'node:worker_threads'
  const now = Date.now
  if (isMainThread) Date.now = () => now() + 40 * 86_400_000
`)}`
