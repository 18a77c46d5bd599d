import type { Actor } from '../audit/audit-events.js'
import type { AuditLog } from '../audit/audit-log.js'
import type { Transactions } from '../ports/transactions.js'
import { type FileSummary, summarize } from './file-summary.js'
import { type OpenEntry, withOpened } from './open-entry.js'
import { opening } from './own-files.js'
import type { FileCursor, FileEntry, FileStores, OwnedQuery } from './ports.js'

export interface FilePage {
  readonly files: FileSummary[]
  readonly next: FileCursor | undefined
}

export type ListFiles = (actor: Actor, query: OwnedQuery) => Promise<FilePage>

interface Dependencies {
  readonly db: Transactions<Pick<FileStores, 'files'>>
  readonly audit: AuditLog
  readonly openEntry: OpenEntry
}

/** The caller's own files, newest first. */
export function listFiles({ db, audit, openEntry }: Dependencies): ListFiles {
  return async (actor, query) => {
    const found = await db.stores.files.ownedEntries(actor.userId, {
      ...query,
      limit: query.limit + 1,
    })
    const { page, next } = cutPage(found, query.limit)
    const files: FileSummary[] = []
    for (const entry of page) {
      const [grant] = entry.held
      if (grant === undefined) continue
      const opened = await opening(audit, actor, { entry, action: 'file.list' }, () =>
        openEntry(entry, grant),
      )
      files.push(await withOpened(opened, ({ metadata }) => summarize(entry.file, metadata)))
    }
    await audit.note(actor, { action: 'file.list', outcome: 'success' })
    return { files, next }
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
