import type { Contents } from '../../helpers/kept-clusters.js'
import { createOnServer, onServer } from '../../helpers/own-postgres.js'

/** A PostgreSQL database that one server has to itself. */
export interface TestDatabase {
  readonly url: string
  query(text: string): Promise<Record<string, unknown>[]>
  drop(): Promise<void>
}

/** A database of its own where `TEST_DATABASE_URL` names a server to make it on; else none. */
export async function createDatabase(contents: Contents): Promise<TestDatabase | undefined> {
  const server = process.env['TEST_DATABASE_URL']
  if (server === undefined || server === '') return undefined
  const { url, drop } = await createOnServer(server, contents)
  return { url, query: (text) => onServer(url, text), drop }
}

/** How many rows each table of the service holds. */
export async function countRows(database: TestDatabase): Promise<Record<string, number>> {
  const tables = await database.query(
    `SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename`,
  )
  const counts: Record<string, number> = {}
  for (const { tablename } of tables) {
    const name = String(tablename)
    const [row] = await database.query(`SELECT count(*)::int AS n FROM "${name}"`)
    counts[name] = Number(row?.['n'])
  }
  return counts
}
