import { StrongroomError } from '../../errors/strongroom-error.js'
import type { Query, Sql, Transaction } from '../database.js'
import { run } from '../run.js'
import type { TextRow } from './row-transfer.js'

/*
 * What a move keeps in the database it goes to: which move it is of, how far each table is, written in
 * the transaction of the rows, and the foreign keys that are put back at the end.
 */

/** `preparing`: nothing of it can be relied on; `abandoned`: a copy nobody may serve from. */
export type Stage = 'preparing' | 'copying' | 'complete' | 'abandoned'

export interface TargetState {
  readonly moveId: string
  readonly stage: Stage
  /** The last migration of both, when it began. */
  readonly migration: string
  /** Since when a service has been started on it. */
  readonly servedAt: Date | null
}

/** Whoever may read the rows may know that they are not all there. */
const OPENING = `create schema if not exists strongroom_move;
create table if not exists strongroom_move.target (
  is_only boolean primary key default true check (is_only),
  move_id uuid not null,
  stage text not null,
  migration text not null,
  served_at timestamptz
);
create table if not exists strongroom_move.places (table_name text primary key, last_key text[], is_done boolean not null);
create table if not exists strongroom_move.constraints (
  table_name text, constraint_name text, definition text not null, primary key (table_name, constraint_name)
);
grant usage on schema strongroom_move to public;
grant select on strongroom_move.target to public;`

/** From the catalogue: a name in a schema may only be looked up by whoever may use that. */
const isThere: Query = {
  name: 'move-target-is-there',
  text: `select 1 from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = 'strongroom_move' and c.relname = 'target'`,
}
const hasTables: Query = {
  name: 'move-target-tables',
  text: `select 1 from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') limit 1`,
}
const select: Query = {
  name: 'move-target-state',
  text: `select move_id as "moveId", stage, migration, served_at as "servedAt" from strongroom_move.target`,
}
const begin: Query = {
  name: 'move-target-begin',
  text: `insert into strongroom_move.target (move_id, stage, migration) values ($1, 'preparing', $2)
    on conflict (is_only) do update set move_id = $1, stage = 'preparing', migration = $2, served_at = null`,
}
const stage: Query = {
  name: 'move-target-stage',
  text: 'update strongroom_move.target set stage = $1',
}
const serve: Query = {
  name: 'move-target-serve',
  text: 'update strongroom_move.target set served_at = now() where served_at is null',
}
const place: Query = {
  name: 'move-target-place',
  text: `select last_key as "lastKey", is_done as "isDone" from strongroom_move.places where table_name = $1`,
}
const savePlace: Query = {
  name: 'move-target-save-place',
  text: `insert into strongroom_move.places (table_name, last_key, is_done) values ($1, $2, $3)
    on conflict (table_name) do update set last_key = $2, is_done = $3`,
}

/** Nothing where it never was the target of a move. */
export async function targetState(sql: Sql): Promise<TargetState | undefined> {
  if ((await sql.rows(isThere)).length === 0) return undefined
  return (await sql.rows<TargetState>(select))[0]
}

export async function isEmpty(sql: Sql): Promise<boolean> {
  return (await sql.rows(hasTables)).length === 0
}

/** Says that it is the target of this move, before there is anything else in it. */
export async function beginTarget(sql: Transaction, moveId: string, migration: string) {
  await sql.script(OPENING)
  await run(sql, begin, [moveId, migration])
}

export async function setStage(sql: Sql, to: Stage): Promise<void> {
  await run(sql, stage, [to])
}

/** Puts down that a service was started on it, so that the move cannot be taken back any more. */
export async function markServed(sql: Sql): Promise<void> {
  await run(sql, serve, [])
}

export interface Place {
  readonly lastKey: TextRow | null
  readonly isDone: boolean
}

/** How far the copy of a table is. */
export async function placeOf(sql: Sql, table: string): Promise<Place> {
  return (await sql.rows<Place>(place, [table]))[0] ?? { lastKey: null, isDone: false }
}

export async function savePlaceOf(sql: Sql, table: string, { lastKey, isDone }: Place) {
  await run(sql, savePlace, [table, lastKey, isDone])
}

/** @throws StrongroomError `conflict` where a service must not be started on it, or a command */
export function assertWhole(state: TargetState | undefined): void {
  if (state === undefined || state.stage === 'complete') return
  throw new StrongroomError('conflict', {
    detail:
      state.stage === 'abandoned'
        ? 'The database holds the copy of a move that was given up: it must not be served from'
        : 'The database holds a copy that is not complete: `strongroom database move` goes on with it',
  })
}
