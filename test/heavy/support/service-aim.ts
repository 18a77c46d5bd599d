import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import type { RunningCommand, Server } from '../../acceptance/support/server.js'
import { type Command, isUnderWay, type World } from './service-commands.js'
import { type Kind, type RequestKind, requestKinds } from './service-kinds.js'
import { ask, type Round } from './service-load.js'
import type { Client } from './service-model.js'

/** Kills the service: from now on requests may break. */
export type Kill = () => Promise<void>

const mostTries = 40

/**
 * Kills at a moment in which a request of this kind is under way: asks for it, and waits for a drawn
 * part of the time it usually takes. Where the answer was faster, the same again.
 */
export async function aimAtRequest(
  round: Round,
  client: Client,
  kind: RequestKind,
  kill: Kill,
): Promise<void> {
  for (let tries = 0; tries < mostTries && round.problems.length === 0; tries++) {
    const request = await ask(round, client, kind)
    if (request === undefined) continue
    const ended = request().then(() => 'ended')
    const pause = wait(round.random() * round.durations.usual(kind), 'under way')
    if ((await Promise.race([ended, pause])) === 'under way') {
      await kill()
      await ended
      return
    }
  }
  await kill()
}

/** Kills while the service starts, again where it was ready before; whether it was not in the end. */
export async function aimAtStart(
  { server, durations }: Pick<World, 'server' | 'durations'>,
  random: () => number,
  settings: Readonly<Record<string, string>>,
): Promise<boolean> {
  for (let tries = 0; tries < 3; tries++) {
    const isCutOff = server.start(settings).then(
      () => false,
      () => true,
    )
    const moment = wait(20 + random() * durations.usual('start'), 'a moment')
    if ((await Promise.race([isCutOff, moment])) === true) throw new Error('It ended by itself')
    await server.kill()
    if (await isCutOff) return true
  }
  return false
}

/** Kills the moment an answer is there. */
export async function aimAtAnswer(round: Round, client: Client, kill: Kill): Promise<void> {
  const others = requestKinds.filter((kind) => kind !== 'purge')
  const kind = others[Math.floor(round.random() * others.length)] ?? 'upload'
  for (let request: Request | undefined; round.problems.length === 0; ) {
    request = await ask(round, client, kind)
    if (request === undefined) continue
    await request()
    break
  }
  await kill()
}

type Request = () => Promise<void>

/** What a kill aimed at a command came to. */
interface Struck {
  /** Whether the command was at its own work. */
  readonly isHit: boolean
  /** Of everything that was asked for. */
  readonly after: readonly (() => Promise<void>)[]
}

/**
 * Kills what carries a command out, at a drawn moment of its work: the service on the embedded
 * database, the command itself on PostgreSQL, and with it the service, a little earlier or later.
 * Where the command was faster, the same again.
 */
export async function aimAtCommand(
  world: World,
  round: Round,
  command: Command,
  kill: Kill,
): Promise<Struck> {
  const { server, durations } = world
  const after: (() => Promise<void>)[] = []
  for (let tries = 0; tries < mostCommands && round.problems.length === 0; tries++) {
    const asked = command.ask(world)
    if (asked.after !== undefined) after.push(asked.after)
    const running = server.beginCommand([...asked.args, '--json'], nameOf(server))
    while (!running.isOver() && !(await isAtWork(server, command.statement))) await wait(2)
    const begun = performance.now()
    await Promise.race([running.result, wait(round.random() * durations.usual(command.name))])
    if (!running.isOver()) {
      // Perhaps it takes longer than was thought.
      durations.renew(command.name, durations.usual(command.name) * 1.25)
      const strike = server.database === undefined ? killService : killBoth
      return { isHit: await strike(round, running, kill), after }
    }
    durations.renew(command.name, performance.now() - begun)
    const { code, err } = await running.result
    if (command.doneBefore?.test(err) === true) break
    // One that was cut off before goes on by itself, and may be at it.
    if (code !== 0 && !isUnderWay(err)) {
      round.problems.push(`${command.name} ended with ${code ?? 'a signal'}: ${err}`)
    }
  }
  await kill()
  return { isHit: false, after }
}

const mostCommands = 3

const applicationName = 'strongroom-command'

/** Tells the connections of the command from the service's. */
function nameOf({ database }: Server): Record<string, string> {
  if (database === undefined) return {}
  const url = new URL(database.url)
  url.searchParams.set('application_name', applicationName)
  return { DATABASE_URL: url.href }
}

/** Whether the service, or on PostgreSQL the command itself, has begun to carry it out. */
async function isAtWork({ database, dataDir }: Server, statement: RegExp): Promise<boolean> {
  if (database === undefined) {
    // A connected Unix socket (state 03) by the name of the one the service listens at (Linux).
    const sockets = (await readFile('/proc/net/unix', 'utf8')).split('\n')
    const path = join(dataDir, 'control.sock')
    return sockets.some((line) => / 03 +\d+ /.test(line) && line.endsWith(path))
  }
  const found = await database.query(
    `SELECT query FROM pg_stat_activity
      WHERE application_name = '${applicationName}' AND datname = current_database()`,
  )
  return found.some(({ query }) => statement.test(String(query)))
}

/** How long a command whose service is gone may take to say so. */
const patienceMs = 5_000

async function killService(_round: Round, running: RunningCommand, kill: Kill): Promise<boolean> {
  await kill()
  await Promise.race([running.result, wait(patienceMs)])
  // One that found no service goes on by itself.
  running.kill()
  return /The service ended before it was done/.test((await running.result).err)
}

async function killBoth(round: Round, running: RunningCommand, kill: Kill): Promise<boolean> {
  const pause = round.random() * 150
  if (round.random() < 0.5) {
    await kill()
    await Promise.race([running.result, wait(pause)])
    running.kill()
  } else {
    running.kill()
    await wait(pause)
    await kill()
  }
  return (await running.result).code === null
}

/** What a kill found under way, by kind: each once, however many there were. */
export function struck(round: Round, aimed: Kind | undefined): Set<Kind> {
  const kinds = new Set<Kind>(aimed === undefined ? [] : [aimed])
  for (const { what } of round.flights) {
    if (what !== 'read') kinds.add(what === 'delete' && round.isFinal ? 'purge' : what)
  }
  return kinds
}
