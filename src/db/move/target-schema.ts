import type { Database, Query, Sql } from '../database.js'
import { run } from '../run.js'
import type { MovedTable } from './moved-tables.js'
import { beginTarget, setStage } from './target-state.js'

/*
 * The target's rules of what may be in its tables, out of the way while rows come in whatever order: as
 * their owner, whom nothing but that is asked of.
 */

const foreignKeys: Query = {
  name: 'move-foreign-keys',
  text: `insert into strongroom_move.constraints (table_name, constraint_name, definition)
    select conrelid::regclass::text, quote_ident(conname), pg_get_constraintdef(oid) from pg_constraint
      where contype = 'f' and connamespace = 'public'::regnamespace and conparentid = 0
    on conflict do nothing returning table_name`,
}
const kept: Query = {
  name: 'move-kept-constraints',
  text: `select table_name as "table", constraint_name as name, definition,
      exists (select from pg_constraint where conrelid = table_name::regclass
        and quote_ident(conname) = constraint_name) as "isThere"
    from strongroom_move.constraints order by 1, 2`,
}
const forget: Query = {
  name: 'move-forget-constraint',
  text: 'delete from strongroom_move.constraints where table_name = $1 and constraint_name = $2',
}
const months: Query = {
  name: 'move-months',
  text: `select replace(right(c.relname, 7), '_', '-') || '-01' as month
    from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent = 'audit_events'::regclass and c.relname ~ '^audit_events_[0-9]{4}_[0-9]{2}$'`,
}
const makeMonth: Query = {
  name: 'move-make-month',
  text: 'select audit_make_month($1::text::date)',
}
const sequences: Query = {
  name: 'move-sequences',
  text: `select quote_ident(sequencename) as name, last_value::text as value from pg_sequences
    where schemaname = 'public' and last_value is not null`,
}
const setSequence: Query = {
  name: 'move-set-sequence',
  text: `select setval(('public.' || $1::text)::regclass, $2::text::bigint)`,
}
const lastMigration: Query = {
  name: 'move-last-migration',
  text: 'select max(name) as name from schema_migrations',
}

interface Kept {
  readonly table: string
  readonly name: string
  readonly definition: string
  readonly isThere: boolean
}

/** Our own triggers, of tables and of the months of the log. */
const triggers = (become: 'enable' | 'disable') => `do $$ declare part regclass; begin
  for part in select oid from pg_class
    where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')
  loop execute format('alter table %s ${become} trigger user', part); end loop;
end $$;`

export async function migrationOf(sql: Sql): Promise<string> {
  return (await sql.rows<{ name: string }>(lastMigration))[0]?.name ?? ''
}

interface Preparation {
  readonly moveId: string
  readonly migration: string
  readonly migrate: () => Promise<unknown>
}

/** Makes an empty schema of the same version, or empties what a move before left. */
export async function prepareTarget(
  target: Database,
  tables: readonly MovedTable[],
  { moveId, migration, migrate }: Preparation,
): Promise<void> {
  await target.transaction((sql) => beginTarget(sql, moveId, migration))
  await migrate()
  await target.transaction(async (sql) => {
    await sql.script(triggers('disable'))
    await sql.rows(foreignKeys)
    for (const { table, name, isThere } of await sql.rows<Kept>(kept)) {
      if (isThere) await sql.script(`alter table ${table} drop constraint ${name}`)
    }
    const all = tables.map(({ name }) => name).filter((name) => name !== 'schema_migrations')
    await sql.script(`truncate ${all.join(', ')}; truncate strongroom_move.places`)
    await setStage(sql, 'copying')
  })
}

/** Makes the months of the log that the source has. */
export async function makeMonths(source: Sql, target: Database): Promise<void> {
  const found = await source.rows<{ month: string }>(months)
  await target.transaction(async (sql) => {
    for (const { month } of found) await run(sql, makeMonth, [month])
    await sql.script(triggers('disable'))
  })
}

/** Has the target's sequences go on where the source's are. */
export async function setSequences(source: Sql, target: Sql): Promise<void> {
  const found = await source.rows<{ name: string; value: string }>(sequences)
  for (const { name, value } of found) await run(target, setSequence, [name, value])
}

/**
 * Puts the rules back and has all rows looked at by them, then says that it is complete. Killed at any
 * point it is begun anew.
 */
export async function finishTarget(target: Database): Promise<void> {
  for (const { table, name, definition, isThere } of await target.rows<Kept>(kept)) {
    if (!isThere) {
      await target.script(`alter table ${table} add constraint ${name} ${definition} not valid`)
    }
    await target.script(`alter table ${table} validate constraint ${name}`)
    await run(target, forget, [table, name])
  }
  await target.script('analyze')
  await target.transaction(async (sql) => {
    await sql.script(triggers('enable'))
    await sql.script('truncate strongroom_move.places')
    await setStage(sql, 'complete')
  })
}
