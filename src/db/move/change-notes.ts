import type { Query, Sql } from '../database.js'
import { run } from '../run.js'
import type { MovedTable } from './moved-tables.js'
import type { TextRow } from './row-transfer.js'

/** The keys of rows that were changed, by table, each once. */
export interface Notes {
  readonly keys: ReadonlyMap<string, readonly TextRow[]>
  readonly count: number
  /** The number of the last one; that which was asked for where there are none. */
  readonly last: number
}

interface NoteRow {
  readonly id: number
  readonly table: string
  readonly key: TextRow
}

const notes: Query = {
  name: 'move-notes',
  text: `select change_id as id, table_name as "table", key from strongroom_move.changes
    where change_id > $1 order by change_id limit $2`,
}
const last: Query = {
  name: 'move-notes-last',
  text: 'select coalesce(max(change_id), 0)::int8 as last from strongroom_move.changes',
}
const forget: Query = {
  name: 'move-notes-forget',
  text: 'delete from strongroom_move.changes where change_id > $1 and change_id <= $2',
}

export async function notesAfter(sql: Sql, after: number, limit: number): Promise<Notes> {
  const found = await sql.rows<NoteRow>(notes, [after, limit])
  const byTable = new Map<string, Map<string, TextRow>>()
  for (const { table, key } of found) {
    const keys = byTable.get(table) ?? new Map<string, TextRow>()
    byTable.set(table, keys.set(JSON.stringify(key), key))
  }
  const keys = new Map([...byTable].map(([table, each]) => [table, [...each.values()]] as const))
  return { keys, count: found.length, last: found.at(-1)?.id ?? after }
}

export async function lastNote(sql: Sql): Promise<number> {
  return (await sql.rows<{ last: number }>(last))[0]?.last ?? 0
}

/** Those past `after` up to `to`. */
export async function forgetNotes(sql: Sql, after: number, to: number): Promise<void> {
  if (to > after) await run(sql, forget, [after, to])
}

export function keysOf({ keys }: Notes, { name }: MovedTable): readonly TextRow[] {
  return keys.get(name) ?? []
}
