import type { Query, Sql } from '../database.js'
import type { MovedColumn, MovedTable } from './moved-tables.js'

/** Each value as PostgreSQL writes it: exact to the microsecond and byte, whatever the driver makes of types. */
export type TextRow = readonly (string | null)[]

/** Both sides have to write the same text for the same value. */
export const EXACT = `set local timezone = 'UTC'; set local datestyle = 'ISO, YMD';
  set local bytea_output = 'hex'; set local intervalstyle = 'postgres'; set local extra_float_digits = 1;`

const list = (items: readonly MovedColumn[], one: (column: MovedColumn, n: number) => string) =>
  items.map(one).join(', ')
const names = (items: readonly MovedColumn[], of = '') => list(items, ({ name }) => of + name)
const arrays = (items: readonly MovedColumn[]) => list(items, (_, n) => `$${n + 1}::text[]`)
const places = (items: readonly MovedColumn[]) => list(items, (_, n) => `v${n}`)
const typed = (items: readonly MovedColumn[]) => list(items, ({ type }, n) => `r.v${n}::${type}`)
const asTexts = (items: readonly MovedColumn[]) =>
  `array[${list(items, ({ name }) => `t.${name}::text`)}]`
const values = (items: readonly MovedColumn[], from: number) =>
  list(items, ({ type }, n) => `$${n + from}::text::${type}`)

/** The rows that have one of these keys. */
export async function rowsWith(sql: Sql, table: MovedTable, of: readonly TextRow[]) {
  const { name, columns, key } = table
  const query: Query = {
    name: `move-with-${name}`,
    text: `select ${asTexts(columns)} as row from ${name} t where (${names(key, 't.')}) in (
      select ${typed(key)} from unnest(${arrays(key)}) r (${places(key)}))`,
  }
  return (await sql.rows<{ row: TextRow }>(query, transposed(of, key.length))).map(({ row }) => row)
}

/** Keys after `after` in the order of the index; the last one of a full page is given whole. */
export async function keysAfter(
  sql: Sql,
  { name, key }: MovedTable,
  after: TextRow | undefined,
  limit: number,
): Promise<TextRow[]> {
  const past = after === undefined ? '' : `where (${names(key, 't.')}) > (${values(key, 1)})`
  const query: Query = {
    name: `move-${after === undefined ? 'first' : 'next'}-${name}`,
    text: `select ${asTexts(key)} as row from (select distinct ${names(key, 't.')} from ${name} t ${past}
      order by ${names(key, 't.')} limit $${(after?.length ?? 0) + 1}) t order by ${names(key, 't.')}`,
  }
  return (await sql.rows<{ row: TextRow }>(query, [...(after ?? []), limit])).map(({ row }) => row)
}

/** Takes them away, for those that are put there later. */
export async function removeRows(
  sql: Sql,
  { name, key }: MovedTable,
  of: readonly TextRow[],
): Promise<void> {
  const remove: Query = {
    name: `move-remove-${name}`,
    text: `delete from ${name} t where (${names(key, 't.')}) in (
      select ${typed(key)} from unnest(${arrays(key)}) r (${places(key)}))`,
  }
  await sql.rows(remove, transposed(of, key.length))
}

/** Makes the rows of these keys what `rows` says, however often it is called. */
export async function replaceRows(
  sql: Sql,
  table: MovedTable,
  of: readonly TextRow[],
  rows: readonly TextRow[],
): Promise<void> {
  const { name, columns } = table
  const add: Query = {
    name: `move-add-${name}`,
    text: `insert into ${name} (${names(columns)}) overriding system value
      select ${typed(columns)} from unnest(${arrays(columns)}) r (${places(columns)})`,
  }
  await removeRows(sql, table, of)
  if (rows.length > 0) await sql.rows(add, transposed(rows, columns.length))
}

function transposed(rows: readonly TextRow[], width: number): (string | null)[][] {
  return Array.from({ length: width }, (_, n) => rows.map((row) => row[n] ?? null))
}

/**
 * Count and a digest of the rows that have one of these keys, or of all, in whatever order they lie: sums of
 * the parts of their SHA-256.
 */
export async function tableDigest(
  sql: Sql,
  { name, columns, key }: MovedTable,
  of?: readonly TextRow[],
): Promise<string> {
  const part = (n: number) =>
    `coalesce(sum(('x' || substr(h, ${n * 16 + 1}, 16))::bit(64)::int8::numeric), 0)`
  const some = `where (${names(key, 't.')}) in (
    select ${typed(key)} from unnest(${arrays(key)}) r (${places(key)}))`
  const query: Query = {
    name: `move-${of === undefined ? 'digest' : 'compare'}-${name}`,
    text: `select concat_ws(' ', count(*), ${[0, 1, 2, 3].map(part).join(', ')}) as digest from (
      select encode(sha256(convert_to(row(${names(columns, 't.')})::text, 'UTF8')), 'hex') as h
      from ${name} t ${of === undefined ? '' : some}) d`,
  }
  const values = of === undefined ? [] : transposed(of, key.length)
  return (await sql.rows<{ digest: string }>(query, values))[0]?.digest ?? ''
}

export async function countRows(sql: Sql, { name }: Pick<MovedTable, 'name'>): Promise<number> {
  const query: Query = { name: `move-count-${name}`, text: `select count(*) as n from ${name}` }
  return (await sql.rows<{ n: number }>(query))[0]?.n ?? 0
}
