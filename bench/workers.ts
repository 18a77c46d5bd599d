import { setTimeout as wait } from 'node:timers/promises'
import { closeConnections, download, upload } from './client.js'
import { type OwnDatabase, ownDatabase } from './own-database.js'
import type { Bound, Report } from './report.js'
import { type Service, startService } from './service.js'

const length = 10 * 1024
/** Clients of each worker: two processes are there for twice the callers. */
const clientsEach = 32
/** Operations of a turn for each worker, and how long one with a pace takes. */
const perTurn = 400
const pacedSeconds = 3
/** For each worker: until then what runs hot is still being compiled, in two processes twice. */
const warmUp = 2_000
/** Two workers against one: most processor time of an operation, and the least share of each. */
const mostRatio = 1.15
const leastShare = 0.4
const ratioBound: Bound = { aim: mostRatio, limit: mostRatio, is: 'at most' }

const operations = ['download', 'upload'] as const
type Operation = (typeof operations)[number]

/**
 * Operations a second that each worker is asked for, well below what two serve on two cores beside the database and
 * the bench: there one that is alone has a core of its own and is never idle, and two have to share one.
 */
const paces: Readonly<Record<Operation, number>> = { download: 100, upload: 35 }

/** One turn of one service. */
interface Turn {
  /** Processor time of all its processes, in milliseconds for each operation. */
  readonly cpu: number
  readonly perSecond: number
  /** How many requests each worker served. */
  readonly served: readonly number[]
}

interface Pair {
  readonly one: Turn
  readonly two: Turn
}

interface Work {
  readonly operation: Operation
  /** Operations for each worker. */
  readonly each: number
  /** Operations a second for each worker; absent: as many as it can. */
  readonly pace?: number
}

/** A service of so many workers, and how it is put to work. */
interface Side {
  readonly workers: number
  turn(work: Work): Promise<Turn>
  close(): Promise<void>
}

/**
 * What one operation costs in processor time with one process that serves and with two, where each is asked for as much,
 * on PostgreSQL, in turns A B B A; and whether the two share the work. Needs TEST_DATABASE_URL.
 */
export async function measureWorkers(report: Report, rounds: number): Promise<void> {
  const sides: Side[] = []
  const found: [Operation, { readonly paced: Pair[]; readonly full: Pair[] }][] = []
  try {
    for (const workers of [1, 2]) sides.push(await startSide(workers))
    const [one, two] = sides
    if (one === undefined || two === undefined) throw new Error('Two services were started')
    for (const operation of operations) {
      for (const side of sides) await side.turn({ operation, each: warmUp })
      const work = { operation, each: perTurn }
      const full = await pairsOf(one, two, 2 * rounds, work)
      const paced = await pairsOf(one, two, 4 * rounds, {
        ...{ operation, each: paces[operation] * pacedSeconds },
        pace: paces[operation],
      })
      found.push([operation, { paced, full }])
    }
  } finally {
    closeConnections()
    for (const side of sides) await side.close()
  }
  report.heading(
    `Two workers against one, files of 10 KiB, ${clientsEach} clients of each, on PostgreSQL`,
  )
  for (const [operation, { paced, full }] of found) {
    tellPaced(report, operation, paced)
    tellFull(report, operation, full)
  }
}

async function pairsOf(one: Side, two: Side, count: number, work: Work): Promise<Pair[]> {
  const pairs: Pair[] = []
  for (let nth = 0; nth < count; nth++) {
    const early = nth % 2 === 0 ? await one.turn(work) : undefined
    const second = await two.turn(work)
    pairs.push({ one: early ?? (await one.turn(work)), two: second })
  }
  return pairs
}

const ratioOf = ({ one, two }: Pair) => two.cpu / one.cpu

function tellPaced(report: Report, operation: Operation, pairs: readonly Pair[]): void {
  const name = `${operation}, ${paces[operation]} a second of each:`
  report.figure(
    `${name} processor time of one worker`,
    pairs.map(({ one }) => one.cpu),
    'ms',
  )
  report.figure(
    `${name} of two`,
    pairs.map(({ two }) => two.cpu),
    'ms',
  )
  report.figure(`${name} two ÷ one`, pairs.map(ratioOf), '×', ratioBound)
}

