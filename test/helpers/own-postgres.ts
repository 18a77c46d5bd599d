import { randomBytes } from 'node:crypto'
import pg from 'pg'
import { migrate } from '../../src/db/migrate.js'
import { openPostgresDatabase } from '../../src/db/postgres-database.js'
import { type Contents, tablesDigest } from './kept-clusters.js'

/** One statement on a connection of its own. */
export async function onServer(url: string, text: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return (await client.query<Record<string, unknown>>(text)).rows
  } finally {
    await client.end()
  }
}

/** A new database on the server that `url` names, where databases may be made. */
export async function createOnServer(
  url: string,
  contents: Contents,
): Promise<{ url: string; drop: () => Promise<void> }> {
  const name = `strongroom_test_${randomBytes(6).toString('hex')}`
  const template = contents === 'empty' ? 'template1' : await migratedTemplate(url)
  await onServer(url, `CREATE DATABASE ${name} TEMPLATE ${template}`)
  return {
    url: named(url, name),
    drop: async () => {
      await onServer(url, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`)
    },
  }
}

/** Kept on the server: a copy of it takes a fraction of the time that its tables take. */
async function migratedTemplate(url: string): Promise<string> {
  const name = `strongroom_tables_${await tablesDigest()}`
  const isThere = async () =>
    (await onServer(url, `SELECT 1 FROM pg_database WHERE datname = '${name}'`)).length > 0
  if (await isThere()) return name
  const draft = `strongroom_draft_${randomBytes(6).toString('hex')}`
  await onServer(url, `CREATE DATABASE ${draft}`)
  const database = await openPostgresDatabase({ url: named(url, draft) })
  await migrate(database)
  await database.close()
  try {
    await onServer(url, `ALTER DATABASE ${draft} RENAME TO ${name}`)
  } catch (error) {
    // Another test file was faster.
    if (!(await isThere())) throw error
    await onServer(url, `DROP DATABASE ${draft}`)
  }
  return name
}

function named(url: string, name: string): string {
  const own = new URL(url)
  own.pathname = `/${name}`
  return own.href
}
