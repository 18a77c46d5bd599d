import { open, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Database, Query } from './database.js'

/**
 * Files of tables that no row of the catalogue knows: what was being written when a rewrite was killed,
 * or what it had replaced. PostgreSQL never removes them. One statement, so that nothing is made between
 * looking and asking; forks and further segments belong to the number before them, and go before it,
 * since a number is free once its first file is gone.
 */
const orphans: Query = {
  name: 'orphaned-files',
  text: `select path from (
      select 'base/' || d.oid || '/' || name as path, name from pg_database d,
        pg_ls_dir('base/' || d.oid) name where d.datname = current_database()
          and name ~ '^[0-9]+(_[a-z]+)?([.][0-9]+)?$'
    ) files
    where pg_filenode_relation(0, substring(name from '^[0-9]+')::oid) is null
    union all
    select 'base/pgsql_tmp/' || name from pg_ls_dir('base/pgsql_tmp', true, false) name
      where name ~ '^pgsql_tmp'
    order by path desc`,
}
/**
 * Removes them, durably. For the one process that owns the database, and that has no second connection
 * which could be making a table; **must** follow a checkpoint, or a recovery could make them again.
 * @param cluster where the database keeps its files
 */
export async function removeOrphanedFiles(db: Database, cluster: string): Promise<void> {
  const folders = new Set<string>()
  for (const { path } of await db.rows<{ path: string }>(orphans)) {
    const place = join(cluster, path)
    await rm(place, { force: true })
    folders.add(dirname(place))
  }
  for (const folder of folders) await syncFolder(folder)
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
