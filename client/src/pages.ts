import type { CallOptions } from './service.js'

export interface ListOptions extends CallOptions {
  /** Entries asked for at a time, 50 if not given; the service gives at most 200. */
  readonly pageSize?: number | undefined
  /** Told of ids of files that are there and cannot be opened: they are not among the entries. */
  readonly onDamaged?: ((fileIds: readonly string[]) => void) | undefined
}

interface PageEnd {
  readonly next_cursor: string | null
  readonly damaged?: readonly string[] | undefined
}

interface PageQuery {
  readonly limit: string | undefined
  readonly cursor: string | undefined
}

/** The entries of a list, page by page as they are asked for. Throws what `get` throws, and RangeError. */
export async function* entriesOf<P extends PageEnd, E>(
  { pageSize, onDamaged }: ListOptions,
  get: (query: PageQuery) => Promise<P>,
  entriesIn: (page: P) => readonly E[],
): AsyncGenerator<E, void> {
  if (pageSize !== undefined && !(Number.isSafeInteger(pageSize) && pageSize > 0)) {
    throw new RangeError('pageSize is a whole number from 1')
  }
  const limit = pageSize === undefined ? undefined : String(pageSize)
  let cursor: string | undefined
  do {
    const page = await get({ limit, cursor })
    if (page.damaged !== undefined && page.damaged.length > 0) onDamaged?.(page.damaged)
    yield* entriesIn(page)
    cursor = page.next_cursor ?? undefined
  } while (cursor !== undefined)
}
