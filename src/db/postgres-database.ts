import pg from 'pg'
import type { Database, DatabaseLimits } from './database.js'
import { createPooledDatabase } from './pooled-database.js'
import { sqlTypes } from './sql-types.js'

export interface PostgresOptions extends DatabaseLimits {
  /** `postgres://user:password@host:port/name`; TLS as its `sslmode` says. */
  readonly url: string
  /** Connections at most. */
  readonly poolSize?: number
  /** Told of a connection that broke while nobody was using it; the pool replaces it by itself. */
  readonly onConnectionLost?: (error: Error) => void
}

const LOCK_TIMEOUT_MS = 10_000
/** What the network may add to the server's own statement timeout before it counts as gone. */
const ANSWER_GRACE_MS = 5_000

/**
 * PostgreSQL 15 or newer, over a pool. Limits by default: 10 connections, 5 s to get one, 30 s a
 * statement, 60 s a transaction. A pooler in front must keep sessions (named statements are used).
 *
 * Throws `database_unavailable` when no connection can be made now.
 */
export async function openPostgresDatabase(options: PostgresOptions): Promise<Database> {
  const statementTimeoutMs = options.statementTimeoutMs ?? 30_000
  const transactionTimeoutMs = options.transactionTimeoutMs ?? 60_000
  const pool = new pg.Pool({
    connectionString: options.url,
    max: options.poolSize ?? 10,
    connectionTimeoutMillis: options.connectTimeoutMs ?? 5_000,
    idleTimeoutMillis: 30_000,
    keepAlive: true,
    application_name: 'strongroom',
    statement_timeout: statementTimeoutMs,
    lock_timeout: Math.min(LOCK_TIMEOUT_MS, statementTimeoutMs),
    idle_in_transaction_session_timeout: transactionTimeoutMs,
    types: sqlTypes,
  })
  survive(pool, options.onConnectionLost)
  const database = createPooledDatabase({
    engine: 'postgres',
    pool,
    answerLimitMs: statementTimeoutMs + ANSWER_GRACE_MS,
    transactionLimitMs: transactionTimeoutMs,
  })
  try {
    await database.ping()
  } catch (error) {
    await database.close()
    throw error
  }
  return database
}

/** A broken connection must not end the process: an 'error' event without a listener would. */
function survive(pool: pg.Pool, onConnectionLost?: (error: Error) => void): void {
  pool.on('error', (error) => onConnectionLost?.(error))
  // While lent out the pool does not listen; the statement under way gets the error itself.
  pool.on('connect', (client) => client.on('error', () => undefined))
}
