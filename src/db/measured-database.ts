import { outcomeOf } from '../errors/outcome-of.js'
import type { Watch } from '../ports/watch.js'
import type { Database, Sql } from './database.js'

/** The same database, whose statements are told of by their names, and each transaction as a whole. */
export function measuredDatabase(database: Database, watch: Watch): Database {
  const over = async <T>(operation: string, work: () => Promise<T>): Promise<T> => {
    const end = watch.begin('database', operation)
    try {
      const result = await work()
      end('ok')
      return result
    } catch (error) {
      end(outcomeOf(error))
      throw error
    }
  }
  const rowsOf =
    (sql: Sql): Sql['rows'] =>
    (query, values) =>
      over(query.name, () => sql.rows(query, values))
  return {
    ...database,
    rows: rowsOf(database),
    script: (text) => over('script', () => database.script(text)),
    transaction: (work, options) =>
      over('transaction', () =>
        database.transaction((sql) => work({ ...sql, rows: rowsOf(sql) }), options),
      ),
  }
}
