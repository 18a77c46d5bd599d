import { statfs } from 'node:fs/promises'
import { type JobCount } from '../jobs/ports.js'
import { type OutboxCount } from '../outbox/ports.js'
import { askedRarely, type Rarely } from './asked-rarely.js'
import type { Instruments } from './instruments.js'

export interface PoolState {
  readonly size: number
  readonly idle: number
  readonly waiting: number
  readonly most: number
}

/** What is looked at when somebody asks for the metrics. */
export interface Sources {
  readonly uploads: () => { readonly inUse: number; readonly most: number }
  readonly runningReads: () => number
  readonly pool: () => PoolState
  /** Seconds since the oldest event that is not sealed was written. */
  readonly auditLag: () => number
  readonly jobs: () => Promise<readonly JobCount[]>
  /** Kinds of jobs that are told by name. */
  readonly jobKinds: readonly string[]
  readonly outbox: () => Promise<readonly OutboxCount[]>
  /** By component. Never rejects. */
  readonly ready: Readonly<Record<string, () => Promise<boolean>>>
  /** Absolute paths by what is kept there. */
  readonly folders: Readonly<Record<string, string>>
}

const rarely: Rarely = { forMs: 5_000, withinMs: 1_000 }

/**
 * Gauges of the state the service is in. What does not answer within a second is absent, and counted: a
 * scrape never fails or waits for it.
 */
export function stateGauges(instruments: Instruments, sources: Sources) {
  const errors = instruments.counter(
    'scrape_errors_total',
    'Values that could not be had when the metrics were asked for',
    ['source'],
  )
  const looks = {
    process: processGauges(instruments, sources),
    jobs: jobGauges(instruments, sources),
    outbox: outboxGauges(instruments, sources),
    ready: readyGauges(instruments, sources),
    disk: diskGauges(instruments, sources),
  }
  for (const source of Object.keys(looks)) errors.inc({ source }, 0)
  return async (): Promise<void> => {
    const looking = Object.entries(looks).map(async ([source, look]) => {
      try {
        await look()
      } catch {
        errors.inc({ source })
      }
    })
    await Promise.all(looking)
  }
}

function processGauges({ gauge }: Instruments, sources: Sources) {
  const inUse = gauge('upload_slots_in_use', 'Uploads under way')
  const most = gauge('upload_slots_limit', 'Uploads that may be under way (MAX_CONCURRENT_UPLOADS)')
  const reads = gauge('downloads_running', 'Downloads under way')
  const lag = gauge('audit_lag_seconds', 'Age of the oldest event that is not sealed', {
    aggregator: 'max',
  })
  const pool = gauge('database_pool_connections', 'Connections to the database, by state', {
    labels: ['state'],
  })
  const poolMost = gauge('database_pool_limit', 'Connections there may be (DATABASE_POOL_SIZE)')
  const waiting = gauge('database_pool_waiting', 'Calls that wait for a connection')
  return () => {
    const slots = sources.uploads()
    const { size, idle, ...rest } = sources.pool()
    inUse.set(slots.inUse)
    most.set(slots.most)
    reads.set(sources.runningReads())
    lag.set(sources.auditLag())
    pool.set({ state: 'busy' }, size - idle)
    pool.set({ state: 'idle' }, idle)
    poolMost.set(rest.most)
    waiting.set(rest.waiting)
    return Promise.resolve()
  }
}

const secondsSince = (date: Date | null) =>
  date === null ? 0 : Math.max((Date.now() - date.getTime()) / 1_000, 0)

/** Of the whole deployment: every process says the same. */
function jobGauges({ gauge }: Instruments, { jobs, jobKinds }: Sources) {
  const options = { labels: ['kind'], aggregator: 'max' } as const
  const due = gauge('jobs_due', 'Jobs that are due and that nobody is at work on', options)
  const running = gauge('jobs_running', 'Jobs that a node is at work on', options)
  const failed = gauge('jobs_failed', 'Jobs whose last run failed', options)
  const oldest = gauge('jobs_oldest_due_seconds', 'How long the oldest job is due', {
    aggregator: 'max',
  })
  const ask = askedRarely(jobs, rarely)
  const kinds = new Set(jobKinds)
  return async () => {
    for (const each of [due, running, failed]) each.reset()
    oldest.remove()
    const counts = await ask()
    for (const kind of jobKinds) for (const each of [due, running, failed]) each.set({ kind }, 0)
    for (const count of counts) {
      const kind = kinds.has(count.kind) ? count.kind : 'other'
      due.inc({ kind }, count.due)
      running.inc({ kind }, count.running)
      failed.inc({ kind }, count.failed)
    }
    oldest.set(Math.max(0, ...counts.map(({ oldestDue }) => secondsSince(oldestDue))))
  }
}

function outboxGauges({ gauge }: Instruments, { outbox }: Sources) {
  const options = { labels: ['destination'], aggregator: 'max' } as const
  const pending = gauge('outbox_pending', 'Messages to be delivered', options)
  const dead = gauge('outbox_dead', 'Messages given up: dead letters', options)
  const oldest = gauge('outbox_oldest_seconds', 'Age of the oldest to be delivered', options)
  const ask = askedRarely(outbox, rarely)
  return async () => {
    for (const each of [pending, dead, oldest]) each.reset()
    const counts = await ask()
    for (const destination of ['webhook', 'sink']) {
      const count = counts.find((each) => each.destination === destination)
      pending.set({ destination }, count?.waiting ?? 0)
      dead.set({ destination }, count?.dead ?? 0)
      oldest.set({ destination }, secondsSince(count?.oldest ?? null))
    }
  }
}

/** What does not answer in time is not ready. */
function readyGauges({ gauge }: Instruments, { ready }: Sources) {
  const isReady = gauge('ready', 'Whether a component answers, 1 or 0', {
    labels: ['component'],
    aggregator: 'min',
  })
  const asked = Object.entries(ready).map(
    ([component, ask]) => [component, askedRarely(ask, rarely)] as const,
  )
  return async () => {
    await Promise.all(
      asked.map(async ([component, ask]) => {
        const answer = await ask().catch(() => false)
        isReady.set({ component }, answer ? 1 : 0)
      }),
    )
  }
}

function diskGauges({ gauge }: Instruments, { folders }: Sources) {
  const labels = ['folder']
  const free = gauge('disk_free_bytes', 'Bytes free for us on the disk of a folder', {
    ...{ labels, aggregator: 'min' },
  })
  const size = gauge('disk_size_bytes', 'Bytes of the disk of a folder', {
    ...{ labels, aggregator: 'max' },
  })
  const ask = askedRarely(
    () =>
      Promise.all(
        Object.entries(folders).map(async ([folder, path]) => {
          const { bavail, blocks, bsize } = await statfs(path)
          return { folder, free: bavail * bsize, size: blocks * bsize }
        }),
      ),
    rarely,
  )
  return async () => {
    free.reset()
    size.reset()
    for (const disk of await ask()) {
      free.set({ folder: disk.folder }, disk.free)
      size.set({ folder: disk.folder }, disk.size)
    }
  }
}
