/** One statement. Every query of the service is a constant of this shape, `$n` for its values. */
export interface Query {
  /** Unique for this text, at most 63 bytes: the name of the prepared statement. */
  readonly name: string
  readonly text: string
}

/** JSON is handed over as text; an array becomes a PostgreSQL array. */
export type SqlValue =
  | string
  | number
  | boolean
  | Date
  | Uint8Array
  | null
  | readonly string[]
  | readonly number[]
  | readonly (string | null)[]

/**
 * Rows come in the same types from both engines: int8 as number (RangeError past 2^53 − 1),
 * timestamptz as Date, bytea as Buffer, json and jsonb parsed, text[] and uuid[] as string[],
 * date, timestamp and numeric as text.
 *
 * Errors: `database_unavailable` when no connection can be had, too many wait for one, it is lost, or
 * a time limit has passed; `commit_unknown` when a connection was lost while a change outside a transaction was
 * being made. Errors of the statement itself pass as they are (`violatedConstraint`).
 */
export interface Sql {
  rows<R extends object>(query: Query, values?: readonly SqlValue[]): Promise<R[]>
}

/** A transaction's own connection; of no use once `work` has returned. */
export interface Transaction extends Sql {
  /** Several statements without values, for migrations. */
  script(text: string): Promise<void>
}

export interface TransactionOptions {
  /** Milliseconds `work` may take in all, waiting for the connection not counted. */
  readonly limitMs?: number
}

export interface Database extends Sql {
  readonly engine: 'embedded' | 'postgres'
  /** Where its files are, if they are this process' own. */
  readonly folder?: string
  /**
   * BEGIN, `work`, COMMIT; ROLLBACK when `work` throws, and its error is thrown on.
   *
   * `work` **must** touch nothing but the database: after a serialization failure or deadlock
   * (40001, 40P01) all of it runs again, three times at most. Inside `work` only the handle given
   * may be used; the database itself throws there, since on one connection it would wait for ever.
   *
   * Throws `commit_unknown` when the connection was lost while COMMIT was under way: the change may
   * be there or not, so bytes a row may point at must stay. Throws `database_unavailable` when
   * `work` outlasted its limit: it was rolled back.
   */
  transaction<T>(work: (sql: Transaction) => Promise<T>, options?: TransactionOptions): Promise<T>
  /** Several statements without values, as one transaction. */
  script(text: string): Promise<void>
  /** Resolves when a statement went through. */
  ping(): Promise<void>
  pool(): PoolState
  /** Waits for what is under way, then closes; a second call waits for the first. */
  close(): Promise<void>
}

/** Connections, at this moment. */
export interface PoolState {
  /** Open, `idle` ones among them. */
  readonly size: number
  readonly idle: number
  /** Calls that wait for one. */
  readonly waiting: number
  /** There may be. */
  readonly most: number
}

/** What both engines may be told. */
export interface DatabaseLimits {
  /** Milliseconds a single statement may take. */
  readonly statementTimeoutMs?: number
  /** Milliseconds a transaction may take in all. */
  readonly transactionTimeoutMs?: number
  /** Milliseconds to wait for a free connection, or for a new one to be made. */
  readonly connectTimeoutMs?: number
  /** Calls that may wait for a connection; more are refused at once. */
  readonly queueLimit?: number
}
