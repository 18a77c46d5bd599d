import cluster from 'node:cluster'
import { readFile } from 'node:fs/promises'
import type { BlobStore } from './blobs/blob-store.js'
import { measuredBlobStore, storageOperations } from './blobs/measured-blob-store.js'
import type { Config } from './config.js'
import type { Database } from './db/database.js'
import { measuredDatabase } from './db/measured-database.js'
import type { AllStores } from './db/stores.js'
import type { RunningReads } from './files/running-reads.js'
import type { UploadSlots } from './files/upload-slots.js'
import { keyOperations, measuredKeyProvider } from './keys/measured-key-provider.js'
import type { RunningKeyProvider } from './keys/several-key-providers.js'
import type { Metrics } from './metrics/open-metrics.js'
import { DELIVER_OUTBOX } from './outbox/deliver-outbox.js'
import type { Scrape } from './ports/meter.js'
import type { Transactions } from './ports/transactions.js'
import type { WorkLog } from './ports/work-log.js'
import type { openTraces, Traces } from './traces/open-traces.js'

/** What watches this process. Loaded only where it serves: a command measures nothing. */
export async function openWatching({ traces: settings }: Pick<Config, 'traces'>, log: WorkLog) {
  const { openMetrics } = await import('./metrics/open-metrics.js')
  const version = await ownVersion()
  const metrics = openMetrics({
    version,
    known: { storage: storageOperations, keys: keyOperations },
  })
  const traces = settings === undefined ? undefined : await openTracing({ settings, version, log })
  const watch = traces?.watch(metrics.watch) ?? metrics.watch
  return {
    metrics,
    meter: metrics.meter,
    jobs: traces?.jobs(metrics.jobs) ?? metrics.jobs,
    /** Absent: nothing is traced. */
    traces,
    database: (database: Database) => measuredDatabase(database, watch),
    blobs: (store: BlobStore) => measuredBlobStore(store, watch),
    keys: (provider: RunningKeyProvider) => measuredKeyProvider(provider, watch),
  }
}

/** Loaded only where there is a collector: it costs a good part of a start. */
async function openTracing(
  use: Pick<Parameters<typeof openTraces>[0], 'settings' | 'version' | 'log'>,
): Promise<Traces> {
  const { openTraces } = await import('./traces/open-traces.js')
  return openTraces({ ...use, endlessJobs: [DELIVER_OUTBOX] })
}

export type Watching = Awaited<ReturnType<typeof openWatching>>

async function ownVersion(): Promise<string> {
  const text = await readFile(new URL('../package.json', import.meta.url), 'utf8')
  const facts: unknown = JSON.parse(text)
  const hasVersion = typeof facts === 'object' && facts !== null && 'version' in facts
  return hasVersion && typeof facts.version === 'string' ? facts.version : 'unknown'
}

interface Looked {
  readonly config: Pick<Config, 'dataDir' | 'filesDir' | 'storageDriver'>
  readonly db: Transactions<Pick<AllStores, 'jobs' | 'outbox'>>
  readonly database: Pick<Database, 'pool'>
  readonly slots: Pick<UploadSlots, 'state'>
  readonly running: Pick<RunningReads, 'count'>
  readonly auditStatus: () => { readonly lag_ms: number }
  readonly jobKinds: readonly string[]
  readonly components: Readonly<Record<string, () => Promise<boolean>>>
}

/** What is said whenever somebody asks for the metrics: one of several workers answers for all. */
export async function lookAt(
  metrics: Pick<Metrics, 'lookAt'>,
  at: Looked,
): Promise<() => Promise<Scrape>> {
  const { dataDir, filesDir, storageDriver } = at.config
  const own = metrics.lookAt({
    uploads: () => at.slots.state(),
    runningReads: () => at.running.count(),
    pool: () => at.database.pool(),
    auditLag: () => at.auditStatus().lag_ms / 1_000,
    jobs: () => at.db.stores.jobs.count(new Date()),
    jobKinds: at.jobKinds,
    outbox: () => at.db.stores.outbox.count(),
    ready: at.components,
    folders: { data: dataDir, ...(storageDriver === 'disk' ? { files: filesDir } : {}) },
  })
  if (!cluster.isWorker) return own.scrape
  const { askForWorkers } = await import('./metrics/cluster-metrics.js')
  return askForWorkers(process, own.values)
}
