import type { Actor } from '../audit/audit-events.js'
import type { AuditLog } from '../audit/audit-log.js'
import type { Transactions } from '../ports/transactions.js'
import { actionOf } from './file-action.js'
import { summarizeVersion, type VersionSummary } from './file-summary.js'
import { type OpenEntry, withOpened } from './open-entry.js'
import { opening } from './own-files.js'
import type { FileStores, HeldGrant } from './ports.js'

/** The versions of a file that a grant opens, newest first. */
export type ListVersions = (
  actor: Actor,
  found: { readonly fileId: string; readonly grant: Pick<HeldGrant, 'grantId' | 'userId'> },
) => Promise<VersionSummary[]>

interface Dependencies {
  readonly db: Transactions<Pick<FileStores, 'files'>>
  readonly audit: AuditLog
  readonly openEntry: OpenEntry
}

export function listVersions({ db, audit, openEntry }: Dependencies): ListVersions {
  return async (actor, { fileId, grant: { grantId, userId } }) => {
    const summaries: VersionSummary[] = []
    for (const { version } of await db.stores.files.versions(fileId)) {
      const entry = await db.stores.files.entry(fileId, userId, version)
      const grant = entry?.held.find((held) => held.grantId === grantId)
      if (entry === undefined || grant === undefined) continue
      const action = actionOf(entry.file.kind, 'versions_list')
      const opened = await opening(audit, actor, { entry, action }, () => openEntry(entry, grant))
      summaries.push(
        await withOpened(opened, ({ metadata }) => summarizeVersion(entry.version, metadata)),
      )
    }
    return summaries
  }
}
