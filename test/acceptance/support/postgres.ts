import { randomBytes } from 'node:crypto'
import pg from 'pg'

/** A PostgreSQL database that one server has to itself. */
export interface TestDatabase {
  readonly url: string
  query(text: string): Promise<Record<string, unknown>[]>
  drop(): Promise<void>
}

async function run(url: string, text: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return (await client.query<Record<string, unknown>>(text)).rows
  } finally {
    await client.end()
  }
}

/** A fresh database where `TEST_DATABASE_URL` names a server to make it on; else none. */
export async function createDatabase(): Promise<TestDatabase | undefined> {
  const url = process.env['TEST_DATABASE_URL']
  if (url === undefined || url === '') return undefined
  const name = `acceptance_${randomBytes(6).toString('hex')}`
  await run(url, `CREATE DATABASE ${name}`)
  const own = new URL(url)
  own.pathname = `/${name}`
  return {
    url: own.href,
    query: (text) => run(own.href, text),
    drop: async () => {
      await run(url, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`)
    },
  }
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
