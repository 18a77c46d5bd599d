import { setTimeout as pause } from 'node:timers/promises'
import type { Database, Query } from './database.js'

/**
 * A rewrite of a table copies deleted rows as well where somebody may still look at them: for a
 * transaction that is under way or prepared, for a snapshot taken before, for a replica's slot.
 */

const LOOK_AGAIN_MS = 250

const mark: Query = {
  name: 'old-snapshots-mark',
  text: 'select pg_current_xact_id()::text as xid',
}
/**
 * Sessions of other roles show none of this without `pg_read_all_stats`: then they count as old. What
 * PostgreSQL runs for itself, outside of databases, looks at no rows.
 */
const older: Query = {
  name: 'old-snapshots-older',
  text: `with mark as (select $1::xid8 as xid, age($1::xid8::xid) as age)
    select (
      (select pg_snapshot_xmin(pg_current_snapshot()) < mark.xid from mark)
      or exists (select from pg_stat_activity a, mark where age(a.backend_xmin) > mark.age
        and a.pid <> pg_backend_pid())
      or exists (select from pg_stat_activity a where a.query = '<insufficient privilege>'
        and (a.datname = current_database() or (a.datname is null and a.usesysid is not null)))
      or exists (select from pg_replication_slots s, mark
        where age(s.xmin) > mark.age or age(s.catalog_xmin) > mark.age)
      or coalesce(current_setting('vacuum_defer_cleanup_age', true), '0') <> '0'
    ) as "isOlder"`,
}

export interface Patience {
  /** Milliseconds to wait at most. */
  readonly limitMs: number
  readonly signal?: AbortSignal | undefined
}

/** Waits until nobody can look at what was deleted before this call; false where somebody still can. */
export async function outlastSnapshots(
  db: Database,
  { limitMs, signal }: Patience,
): Promise<boolean> {
  const until = performance.now() + limitMs
  const xid = (await db.rows<{ xid: string }>(mark))[0]?.xid ?? ''
  while ((await db.rows<{ isOlder: boolean }>(older, [xid]))[0]?.isOlder !== false) {
    if (performance.now() >= until) return false
    await pause(LOOK_AGAIN_MS, undefined, { signal })
  }
  return true
}
