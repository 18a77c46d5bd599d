import { access, chmod, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import pg from 'pg'
import type { Database, DatabaseLimits } from './database.js'
import { startMaintenance } from './embedded-maintenance.js'
import { createWorkerStream, startWorker, workerEnd } from './embedded-stream.js'
import { lockFolder } from './folder-lock.js'
import { createPooledDatabase } from './pooled-database.js'
import { sqlTypes } from './sql-types.js'

export interface EmbeddedOptions extends DatabaseLimits {
  /** Made if absent (0700): holds `lock` and the cluster. */
  readonly folder: string
  /** Told of maintenance that failed; it is tried again. */
  readonly onMaintenanceProblem?: (error: unknown) => void
}

/** A cluster that does not open costs half a second of work each time, and callers stand in line. */
const REOPEN_AFTER_MS = 1_000

/**
 * PostgreSQL in this process, for one machine: a worker thread and one connection, for which
 * statements and transactions wait in turn. Limits by default: 30 s to wait for it, 30 s a
 * statement, 60 s a transaction. The engine cannot break off a statement: one past its limit ends
 * the worker, whoever waits gets `database_unavailable`, and the next call starts another worker,
 * which recovers as after a crash; where it cannot (a full or read-only disk), callers are refused and
 * once a second another one tries. A commit is on disk before it is answered
 * (docs/decisions/0002-embedded-database-durability.md).
 *
 * Throws `database_unavailable` when another process has the folder.
 */
export async function openEmbeddedDatabase(options: EmbeddedOptions): Promise<Database> {
  const { folder } = options
  await mkdir(folder, { recursive: true, mode: 0o700 })
  await chmod(folder, 0o700)
  const unlock = await lockFolder(folder)
  try {
    const cluster = join(folder, 'cluster')
    if (!(await exists(cluster))) await workerEnd(startWorker({ cluster, task: 'create' }))
    const database = serveCluster(cluster, options, unlock)
    await database.ping()
    return maintained(database, options.onMaintenanceProblem)
  } catch (error) {
    await unlock()
    throw error
  }
}

function maintained(database: Database, onProblem?: (error: unknown) => void): Database {
  const maintenance = startMaintenance(database, onProblem)
  return {
    ...database,
    async close() {
      await maintenance.stop()
      await database.close()
    },
  }
}

function serveCluster(
  cluster: string,
  options: EmbeddedOptions,
  unlock: () => Promise<void>,
): Database {
  /** Resolves when the newest worker has ended: the next one waits for it. */
  let newest = Promise.resolve()
  /** Why the newest worker could not open the cluster, and until when no other one tries. */
  let refused: { readonly error: Error; readonly until: number } | undefined

  function nextStream() {
    if (refused !== undefined && performance.now() < refused.until) {
      return createWorkerStream({ cluster, task: 'serve' }, Promise.reject(refused.error))
    }
    const stream = createWorkerStream({ cluster, task: 'serve' }, newest)
    let opening = true
    stream.once('connect', () => {
      opening = false
      refused = undefined
    })
    stream.once('error', (error) => {
      if (opening) refused = { error, until: performance.now() + REOPEN_AFTER_MS }
    })
    newest = new Promise((resolve) => stream.once('close', resolve))
    return stream
  }

  const pool = new pg.Pool({
    max: 1,
    idleTimeoutMillis: 0,
    connectionTimeoutMillis: options.connectTimeoutMs ?? 30_000,
    user: 'postgres',
    database: 'postgres',
    types: sqlTypes,
    stream: nextStream,
  })
  // Broken connections show as the error of the next statement; without a listener Node would exit.
  pool.on('error', () => undefined)
  pool.on('connect', (client) => client.on('error', () => undefined))
  const database = createPooledDatabase({
    engine: 'embedded',
    pool,
    queueLimit: options.queueLimit ?? 1_000,
    answerLimitMs: options.statementTimeoutMs ?? 30_000,
    transactionLimitMs: options.transactionTimeoutMs ?? 60_000,
    async closed() {
      await newest
      await unlock()
    },
  })
  return { ...database, folder: cluster }
}

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  )
}
