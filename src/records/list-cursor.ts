import { StrongroomError } from '../errors/strongroom-error.js'
import { isPortalId } from '../people/portal-id.js'

/** Place in a list that is ordered by time: the last entry that was seen. */
export interface ListCursor {
  readonly at: Date
  readonly id: string
}

const defaultLimit = 50
const maxLimit = 200

export function writeCursor({ at, id }: ListCursor): string {
  return Buffer.from(`${at.toISOString()} ${id}`).toString('base64url')
}

/** @throws StrongroomError `invalid_field` for what no list of ours gave out */
export function readCursor(text: string): ListCursor {
  const [time = '', id = '', ...rest] = Buffer.from(text, 'base64url').toString('utf8').split(' ')
  const at = new Date(time)
  if (Number.isNaN(at.getTime()) || !isPortalId(id) || rest.length > 0) {
    throw new StrongroomError('invalid_field', { detail: 'cursor: none of ours' })
  }
  return { at, id }
}

/** What a caller asks of a list, as they wrote it. */
export interface ListWish {
  readonly limit?: string | undefined
  readonly cursor?: string | undefined
}

/** @throws StrongroomError `invalid_field` */
export function pageOf(wish: ListWish): { limit: number; after: ListCursor | undefined } {
  const limit = wish.limit === undefined ? defaultLimit : Number(wish.limit)
  if (!Number.isInteger(limit) || limit < 1) {
    throw new StrongroomError('invalid_field', { detail: 'limit: a number from 1' })
  }
  const after = wish.cursor === undefined ? undefined : readCursor(wish.cursor)
  return { limit: Math.min(limit, maxLimit), after }
}

/** Cursor of what follows a page; null where it was the last. */
export function nextCursor<Row>(
  rows: readonly Row[],
  limit: number,
  place: (row: Row) => ListCursor,
): string | null {
  const last = rows.at(-1)
  return last === undefined || rows.length < limit ? null : writeCursor(place(last))
}
