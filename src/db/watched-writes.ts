import { isStrongroomError } from '../errors/strongroom-error.js'
import type { Database } from './database.js'
import { moveState } from './move/change-capture.js'
import { databaseMoved } from './sql-errors.js'

/**
 * What a transaction of the service needs beyond a connection: room for a new page, and its log on
 * disk. A full or read-only disk answers `SELECT 1` all the same.
 */
const TRIAL = `CREATE TEMP TABLE strongroom_trial (n int) ON COMMIT DROP;
  INSERT INTO strongroom_trial VALUES (1)`

/**
 * The database, with a `ping` that after any failure for the database's own sake resolves only once
 * a change can be committed again: not where it was moved, unless that is taken back. While all is well a ping
 * changes nothing.
 */
export function watchedWrites(database: Database): Database {
  let inDoubt = false
  let wasMoved = false

  async function watched<T>(work: Promise<T>): Promise<T> {
    try {
      return await work
    } catch (error) {
      inDoubt ||= isDatabasesFault(error)
      wasMoved ||= isStrongroomError(error, 'database_moved')
      throw error
    }
  }

  return {
    ...database,
    transaction: (work, options) => watched(database.transaction(work, options)),
    rows: (query, values) => watched(database.rows(query, values)),
    script: (text) => watched(database.script(text)),
    async ping() {
      if (wasMoved && ((await moveState(database))?.movedAt ?? null) !== null) throw databaseMoved()
      wasMoved = false
      await (inDoubt ? database.script(TRIAL) : database.ping())
      inDoubt = false
    },
  }
}

function isDatabasesFault(error: unknown): boolean {
  return (
    isStrongroomError(error, 'database_unavailable') || isStrongroomError(error, 'commit_unknown')
  )
}
