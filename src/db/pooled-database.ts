import { AsyncLocalStorage } from 'node:async_hooks'
import { setTimeout as pause } from 'node:timers/promises'
import type pg from 'pg'
import { isStrongroomError } from '../errors/strongroom-error.js'
import type { Database, Query, SqlValue, Transaction, TransactionOptions } from './database.js'
import {
  commitUnknown,
  databaseUnavailable,
  isReadOnlyServer,
  isSerializationFailure,
  losesConnection,
  translate,
} from './sql-errors.js'
import { withTimeLimit } from './time-limit.js'

const MAX_ATTEMPTS = 3

export interface PooledDatabaseOptions {
  readonly engine: Database['engine']
  readonly pool: pg.Pool
  /** Calls that may wait for a connection. */
  readonly queueLimit: number
  /** Milliseconds after which a connection that does not answer is given up. */
  readonly answerLimitMs: number
  readonly transactionLimitMs: number
  /** Runs after the pool has ended. */
  readonly closed?: () => Promise<void>
}

/** One connection, lent out: every statement goes through `run`, which notes when it is lost. */
interface Session extends Transaction {
  run(statement: pg.QueryConfig, limitMs?: number): Promise<pg.QueryResult>
  /** The connection is gone: what was under way may have happened or not. */
  lost(): boolean
  /** Its server takes no change now. */
  readOnly(): boolean
}

/** The port over a pool of connections; what differs between the engines is the pool. */
export function createPooledDatabase(options: PooledDatabaseOptions): Database {
  const { engine, pool, queueLimit, answerLimitMs, transactionLimitMs } = options
  const running = new AsyncLocalStorage<{ open: boolean }>()
  let closing: Promise<void> | undefined

  async function lend<T>(work: (session: Session) => Promise<T>): Promise<T> {
    if (running.getStore()?.open === true) {
      throw new Error('Inside a transaction only its own handle may be used')
    }
    const client = await connect(pool, queueLimit)
    const session = openSession(client, answerLimitMs)
    try {
      return await work(session)
    } finally {
      // Another connection may lead to a server that writes; to the embedded engine there is no other.
      client.release(session.lost() || (engine === 'postgres' && session.readOnly()))
    }
  }

  async function attempt<T>(work: (sql: Transaction) => Promise<T>, limitMs: number): Promise<T> {
    return await lend(async (session) => {
      await session.run({ text: 'BEGIN' })
      const scope = { open: true }
      try {
        const handle = guard(session, scope)
        const done = running.run(scope, () => work(handle))
        const result = await withTimeLimit(done, limitMs, transactionExpired)
        scope.open = false
        await commit(session)
        return result
      } catch (error) {
        scope.open = false
        await rollBack(session)
        throw error
      }
    })
  }

  async function transaction<T>(
    work: (sql: Transaction) => Promise<T>,
    { limitMs = transactionLimitMs }: TransactionOptions = {},
  ): Promise<T> {
    for (let tries = 1; ; tries++) {
      try {
        return await attempt(work, limitMs)
      } catch (error) {
        if (tries === MAX_ATTEMPTS || !isSerializationFailure(error)) throw error
        await pause(Math.random() * 20 * tries)
      }
    }
  }

  async function end(): Promise<void> {
    await pool.end()
    await options.closed?.()
  }

  return {
    engine,
    transaction,
    rows: (query, values) => lend((session) => rowsAlone(session, query, values)),
    script: (text) => lend((session) => session.script(text)),
    ping: () =>
      lend(async (session) => {
        await session.run({ text: 'SELECT 1' })
      }),
    pool: () => ({
      size: pool.totalCount,
      idle: pool.idleCount,
      waiting: pool.waitingCount,
      most: pool.options.max,
    }),
    close: () => (closing ??= end()),
  }
}

/** Whoever would wait behind so many is told at once: it would be served too late, and holds memory. */
async function connect(pool: pg.Pool, queueLimit: number): Promise<pg.PoolClient> {
  if (pool.waitingCount >= queueLimit) {
    throw databaseUnavailable(new Error(`${queueLimit} calls wait for a connection already`))
  }
  try {
    return await pool.connect()
  } catch (error) {
    throw databaseUnavailable(error)
  }
}

function openSession(client: pg.PoolClient, answerLimitMs: number): Session {
  let lost = false
  let readOnly = false

  async function run(statement: pg.QueryConfig, limitMs = answerLimitMs): Promise<pg.QueryResult> {
    try {
      return await withTimeLimit(client.query(statement), limitMs, answerExpired)
    } catch (error) {
      lost ||= losesConnection(error)
      readOnly ||= isReadOnlyServer(error)
      throw translate(error)
    }
  }

  return {
    run,
    lost: () => lost,
    readOnly: () => readOnly,
    async rows<R extends object>(query: Query, values: readonly SqlValue[] = []): Promise<R[]> {
      const result = await run({ ...query, values: [...values] })
      return result.rows as R[]
    },
    async script(text) {
      await run({ text }, Math.max(answerLimitMs, SCRIPT_LIMIT_MS))
    },
  }
}

const SCRIPT_LIMIT_MS = 10 * 60_000
const reads = /^\s*(?:select|show|values|explain)\b/i

/** A single statement commits by itself: losing the connection leaves a change in doubt. */
async function rowsAlone<R extends object>(
  session: Session,
  query: Query,
  values?: readonly SqlValue[],
): Promise<R[]> {
  try {
    return await session.rows<R>(query, values)
  } catch (error) {
    if (session.lost() && !reads.test(query.text)) throw commitUnknown(error)
    throw error
  }
}

async function commit(session: Session): Promise<void> {
  let result: pg.QueryResult
  try {
    result = await session.run({ text: 'COMMIT' })
  } catch (error) {
    // An error the server answered means it was rolled back; silence or unavailability does not.
    if (isStrongroomError(error)) throw commitUnknown(error)
    throw error
  }
  if (result.command === 'ROLLBACK') {
    throw new Error('Nothing was committed: a statement had failed and its error was not passed on')
  }
}

/** Never throws: a session that cannot even roll back is lost, and its end rolls it back. */
async function rollBack(session: Session): Promise<void> {
  if (session.lost()) return
  try {
    await session.run({ text: 'ROLLBACK' })
  } catch {
    // `run` has noted what this means for the connection; the first error is the one to tell.
  }
}

function guard(session: Session, scope: { readonly open: boolean }): Transaction {
  function assertOpen(): void {
    if (!scope.open) throw new Error('The transaction has ended')
  }
  return {
    async rows<R extends object>(query: Query, values?: readonly SqlValue[]) {
      assertOpen()
      return await session.rows<R>(query, values)
    },
    async script(text) {
      assertOpen()
      await session.script(text)
    },
  }
}

function transactionExpired(): Error {
  return databaseUnavailable(new Error('The transaction outlasted its time limit'))
}

function answerExpired(): Error {
  return new Error('The database did not answer within the time limit')
}
