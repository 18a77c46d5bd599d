import type { MonthParts } from '../audit/ports.js'
import { StrongroomError } from '../errors/strongroom-error.js'
import type { Database, Query } from './database.js'
import { assertNotMoving } from './move/may-serve.js'
import { sqlState } from './sql-errors.js'

/** SQLSTATE lock_not_available, undefined_table. */
const NOT_NOW = '55P03'
const NOT_THERE = '42P01'

const isOwner: Query = {
  name: 'audit-month-parts-owner',
  text: `select 1 from pg_class where oid = 'audit_events'::regclass and pg_has_role(relowner, 'usage')`,
}

/** Months of the log as the role that owns the tables; others are waited for ten seconds. */
export function auditMonthParts(
  db: Database,
  openOwner: (() => Promise<Database>) | undefined,
): MonthParts {
  const asOwner = async (work: (owner: Database) => Promise<void>) => {
    const owner = (await openOwner?.()) ?? db
    try {
      await work(owner)
    } finally {
      if (owner !== db) await owner.close()
    }
  }
  return {
    assertOwner: () =>
      asOwner(async (owner) => {
        if ((await owner.rows(isOwner)).length > 0) return
        throw new StrongroomError('conflict', {
          detail:
            'The database role does not own the tables: DATABASE_OWNER_URL names one that does.',
        })
      }),
    drop: ({ name }) =>
      asOwner(async (owner) => {
        // Dropping a table is no change of its rows: nobody would note it.
        await assertNotMoving(owner)
        const table = `audit_events_${name.replace('-', '_')}`
        try {
          await owner.transaction((sql) =>
            sql.script(`set local lock_timeout = '10s'; drop table ${table}`),
          )
        } catch (error) {
          const state = sqlState(error)
          if (state === NOT_THERE) return
          if (state !== NOT_NOW) throw error
          throw new StrongroomError('conflict', { detail: 'The log is in use: try again.' })
        }
      }),
  }
}
