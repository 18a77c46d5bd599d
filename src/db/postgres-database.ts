import pg from 'pg'
import type { Database, DatabaseLimits } from './database.js'
import { createPooledDatabase } from './pooled-database.js'
import { tlsOf } from './postgres-tls.js'
import { readPostgresUrl } from './postgres-url.js'
import { sqlTypes } from './sql-types.js'
import { withTimeLimit } from './time-limit.js'

export interface PostgresOptions extends DatabaseLimits {
  /** `postgres://user:password@host:port/name?sslmode=verify-full`; see `readPostgresUrl`. */
  readonly url: string
  /** Connections at most. */
  readonly poolSize?: number
  /** Seconds until a connection is replaced by a new one, which finds where the name leads now. */
  readonly connectionSeconds?: number
  /** Told of a connection that broke while nobody was using it; the pool replaces it by itself. */
  readonly onConnectionLost?: (error: Error) => void
}

const CONNECT_TIMEOUT_MS = 5_000
const CONNECTION_SECONDS = 30 * 60
const LOCK_TIMEOUT_MS = 10_000
/** What the network may add to the server's own statement timeout before it counts as gone. */
const ANSWER_GRACE_MS = 5_000

/**
 * PostgreSQL 15 or newer, over a pool. Limits by default: 10 connections of 30 minutes each, 5 s to
 * get one, 1,000 calls that wait for one, 30 s a statement, 60 s a transaction. A pooler in front
 * must keep sessions (named statements are used). A server that only reads is not taken: after a
 * failover its rows, and who may see what, may be older than those of the one that writes.
 *
 * Throws `database_unavailable` when no connection can be made now.
 */
export async function openPostgresDatabase(options: PostgresOptions): Promise<Database> {
  const statementTimeoutMs = options.statementTimeoutMs ?? 30_000
  const transactionTimeoutMs = options.transactionTimeoutMs ?? 60_000
  const address = readPostgresUrl(options.url)
  const { host, port, user, password, database: name } = address
  const pool = new pg.Pool({
    ...{ host, port, user, password, database: name, options: address.options },
    ssl: await tlsOf(address),
    max: options.poolSize ?? 10,
    maxLifetimeSeconds: options.connectionSeconds ?? CONNECTION_SECONDS,
    connectionTimeoutMillis: options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS,
    idleTimeoutMillis: 30_000,
    keepAlive: true,
    application_name: address.applicationName,
    statement_timeout: statementTimeoutMs,
    lock_timeout: Math.min(LOCK_TIMEOUT_MS, statementTimeoutMs),
    idle_in_transaction_session_timeout: transactionTimeoutMs,
    types: sqlTypes,
    // A new connection is lent out after this alone.
    verify: (client, done) => {
      const limit = options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS
      withTimeLimit(refuseStandby(client), limit, silent).then(() => {
        done()
      }, done)
    },
  })
  survive(pool, options.onConnectionLost)
  const database = createPooledDatabase({
    engine: 'postgres',
    pool,
    queueLimit: options.queueLimit ?? 1_000,
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

async function refuseStandby(client: pg.ClientBase): Promise<void> {
  const { rows } = await client.query<{ readonly isStandby: boolean }>(
    'select pg_is_in_recovery() as "isStandby"',
  )
  if (rows[0]?.isStandby !== false) throw new UnfitServer('STANDBY')
}

const silent = () => new UnfitServer('SILENT')

/** A server that a new connection cannot be used of. Its code is what the log says. */
class UnfitServer extends Error {
  constructor(readonly code: 'STANDBY' | 'SILENT') {
    super(code === 'STANDBY' ? 'It only reads' : 'It did not answer within the time limit')
  }
}
