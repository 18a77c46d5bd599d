import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Database, DatabaseLimits } from '../../src/db/database.js'
import { openEmbeddedDatabase } from '../../src/db/embedded-database.js'
import { openPostgresDatabase } from '../../src/db/postgres-database.js'
import { type Contents, copyCluster } from './kept-clusters.js'
import { createOnServer } from './own-postgres.js'

/** A database of its own for one test file. */
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

/** With nothing in it. */
export async function createEmptyDatabase(engine: Database['engine']): Promise<TestDatabase> {
  return engine === 'embedded' ? await createEmbedded('empty') : await createPostgres('empty')
}

/** With the tables of the service, and no row in them. */
export async function createMigratedDatabase(engine: Database['engine']): Promise<TestDatabase> {
  return engine === 'embedded' ? await createEmbedded('migrated') : await createPostgres('migrated')
}

async function createEmbedded(contents: Contents): Promise<TestDatabase> {
  const parent = await mkdtemp(join(tmpdir(), 'strongroom-db-'))
  const folder = join(parent, 'database')
  await copyCluster(contents, folder)
  return {
    engine: 'embedded',
    place: folder,
    open: (limits) => openEmbeddedDatabase({ ...limits, folder }),
    drop: () => rm(parent, { recursive: true, force: true }),
  }
}

async function createPostgres(contents: Contents): Promise<TestDatabase> {
  const { url, drop } = await createOnServer(process.env['TEST_DATABASE_URL'] ?? '', contents)
  return {
    engine: 'postgres',
    place: url,
    open: (limits) => openPostgresDatabase({ ...limits, url }),
    drop,
  }
}

/** Empties these tables and what points at them, the audit log too, which nothing but a test may do. */
export function emptied(tables: string): string {
  return `set local session_replication_role = replica; truncate ${tables} cascade`
}
