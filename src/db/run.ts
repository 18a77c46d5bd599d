import type { Query, Sql, SqlValue } from './database.js'

/** A statement whose rows, if any, are of no interest. */
export async function run(sql: Sql, query: Query, values: readonly SqlValue[]): Promise<void> {
  await sql.rows(query, values)
}

/** Whether a statement found, or with `returning` changed, anything. */
export async function touches(
  sql: Sql,
  query: Query,
  values: readonly SqlValue[],
): Promise<boolean> {
  return (await sql.rows(query, values)).length > 0
}