function tellFull(report: Report, operation: Operation, pairs: readonly Pair[]): void {
  const name = `${operation}, as many as can be:`
  report.figure(`${name} two ÷ one`, pairs.map(ratioOf), '×', ratioBound)
  report.figure(
    `${name} one worker`,
    pairs.map(({ one }) => one.perSecond),
    'a second',
  )
  report.figure(
    `${name} two`,
    pairs.map(({ two }) => two.perSecond),
    'a second',
  )
  const share: Bound = { aim: leastShare, limit: leastShare, is: 'at least' }
  report.figure(`${name} share of who served less`, [leastOf(pairs)], '', share)
}

/** Over all turns: within one, a few connections more or less to a worker are luck. */
function leastOf(pairs: readonly Pair[]): number {
  const served = [0, 1].map((nth) => total(pairs.map(({ two }) => two.served[nth] ?? 0)))
  return Math.min(...served) / total(served)
}

async function startSide(workers: number): Promise<Side> {
  const database = await ownDatabase('workers')
  const log = servedLog()
  const settings = { WORKERS: String(workers), DATABASE_URL: database.url, LOG_LEVEL: 'info' }
  let service: Service
  try {
    service = await startService({ settings, isProbed: false, onLog: log.read })
  } catch (error) {
    await database.drop()
    throw error
  }
  return await sideOf(service, database, log, workers)
}

async function sideOf(
  service: Service,
  database: OwnDatabase,
  log: ReturnType<typeof servedLog>,
  workers: number,
): Promise<Side> {
  if (workers > 1) await until(() => log.serving() === workers)
  const target = { origin: service.origin, token: service.tokenOf('bench') }
  const id = await upload(target, length)
  const work = { download: () => download(target, id), upload: () => upload(target, length) }
  return {
    workers,
    turn: async ({ operation, each, pace }) => {
      const count = each * workers
      const clients = clientsEach * workers
      // Connections are dealt anew: those of the turn before are not this one's luck.
      closeConnections()
      const [before, cpuBefore, began] = [log.served(), await service.cpuOfAll(), performance.now()]
      await inTurns(work[operation], {
        ...{ count, clients },
        everyMs: pace === undefined ? 0 : (clientsEach * 1_000) / pace,
      })
      const ms = performance.now() - began
      const cpu = ((await service.cpuOfAll()) - cpuBefore) * 1_000
      await until(() => total([...log.served().values()]) - total([...before.values()]) >= count)
      const served = [...log.served()].map(([who, n]) => n - (before.get(who) ?? 0))
      return { cpu: cpu / count, perSecond: (count * 1_000) / ms, served }
    },
    close: async () => {
      await service.stop()
      await database.drop()
    },
  }
}

/** Clients that each do one after another, every so often; the first of each are spread over that time. */
async function inTurns(
  work: () => Promise<unknown>,
  { count, clients, everyMs }: { count: number; clients: number; everyMs: number },
): Promise<void> {
  let left = count
  const began = performance.now()
  const client = async (nth: number) => {
    for (let due = began + (nth / clients) * everyMs; left-- > 0; due += everyMs) {
      const early = due - performance.now()
      if (early > 0) await wait(early)
      await work()
    }
  }
  await Promise.all(Array.from({ length: clients }, (_, nth) => client(nth)))
}

/** What the log of a service says of who served how many requests for files. */
function servedLog() {
  const counts = new Map<string, number>()
  let serving = 0
  return {
    read: (line: string) => {
      if (line.includes('"msg":"a worker serves"')) serving += 1
      if (!line.includes('"msg":"request"') || !line.includes('/api/files')) return
      const who = /"worker":(\d+)/.exec(line)?.[1] ?? 'the only one'
      counts.set(who, (counts.get(who) ?? 0) + 1)
    },
    serving: () => serving,
    served: () => new Map(counts),
  }
}

const total = (counts: readonly number[]) => counts.reduce((sum, count) => sum + count, 0)

async function until(holds: () => boolean): Promise<void> {
  const deadline = performance.now() + 30_000
  while (!holds()) {
    if (performance.now() > deadline) throw new Error('The log of the service does not say so')
    await wait(20)
  }
}
