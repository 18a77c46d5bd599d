import { StrongroomError } from '../../errors/strongroom-error.js'
import type { Query, Sql } from '../database.js'

/** Names as SQL writes them. */
export interface MovedColumn {
  readonly name: string
  readonly type: string
}

export interface MovedTable {
  readonly name: string
  /** Without generated ones, which the target works out by itself. */
  readonly columns: readonly MovedColumn[]
  /** An index without null: of the primary key, else of whatever there is; not always unique. */
  readonly key: readonly MovedColumn[]
}

const tables: Query = {
  name: 'move-tables',
  text: `select c.oid::int8 as oid, quote_ident(c.relname) as name from pg_class c
    where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')
      and not c.relispartition order by c.relname`,
}
const columns: Query = {
  name: 'move-columns',
  text: `select attrelid::int8 as oid, attnum::int4 as number, quote_ident(attname) as name,
      format_type(atttypid, atttypmod) as type, attgenerated::text as generated
    from pg_attribute where attnum > 0 and not attisdropped
      and attrelid in (select oid from pg_class where relnamespace = 'public'::regnamespace)
    order by attrelid, attnum`,
}
const keys: Query = {
  name: 'move-keys',
  text: `select distinct on (i.indrelid) i.indrelid::int8 as oid, i.indkey::int2[]::text[] as numbers
    from pg_index i join pg_class c on c.oid = i.indexrelid
    where c.relnamespace = 'public'::regnamespace and i.indpred is null and i.indexprs is null
      and i.indisvalid and not exists (select from pg_attribute a where a.attrelid = i.indrelid
        and a.attnum = any (i.indkey::int2[]) and not a.attnotnull)
    order by i.indrelid, i.indisprimary desc, i.indisunique desc, i.indnatts, c.relname`,
}

interface ColumnRow extends MovedColumn {
  readonly oid: number
  readonly number: number
  readonly generated: string
}

/**
 * Every table of the schema, from the catalogue; a partitioned one as one.
 * @throws StrongroomError `internal` for a table without any such index
 */
export async function movedTables(sql: Sql): Promise<MovedTable[]> {
  const found = await sql.rows<{ oid: number; name: string }>(tables)
  const all = await sql.rows<ColumnRow>(columns)
  const indexes = await sql.rows<{ oid: number; numbers: readonly string[] }>(keys)
  return found.map(({ oid, name }) => {
    const own = all.filter((column) => column.oid === oid)
    const numbers = indexes.find((index) => index.oid === oid)?.numbers
    if (numbers === undefined) {
      throw new StrongroomError('internal', { detail: `Table ${name} has no key to move it by` })
    }
    const key = numbers.flatMap((number) => own.filter((c) => String(c.number) === number))
    return { name, columns: own.filter(({ generated }) => generated === ''), key }
  })
}
