import type { LeftBecause, OldCopiesRemover, OldCopiesResult } from '../erasure/ports.js'
import type { Database, Query } from './database.js'
import { outlastSnapshots } from './old-snapshots.js'
import { removeOrphanedFiles } from './orphaned-files.js'
import { run } from './run.js'
import { sqlState } from './sql-errors.js'

/**
 * A deleted row stays in its page until that is written anew, and in the log until its segments are
 * gone. Rewriting a table (CLUSTER) copies the rows that are there into new files, indexes with it.
 */

const TABLES = [
  'user_keys',
  'wrapped_file_keys',
  'grants',
  'emergency_notes',
  'sealed_notes',
  'file_versions',
  'files',
] as const
const REWRITE_LIMIT_MS = 10 * 60_000
const MOST_SEGMENTS = 1_000
/** SQLSTATE insufficient_privilege. */
const NOT_ALLOWED = '42501'

const rewriteOf = (table: string) =>
  `set local statement_timeout = 0; cluster ${table} using ${table}_pkey`

const switchSegment: Query = { name: 'old-copies-switch', text: 'select pg_switch_wal()' }
/** Something to log, since an empty segment is not ended. */
const logSomething: Query = {
  name: 'old-copies-log',
  text: `select pg_logical_emit_message(false, 'strongroom', 'old copies')`,
}
/** Segments kept for use again: under names to come, with what they held. */
const segmentsAhead: Query = {
  name: 'old-copies-ahead',
  text: `select count(*)::int as count from pg_ls_waldir()
    where name ~ '^[0-9A-F]{24}$' and name > pg_walfile_name(pg_current_wal_insert_lsn())`,
}

export interface OldCopiesOptions {
  /** Milliseconds to wait for those who can still look at deleted rows. */
  readonly patienceMs?: number
  /** A connection of the role that owns the tables, where another one runs the service. */
  readonly openOwner?: (() => Promise<Database>) | undefined
}

export function oldCopies(
  db: Database,
  { patienceMs = 30_000, openOwner }: OldCopiesOptions = {},
): OldCopiesRemover {
  return {
    remove: async ({ rewrite, signal }) => {
      if (db.engine === 'embedded') {
        await rewriteTables(db)
        return (await removeFromLog(db)) ? removed : left('log_goes_on')
      }
      if (!rewrite) return left('not_asked')
      const owner = (await openOwner?.()) ?? db
      try {
        const isPast = await outlastSnapshots(owner, { limitMs: patienceMs, signal })
        if (!isPast) return left('old_snapshots')
        await rewriteTables(owner)
        return removed
      } catch (error) {
        if (sqlState(error) === NOT_ALLOWED) return left('not_owner')
        throw error
      } finally {
        if (owner !== db) await owner.close()
      }
    },
  }
}

const removed: OldCopiesResult = { oldCopies: 'removed' }
const left = (leftBecause: LeftBecause): OldCopiesResult => ({ oldCopies: 'left', leftBecause })

/** One by one: each is locked only while it is written. */
async function rewriteTables(db: Database): Promise<void> {
  for (const table of TABLES) {
    await db.transaction((sql) => sql.script(rewriteOf(table)), { limitMs: REWRITE_LIMIT_MS })
  }
}

/** The embedded database is ours alone: catalogue, checkpoints and log as well. False where it goes on. */
async function removeFromLog(db: Database): Promise<boolean> {
  // Samples of columns, from before they were excepted.
  await db.script('VACUUM FULL pg_statistic')
  await endSegment(db)
  // Removes the old files, and the segments before this one or renames them for use again.
  await db.script('CHECKPOINT')
  if (db.folder !== undefined) await removeOrphanedFiles(db, db.folder)
  let most = MOST_SEGMENTS
  while ((await ahead(db)) > 0) {
    if (most-- === 0) return false
    await endSegment(db)
  }
  // The one written to now is the last of those: past its head is what it held.
  await endSegment(db)
  await db.script('CHECKPOINT')
  return true
}

async function endSegment(db: Database): Promise<void> {
  await run(db, logSomething, [])
  // What is left of a segment that is ended is overwritten with zeros.
  await run(db, switchSegment, [])
}

async function ahead(db: Database): Promise<number> {
  return (await db.rows<{ count: number }>(segmentsAhead))[0]?.count ?? 0
}
