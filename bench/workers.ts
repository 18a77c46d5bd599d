import { setTimeout as wait } from 'node:timers/promises'
import { closeConnections, download, upload } from './client.js'
import { type OwnDatabase, ownDatabase } from './own-database.js'
import type { Bound, Report } from './report.js'
import { type Service, startService } from './service.js'

const length = 10 * 1024
const atOnce = 32
const perTurn = 600
/** For each worker: until then what runs hot is still being compiled, in two processes twice. */
const warmUp = 4_000
/** Two workers against one: most processor time of an operation, and the least share of each. */
const mostRatio = 1.15
const leastShare = 0.4

const operations = ['download', 'upload'] as const
type Operation = (typeof operations)[number]

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

/** A service of so many workers, and how it is put to work. */
interface Side {
  readonly workers: number
  turn(operation: Operation, count?: number): Promise<Turn>
  close(): Promise<void>
}

/**
 * What one operation costs in processor time with one process that serves and with two, on PostgreSQL, in turns A B
 * B A; and whether the two share the work. Needs TEST_DATABASE_URL.
 */
export async function measureWorkers(report: Report, rounds: number): Promise<void> {
  const sides: Side[] = []
  const pairs: Record<Operation, Pair[]> = { download: [], upload: [] }
  try {
    for (const workers of [1, 2]) sides.push(await startSide(workers))
    const [one, two] = sides
    if (one === undefined || two === undefined) throw new Error('Two services were started')
    for (const operation of operations) {
      for (const side of sides) await side.turn(operation, side.workers * warmUp)
      for (let round = 0; round < 2 * rounds; round++) {
        pairs[operation].push(await takeTurns(one, two, operation, round % 2 === 0))
      }
    }
  } finally {
    closeConnections()
    for (const side of sides) await side.close()
  }
  report.heading(`Two workers against one, files of 10 KiB, ${atOnce} at a time, on PostgreSQL`)
  for (const operation of operations) tell(report, operation, pairs[operation])
}

async function takeTurns(one: Side, two: Side, operation: Operation, isOneFirst: boolean) {
  const early = isOneFirst ? await one.turn(operation) : undefined
  const second = await two.turn(operation)
  return { one: early ?? (await one.turn(operation)), two: second }
}

function tell(report: Report, operation: Operation, pairs: readonly Pair[]): void {
  const figure = (name: string, of: (pair: Pair) => number, unit: string, bound?: Bound) => {
    report.figure(`${operation}: ${name}`, pairs.map(of), unit, bound)
  }
  figure('processor time of one worker', ({ one }) => one.cpu, 'ms')
  figure('processor time of two', ({ two }) => two.cpu, 'ms')
  const ratio = { aim: mostRatio, limit: mostRatio, is: 'at most' as const }
  figure('two ÷ one', ({ one, two }) => two.cpu / one.cpu, '×', ratio)
  figure('one worker', ({ one }) => one.perSecond, 'a second')
  figure('two', ({ two }) => two.perSecond, 'a second')
  const share = { aim: leastShare, limit: leastShare, is: 'at least' as const }
  report.figure(`${operation}: share of who served less`, [leastOf(pairs)], '', share)
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
    service = await startService({ settings, onLog: log.read })
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
    turn: async (operation, count = perTurn) => {
      // Connections are dealt anew: those of the turn before are not this one's luck.
      closeConnections()
      const [before, cpuBefore, began] = [log.served(), await service.cpuOfAll(), performance.now()]
      await inTurns(count, work[operation])
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

async function inTurns(count: number, work: () => Promise<unknown>): Promise<void> {
  let left = count
  const client = async () => {
    while (left-- > 0) await work()
  }
  await Promise.all(Array.from({ length: atOnce }, client))
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
