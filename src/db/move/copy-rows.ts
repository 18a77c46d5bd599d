import { StrongroomError } from '../../errors/strongroom-error.js'
import type { Database, Sql, Transaction } from '../database.js'
import { forgetNotes, keysOf, lastNote, type Notes, notesAfter } from './change-notes.js'
import type { MovedTable } from './moved-tables.js'
import { EXACT, keysAfter, removeRows, type TextRow } from './row-transfer.js'
import { type Part, partOf, putParts } from './rows-of-a-moment.js'
import { placeOf, savePlaceOf } from './target-state.js'

/** Keys at a time: short turns, since whoever uses the service waits for the same connection. */
const PAGE = 300
/** Notes between two pages. With more of them, they are gone through by pages themselves. */
const MOST_NOTES = 5_000

export interface Ends {
  readonly source: Database
  readonly target: Database
  readonly tables: readonly MovedTable[]
  readonly signal: AbortSignal
  /** Told of each page, with how many keys it had. */
  readonly did: (keys: number) => void
}

/** Keys of a table that a step is about, and what becomes of them. */
interface Page {
  readonly table: MovedTable
  readonly keys: readonly TextRow[]
  /** Only compared. */
  readonly isThere?: boolean
}

interface Moment {
  readonly notes: Notes
  readonly parts: readonly Part[]
  readonly page: Page | undefined
}

/**
 * One after another, what the source is at a moment: a page of it, and all that has changed since the
 * moment before. So the target always is what the source was, as far as it goes.
 */
export function copying({ source, target, tables, signal, did }: Ends) {
  /** Notes up to here are another's business: the ones that are gone through by pages. */
  let mark = 0
  /** Up to here what was noted is in the target: forgotten with the next look, to save a turn. */
  let applied = 0
  /** Once all is copied: what comes from then on is compared at once, what came before in its turn. */
  let isCompared = false

  /** Nothing where more was changed meanwhile than is taken at a time. */
  async function gather(sql: Sql, find?: (sql: Sql) => Promise<Page>): Promise<Moment | undefined> {
    await forgetNotes(sql, mark, applied)
    const notes = await notesAfter(sql, Math.max(mark, applied), MOST_NOTES + 1)
    if (notes.count > MOST_NOTES) return undefined
    const page = await find?.(sql)
    const parts: Part[] = []
    for (const table of tables) {
      const paged = page?.table === table && page.isThere !== true ? page.keys : []
      const keys = union(keysOf(notes, table), paged)
      if (keys.length > 0)
        parts.push(await partOf(sql, table, keys, { isThere: false, isCompared }))
    }
    if (page?.isThere === true) {
      parts.push(await partOf(sql, page.table, page.keys, { isThere: true, isCompared: true }))
    }
    return { notes, parts, page }
  }

  const exactly = <T>(db: Database, work: (sql: Transaction) => Promise<T>) =>
    db.transaction(async (sql) => {
      await sql.script(EXACT)
      return await work(sql)
    })

  /** One moment; `also` is written with its rows. */
  async function step(
    find?: (sql: Sql) => Promise<Page>,
    also?: (sql: Transaction, keys: readonly TextRow[]) => Promise<void>,
  ): Promise<readonly TextRow[]> {
    signal.throwIfAborted()
    for (;;) {
      const moment = await exactly(source, (sql) => gather(sql, find))
      if (moment === undefined) {
        await goThroughNotes()
        continue
      }
      const { notes, parts, page } = moment
      await exactly(target, async (sql) => {
        await putParts(sql, parts)
        await also?.(sql, page?.keys ?? [])
      })
      applied = notes.last
      if (page !== undefined) did(page.keys.length)
      return page?.keys ?? []
    }
  }

  /**
   * After a long pause, or a change of very many rows. They are taken away first, all of them, so that the
   * rest is what the source was, and put back by pages.
   */
  async function goThroughNotes(): Promise<void> {
    const [from, to] = [Math.max(mark, applied), await lastNote(source)]
    for (let after = from; after < to; ) {
      signal.throwIfAborted()
      const notes = await notesAfter(source, after, MOST_NOTES)
      await exactly(target, async (sql) => {
        for (const table of tables) await removeRows(sql, table, keysOf(notes, table))
      })
      after = notes.last
    }
    mark = Math.max(to, mark)
    for (let after = from; after < to; ) {
      const notes = await notesAfter(source, after, PAGE)
      if (notes.count === 0) break
      const last = Math.min(notes.last, to)
      for (const table of tables) {
        const keys = keysOf(notes, table)
        if (keys.length > 0) await step(() => Promise.resolve({ table, keys }))
      }
      await forgetNotes(source, after, last)
      after = last
    }
  }

  async function copy(table: MovedTable): Promise<void> {
    let { lastKey, isDone } = await placeOf(target, table.name)
    while (!isDone) {
      await step(
        async (sql) => ({ table, keys: await keysAfter(sql, table, lastKey ?? undefined, PAGE) }),
        async (sql, keys) => {
          isDone = keys.length < PAGE
          lastKey = keys.at(-1) ?? lastKey
          await savePlaceOf(sql, table.name, { lastKey, isDone })
        },
      )
    }
  }

  async function compare(table: MovedTable): Promise<void> {
    isCompared = true
    for (let after: TextRow | undefined; ; ) {
      const keys = await step(async (sql) => ({
        ...{ table, isThere: true },
        keys: await keysAfter(sql, table, after, PAGE),
      }))
      after = keys.at(-1)
      if (after === undefined || keys.length < PAGE) return
    }
  }

  return {
    copy,
    compare,
    /** What changed since, and nothing else. */
    catchUp: async () => {
      await step()
    },
    /** The same within a transaction that ends all writing: nothing can come after it. */
    last: async (sql: Transaction) => {
      const moment = await gather(sql)
      if (moment === undefined) throw tooMuch()
      await exactly(target, (to) => putParts(to, moment.parts))
      await forgetNotes(sql, mark, moment.notes.last)
    },
  }
}

function tooMuch(): StrongroomError {
  return new StrongroomError('conflict', {
    detail: 'Too much is changed at this moment to end the move: give the command again',
  })
}

function union(one: readonly TextRow[], other: readonly TextRow[]): readonly TextRow[] {
  if (one.length === 0 || other.length === 0) return one.length === 0 ? other : one
  return [...new Map([...one, ...other].map((key) => [JSON.stringify(key), key])).values()]
}
