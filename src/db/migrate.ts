import { createHash } from 'node:crypto'
import { StrongroomError } from '../errors/strongroom-error.js'
import type { Database, Sql, Transaction } from './database.js'
import { migrations as allMigrations } from './migrations/index.js'
import type { Migration } from './migrations/migration.js'

const MIGRATION_LIMIT_MS = 10 * 60_000

/** Held to the end of each transaction here: nodes that start together migrate one by one. */
const TAKE_TURN = `
  SET LOCAL statement_timeout = 0;
  SET LOCAL lock_timeout = 0;
  SELECT pg_advisory_xact_lock(8006, 1);`

const CREATE_LEDGER = `
  CREATE TABLE IF NOT EXISTS schema_migrations (
    name text PRIMARY KEY,
    checksum text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
  );`

const selectApplied = {
  name: 'migrations-applied',
  text: 'SELECT name, checksum FROM schema_migrations ORDER BY name',
}

const selectLedger = {
  name: 'migrations-ledger',
  text: `SELECT to_regclass('schema_migrations') IS NOT NULL AS found`,
}

const insertApplied = {
  name: 'migrations-insert',
  text: 'INSERT INTO schema_migrations (name, checksum) VALUES ($1, $2)',
}

interface Applied {
  readonly name: string
  readonly checksum: string
}

/**
 * Brings the schema to what this code needs: each migration in one transaction, in order, by one
 * node at a time. Safe to call at every start; `applied` names what this call did.
 *
 * Throws `internal`, and changes nothing, when the database knows a migration that this code does
 * not (it is newer), when one has another checksum, or when an earlier one is missing.
 */
export async function migrate(
  db: Database,
  migrations: readonly Migration[] = allMigrations,
): Promise<{ applied: string[] }> {
  await inTurn(db, async (sql) => {
    await sql.script(CREATE_LEDGER)
    await countApplied(sql, migrations)
  })
  const applied: string[] = []
  for (const [index, migration] of migrations.entries()) {
    const done = await inTurn(db, async (sql) => {
      // Another node may have been here since.
      if ((await countApplied(sql, migrations)) > index) return false
      await apply(sql, migration)
      return true
    })
    if (done) applied.push(migration.name)
  }
  return { applied }
}

/**
 * For a command, which must not change a database that it may have been pointed at by mistake.
 * @throws StrongroomError `conflict` unless everything is applied already; what `migrate` throws
 */
export async function assertMigrated(
  db: Database,
  migrations: readonly Migration[] = allMigrations,
): Promise<void> {
  const [ledger] = await db.rows<{ found: boolean }>(selectLedger)
  const applied = ledger?.found === true ? await countApplied(db, migrations) : 0
  if (applied === migrations.length) return
  throw new StrongroomError('conflict', {
    detail:
      applied === 0
        ? 'This is no database of Strongroom: nothing was changed in it'
        : 'The database is older than this version: start the service once, which brings it up to date',
  })
}

async function inTurn<T>(db: Database, work: (sql: Transaction) => Promise<T>): Promise<T> {
  return await db.transaction(
    async (sql) => {
      await sql.script(TAKE_TURN)
      return await work(sql)
    },
    { limitMs: MIGRATION_LIMIT_MS },
  )
}

async function apply(sql: Transaction, migration: Migration): Promise<void> {
  await sql.script(migration.sql)
  await sql.rows(insertApplied, [migration.name, checksum(migration)])
}

/** How many are applied, having checked that they are the first ones of `migrations`. */
async function countApplied(sql: Sql, migrations: readonly Migration[]): Promise<number> {
  const applied = await sql.rows<Applied>(selectApplied)
  for (const [index, row] of applied.entries()) {
    const expected = migrations[index]
    if (expected?.name !== row.name) throw foreign(row.name, migrations)
    if (checksum(expected) !== row.checksum) {
      throw refused(`Migration ${row.name} was applied to the database with another content`)
    }
  }
  return applied.length
}

function foreign(name: string, migrations: readonly Migration[]): StrongroomError {
  return migrations.some((migration) => migration.name === name)
    ? refused(`Migration ${name} was applied to the database before an earlier one`)
    : refused(`The database is newer than this version: it has migration ${name}`)
}

function refused(detail: string): StrongroomError {
  return new StrongroomError('internal', { detail })
}

function checksum(migration: Migration): string {
  return createHash('sha256').update(migration.sql).digest('hex')
}
