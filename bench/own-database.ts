import { randomBytes } from 'node:crypto'
import pg from 'pg'

/** A PostgreSQL database of one service, made for it. */
export interface OwnDatabase {
  readonly url: string
  drop(): Promise<void>
}

/** A new database on the server that TEST_DATABASE_URL names. */
export async function ownDatabase(measure: string): Promise<OwnDatabase> {
  const server = process.env['TEST_DATABASE_URL']
  if (server === undefined)
    throw new Error(`TEST_DATABASE_URL: expected, for the measure ${measure}`)
  const name = `bench_${randomBytes(6).toString('hex')}`
  await tell(server, `CREATE DATABASE ${name}`)
  const url = new URL(server)
  url.pathname = `/${name}`
  return { url: url.href, drop: () => tell(server, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`) }
}

async function tell(url: string, command: string): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    await client.query(command)
  } finally {
    await client.end()
  }
}
