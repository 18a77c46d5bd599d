import type { DropMonth } from '../audit/ports.js'
import { StrongroomError } from '../errors/strongroom-error.js'
import type { Database } from './database.js'
import { sqlState } from './sql-errors.js'

/** SQLSTATE lock_not_available, insufficient_privilege, undefined_table. */
const NOT_NOW = '55P03'
const NOT_ALLOWED = '42501'
const NOT_THERE = '42P01'

/**
 * Drops the part of the log that a month is, as the role that owns the tables.
 * @throws StrongroomError `conflict` where it is not the owner, or others are in the way for ten seconds
 */
export function dropAuditMonth(
  db: Database,
  openOwner: (() => Promise<Database>) | undefined,
): DropMonth {
  return async ({ name }) => {
    const owner = (await openOwner?.()) ?? db
    try {
      const table = `audit_events_${name.replace('-', '_')}`
      await owner.transaction((sql) =>
        sql.script(`set local lock_timeout = '10s'; drop table ${table}`),
      )
    } catch (error) {
      const state = sqlState(error)
      if (state === NOT_THERE) return
      if (state === NOT_ALLOWED) {
        throw new StrongroomError('conflict', {
          detail:
            'The database role does not own the tables: DATABASE_OWNER_URL names one that does.',
        })
      }
      if (state === NOT_NOW) {
        throw new StrongroomError('conflict', { detail: 'The log is in use: try again.' })
      }
      throw error
    } finally {
      if (owner !== db) await owner.close()
    }
  }
}
