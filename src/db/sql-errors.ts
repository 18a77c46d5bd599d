import pg from 'pg'
import { StrongroomError } from '../errors/strongroom-error.js'

/** Seconds a caller is asked to wait when the database is away. */
const RETRY_AFTER = 5

/** SQLSTATEs by which the server, not the statement, is the cause (PostgreSQL, appendix A). */
const unavailable = new Set([
  '25006', // read-only: a standby after a failover
  '25P03', // idle in transaction for too long
  '25P04', // transaction timeout
  '55P03', // lock not available within lock_timeout
  '57014', // statement timeout
])
/** Classes: connection exception, bad credentials, resources, operator intervention, system. */
const unavailableClasses = new Set(['08', '28', '53', '57', '58', 'XX'])

/** SQLSTATE of whatever is written to a database that was moved (`move/change-capture.ts`). */
export const MOVED = 'SR001'

/** A text holds what the database has no character for (22021, 22P05): NUL. */
const unstorable = new Set(['22021', '22P05'])

/** Name of the unique constraint or index that refused the row (23505), if that is what happened. */
export function violatedConstraint(error: unknown): string | undefined {
  return sqlState(error) === '23505' ? asDatabaseError(error)?.constraint : undefined
}

/** Name of the foreign key that refused the row (23503), if that is what happened. */
export function violatedReference(error: unknown): string | undefined {
  return sqlState(error) === '23503' ? asDatabaseError(error)?.constraint : undefined
}

/** The five characters of an SQLSTATE, where the error is a statement's. */
export function sqlState(error: unknown): string | undefined {
  return asDatabaseError(error)?.code
}

/** Whether the transaction may simply be run again (40001 serialization, 40P01 deadlock). */
export function isSerializationFailure(error: unknown): boolean {
  const state = sqlState(error)
  return state === '40001' || state === '40P01'
}

/** Whether the connection that threw this can serve no further statement. */
export function losesConnection(error: unknown): boolean {
  const answer = asDatabaseError(error)
  if (answer !== undefined) return answer.severity === 'FATAL' || answer.severity === 'PANIC'
  return isDriverFailure(error)
}

/** Whether the server only reads now, as a standby does: a new connection may find the one that writes. */
export function isReadOnlyServer(error: unknown): boolean {
  return sqlState(error) === '25006'
}

/** The error to throw instead: `database_unavailable` where the database is the cause. */
export function translate(error: unknown): unknown {
  if (error instanceof StrongroomError) return error
  const state = sqlState(error)
  if (state !== undefined && unstorable.has(state)) {
    return new StrongroomError('invalid_field', { detail: 'A NUL character cannot be stored.' })
  }
  if (state === MOVED) return databaseMoved(error)
  const away =
    losesConnection(error) ||
    (state !== undefined && (unavailable.has(state) || unavailableClasses.has(state.slice(0, 2))))
  return away ? databaseUnavailable(error, state) : error
}

export function databaseUnavailable(cause: unknown, state?: string): StrongroomError {
  return new StrongroomError('database_unavailable', {
    retryAfter: RETRY_AFTER,
    cause,
    context: { sqlState: state },
  })
}

/** The service has to be started on the other one, and says so to whoever would change something. */
export function databaseMoved(cause?: unknown): StrongroomError {
  return new StrongroomError('database_moved', {
    detail: 'The database was moved: the service is about to start on the new one.',
    retryAfter: RETRY_AFTER,
    cause,
  })
}

export function commitUnknown(cause: unknown): StrongroomError {
  return new StrongroomError('commit_unknown', { retryAfter: RETRY_AFTER, cause })
}

function asDatabaseError(error: unknown): pg.DatabaseError | undefined {
  return error instanceof pg.DatabaseError ? error : undefined
}

/** The driver's own errors carry no class: an errno of the system, or a sentence. */
function isDriverFailure(error: unknown): boolean {
  if (!(error instanceof Error) || error instanceof TypeError || error instanceof RangeError) {
    return false
  }
  if ('code' in error && typeof error.code === 'string' && /^E[A-Z_]+$/.test(error.code)) {
    return true
  }
  return /connection|terminated|timeout|time limit|not queryable|pool after calling end/i.test(
    error.message,
  )
}
