import type { Actor } from '../audit/audit-events.js'
import type { AuditLog } from '../audit/audit-log.js'
import type { Transactions } from '../ports/transactions.js'
import type { WorkLog } from '../ports/work-log.js'
import { type FileSummary, summarize } from './file-summary.js'
import type { OpenEntry } from './open-entry.js'
import { openListed } from './open-listed.js'
import type { FileCursor, FileEntry, FileStores, OwnedQuery } from './ports.js'

export interface FilePage {
  readonly files: FileSummary[]
  /** Ids of those that are there and cannot be opened. */
  readonly damaged: string[]
  readonly next: FileCursor | undefined
}

export type ListFiles = (actor: Actor, query: OwnedQuery) => Promise<FilePage>

interface Dependencies {
  readonly db: Transactions<Pick<FileStores, 'files'>>
  readonly audit: AuditLog
  readonly openEntry: OpenEntry
  readonly log: Pick<WorkLog, 'error'>
}

/** The caller's own files, newest first. */
export function listFiles(use: Dependencies): ListFiles {
  const { db, audit } = use
  return async (actor, query) => {
    const found = await db.stores.files.ownedEntries(actor.userId, {
      ...query,
      limit: query.limit + 1,
    })
    const { page, next } = cutPage(found, query.limit)
    const held = page.flatMap((entry) => {
      const [grant] = entry.held
      return grant === undefined ? [] : [{ entry, grant }]
    })
    const action = 'file.list'
    const { listed, damaged } = await openListed(use, actor, action, held, ({ entry, metadata }) =>
      summarize(entry.file, metadata),
    )
    await audit.note(actor, { action, outcome: 'success' })
    return { files: listed, damaged, next }
  }
}

/** A page of `limit` entries of those found, one more of which shows that there is a next. */
export function cutPage(found: readonly FileEntry[], limit: number) {
  const page = found.slice(0, limit)
  const last = page.at(-1)
  const next: FileCursor | undefined =
    found.length > limit && last !== undefined
      ? { at: last.file.createdAt, id: last.file.fileId }
      : undefined
  return { page, next }
}
