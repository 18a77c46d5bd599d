import { StrongroomError } from '../../errors/strongroom-error.js'
import type { Sql, Transaction } from '../database.js'
import type { MovedTable } from './moved-tables.js'
import { replaceRows, rowsWith, type TextRow, tableDigest } from './row-transfer.js'

/** The rows of some keys of a table, as one transaction of the source saw them. */
export interface Part {
  readonly table: MovedTable
  readonly keys: readonly TextRow[]
  /** Absent: they are there already, and only compared. */
  readonly rows: readonly TextRow[] | undefined
  /** Of what the source has under these keys; absent: they are not compared now. */
  readonly digest: string | undefined
}

export async function partOf(
  sql: Sql,
  table: MovedTable,
  keys: readonly TextRow[],
  { isThere, isCompared }: { readonly isThere: boolean; readonly isCompared: boolean },
): Promise<Part> {
  const rows = isThere ? undefined : await rowsWith(sql, table, keys)
  const digest = isCompared ? await tableDigest(sql, table, keys) : undefined
  return { table, keys, rows, digest }
}

/**
 * Makes the target what the source was at that moment, as far as the parts go, and compares it.
 * `parts` **must** have all that changed since the one before: a name that was given up and taken by
 * another row would be there twice for a moment.
 * @throws StrongroomError `damaged` where the target then has something else
 */
export async function putParts(target: Transaction, parts: readonly Part[]): Promise<void> {
  for (const { table, keys, rows } of parts) {
    if (rows !== undefined) await replaceRows(target, table, keys, rows)
  }
  for (const { table, keys, digest } of parts) {
    if (digest === undefined) continue
    if ((await tableDigest(target, table, keys)) !== digest) throw differs(table)
  }
}

export function differs({ name }: Pick<MovedTable, 'name'>): StrongroomError {
  return new StrongroomError('damaged', {
    detail: `Rows of ${name} are not the same in both databases: \`strongroom database move --abandon\`, and begin again`,
    context: { table: name },
  })
}
