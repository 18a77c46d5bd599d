import type { Database } from './database.js'

/**
 * The embedded engine has no background processes: no checkpoint comes by itself, so the log would
 * grow and a recovery take ever longer, and nothing clears dead rows or counts for the planner.
 */

const TICK_MS = 10_000
const CHECKPOINT_BYTES = 16 * 1024 * 1024
const CHECKPOINT_SECONDS = 300

const selectDistance = {
  name: 'maintenance-distance',
  text: `SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), redo_lsn)::int8 AS bytes,
      extract(epoch FROM clock_timestamp() - checkpoint_time)::int8 AS seconds
    FROM pg_control_checkpoint()`,
}

/** The thresholds autovacuum has by default, plus a floor that spares small tables. */
const selectWorn = {
  name: 'maintenance-worn',
  text: `SELECT relid::regclass::text AS name FROM pg_stat_user_tables
    WHERE n_dead_tup > 500 + 0.2 * n_live_tup OR n_mod_since_analyze > 500 + 0.1 * n_live_tup`,
}

export interface Maintenance {
  /** Resolves when nothing is under way and nothing will be. */
  stop(): Promise<void>
}

/** Maintains every 10 s, in turn with everyone else, without keeping the process alive. */
export function startMaintenance(db: Database, onProblem?: (error: unknown) => void): Maintenance {
  let running = Promise.resolve()
  let busy = false
  const timer = setInterval(() => {
    if (busy) return
    busy = true
    running = maintain(db)
      .catch((error: unknown) => onProblem?.(error))
      .finally(() => {
        busy = false
      })
  }, TICK_MS)
  timer.unref()
  return {
    async stop() {
      clearInterval(timer)
      await running
    },
  }
}

/** One round: a checkpoint where 16 MiB or 5 minutes of changes are behind, then worn tables. */
export async function maintain(db: Database): Promise<void> {
  const [since] = await db.rows<{ bytes: number; seconds: number }>(selectDistance)
  if (since !== undefined && isCheckpointDue(since)) await db.script('CHECKPOINT')
  const worn = await db.rows<{ name: string }>(selectWorn)
  for (const { name } of worn) await db.script(`VACUUM (ANALYZE) ${name}`)
}

/** An idle database still has the record of its last checkpoint behind it: some 200 bytes. */
function isCheckpointDue({ bytes, seconds }: { bytes: number; seconds: number }): boolean {
  return bytes > CHECKPOINT_BYTES || (bytes > 1024 && seconds > CHECKPOINT_SECONDS)
}
