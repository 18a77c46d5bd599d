import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import type { Database, DatabaseLimits } from '../../src/db/database.js'
import { openEmbeddedDatabase } from '../../src/db/embedded-database.js'
import { openPostgresDatabase } from '../../src/db/postgres-database.js'
import { copyEmptyCluster } from './empty-cluster.js'

/** A database of its own for one test file, empty at first. */
export interface TestDatabase {
  readonly engine: Database['engine']
  /** Opens it; a second time only after the first was closed, where it is embedded. */
  open(limits?: DatabaseLimits): Promise<Database>
  /** What a child process needs to open it: the folder or the URL. */
  readonly place: string
  /** Removes it for good; everything opened **must** have been closed. */
  drop(): Promise<void>
}

/**
 * The engines to run a test on: embedded always, PostgreSQL where TEST_DATABASE_URL names a server
 * on which databases may be created; with TEST_ENGINE=postgres that alone.
 */
export const engines: readonly Database['engine'][] = enginesOf(process.env)

function enginesOf({ TEST_DATABASE_URL: url = '', TEST_ENGINE: only = '' }: NodeJS.ProcessEnv) {
  if (only !== '' && (only !== 'postgres' || url === '')) {
    throw new Error('TEST_ENGINE: postgres, with TEST_DATABASE_URL')
  }
  if (url === '') return ['embedded'] as const
  return only === 'postgres' ? (['postgres'] as const) : (['embedded', 'postgres'] as const)
}

export async function createTestDatabase(engine: Database['engine']): Promise<TestDatabase> {
  return engine === 'embedded' ? await createEmbedded() : await createOnServer()
}

async function createEmbedded(): Promise<TestDatabase> {
  const parent = await mkdtemp(join(tmpdir(), 'strongroom-db-'))
  const folder = join(parent, 'database')
  await copyEmptyCluster(folder)
  return {
    engine: 'embedded',
    place: folder,
    open: (limits) => openEmbeddedDatabase({ ...limits, folder }),
    drop: () => rm(parent, { recursive: true, force: true }),
  }
}

async function createOnServer(): Promise<TestDatabase> {
  const server = process.env['TEST_DATABASE_URL'] ?? ''
  const name = `strongroom_test_${randomBytes(6).toString('hex')}`
  await onServer(server, `CREATE DATABASE ${name}`)
  const url = new URL(server)
  url.pathname = `/${name}`
  return {
    engine: 'postgres',
    place: url.href,
    open: (limits) => openPostgresDatabase({ ...limits, url: url.href }),
    drop: () => onServer(server, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`),
  }
}

async function onServer(url: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    await client.query(statement)
  } finally {
    await client.end()
  }
}

/** Empties these tables and what points at them, the audit log too, which nothing but a test may do. */
export function emptied(tables: string): string {
  return `set local session_replication_role = replica; truncate ${tables} cascade`
}
