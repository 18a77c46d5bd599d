import type { Query, Sql, SqlValue } from './database.js'

/** A statement whose rows, if any, are of no interest. */
export async function run(sql: Sql, query: Query, values: readonly SqlValue[]): Promise<void> {
  await sql.rows(query, values)
}
