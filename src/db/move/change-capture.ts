import type { Query, Sql } from '../database.js'
import { MOVED } from '../sql-errors.js'
import type { MovedTable } from './moved-tables.js'

/**
 * What a move keeps in the embedded database: a schema of its own, so that dropping it takes every
 * trigger along.
 */
const opening = `create schema strongroom_move;
create table strongroom_move.state (move_id uuid not null default gen_random_uuid(), moved_at timestamptz);
insert into strongroom_move.state default values;
create table strongroom_move.changes (
  change_id bigint generated always as identity primary key,
  table_name text not null,
  key text[] not null
);`

const state: Query = {
  name: 'move-state',
  text: `select move_id as "moveId", moved_at as "movedAt" from strongroom_move.state`,
}
const isThere: Query = {
  name: 'move-is-there',
  text: `select to_regclass('strongroom_move.state') is not null as found`,
}

const noted: Query = {
  name: 'move-noted',
  text: `select quote_ident(c.relname) as name from pg_trigger t join pg_class c on c.oid = t.tgrelid
    where t.tgname = 'strongroom_move_note'`,
}

export interface MoveState {
  readonly moveId: string
  readonly movedAt: Date | null
}

export async function moveState(sql: Sql): Promise<MoveState | undefined> {
  if ((await sql.rows<{ found: boolean }>(isThere))[0]?.found !== true) return undefined
  return (await sql.rows<MoveState>(state))[0]
}

/** Whether the changes of each of these tables are noted: one may have come with a newer version. */
export async function notesAll(sql: Sql, tables: readonly MovedTable[]): Promise<boolean> {
  const found = new Set((await sql.rows<{ name: string }>(noted)).map(({ name }) => name))
  return tables.every(({ name }) => found.has(name))
}

/** The script that begins to note, in the writer's own transaction, the key of each row changed. */
export function captureScript(tables: readonly MovedTable[]): string {
  return opening + tables.map(captureOf).join('')
}

function captureOf({ name, key }: MovedTable, n: number): string {
  const keyOf = (row: string) => `array[${key.map((c) => `${row}.${c.name}::text`).join(', ')}]`
  const note = (row: string) =>
    `insert into strongroom_move.changes (table_name, key) values (tg_argv[0], ${keyOf(row)});`
  return `
create function strongroom_move.note_${n}() returns trigger language plpgsql as $move$
begin
  if tg_op <> 'INSERT' then ${note('old')} end if;
  if tg_op <> 'DELETE' then ${note('new')} end if;
  return null;
end $move$;
create trigger strongroom_move_note after insert or update or delete on ${name}
  for each row execute function strongroom_move.note_${n}($move$${name}$move$);`
}

/** The script that ends all writing: the database itself refuses it, whoever runs on it. */
export function closingScript(tables: readonly MovedTable[]): string {
  return `create function strongroom_move.refuse() returns trigger language plpgsql as $move$
begin
  raise exception 'The database was moved' using errcode = '${MOVED}';
end $move$;
${tables
  .map(
    ({ name }) => `create trigger strongroom_move_refuse
  before insert or update or delete on ${name}
  for each statement execute function strongroom_move.refuse();`,
  )
  .join('\n')}
update strongroom_move.state set moved_at = now();`
}

/** Ends a move, or takes its end back. */
export const FORGET_MOVE = 'drop schema if exists strongroom_move cascade;'
