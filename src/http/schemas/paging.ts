import { Type } from 'typebox'
import { StrongroomError } from '../../errors/strongroom-error.js'
import { isFileId } from '../../files/file-id.js'

const MOST = 200
const DEFAULT = 50

/** A whole number from 1 in a query: as text, since a conversion would cut 1.5 to 1. */
export function wholeNumber(description: string) {
  return Type.String({ pattern: '^[1-9][0-9]{0,8}$', description })
}

export const pagingProperties = {
  limit: Type.Optional(wholeNumber(`Entries a page, ${DEFAULT}; at most ${MOST}.`)),
  cursor: Type.Optional(
    Type.String({ maxLength: 512, description: '`next_cursor` of the page before.' }),
  ),
}

/** What stands in a page of files beside the files. */
export const pageEndProperties = {
  damaged: Type.Optional(
    Type.Array(Type.String(), {
      description: 'Ids of files that are there and cannot be opened. Absent where all is well.',
    }),
  ),
  next_cursor: Type.Union([Type.String(), Type.Null()]),
}

export interface Cursor {
  readonly at: Date
  readonly id: string
}

export interface Paging {
  readonly limit: number
  readonly after: Cursor | undefined
}

/** @throws StrongroomError `invalid_field` for a cursor that is not one of ours */
export function pagingOf(query: { readonly limit?: string; readonly cursor?: string }): Paging {
  return {
    limit: Math.min(Number(query.limit ?? DEFAULT), MOST),
    after: query.cursor === undefined ? undefined : decode(query.cursor),
  }
}

/** A place in a list, as clients hand it back; null at the end. */
export function encodeCursor(cursor: Cursor | undefined): string | null {
  if (cursor === undefined) return null
  return Buffer.from(JSON.stringify([cursor.at.getTime(), cursor.id])).toString('base64url')
}

function decode(text: string): Cursor {
  const found = parse(Buffer.from(text, 'base64url').toString('utf8'))
  if (Array.isArray(found) && found.length === 2) {
    const [at, id] = found as readonly unknown[]
    if (isTime(at) && isUuid(id)) {
      return { at: new Date(at), id }
    }
  }
  throw new StrongroomError('invalid_field', { detail: 'cursor: not one of this list' })
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Milliseconds since 1970 that Date and PostgreSQL both hold. */
function isTime(value: unknown): value is number {
  return Number.isInteger(value) && Number(value) >= 0 && Number(value) <= 8.64e15
}

function isUuid(value: unknown): value is string {
  return typeof value === 'string' && isFileId(value)
}

/** The values of `pageEndProperties`. */
export function pageEnd(page: { readonly damaged: string[]; readonly next: Cursor | undefined }) {
  const { damaged, next } = page
  return { ...(damaged.length > 0 ? { damaged } : {}), next_cursor: encodeCursor(next) }
}
