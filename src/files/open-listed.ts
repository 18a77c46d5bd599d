import type { Actor, AuditAction } from '../audit/audit-events.js'
import type { AuditLog } from '../audit/audit-log.js'
import { isStrongroomError } from '../errors/strongroom-error.js'
import type { WorkLog } from '../ports/work-log.js'
import { type OpenEntry, type OpenedEntry, withOpened } from './open-entry.js'
import { opening } from './own-files.js'
import type { FileEntry, HeldGrant } from './ports.js'

/** What is listed, and the ids of what cannot be opened. */
export interface Listed<T> {
  readonly listed: T[]
  readonly damaged: string[]
}

interface Dependencies {
  readonly audit: AuditLog
  readonly openEntry: OpenEntry
  readonly log: Pick<WorkLog, 'error'>
}

/**
 * Opens the entries of a list and says what `describe` makes of each. Sealed data that do not belong
 * together are on record as a failure of `action`, in the log, and named: they hide nothing else.
 */
export async function openListed<T>(
  { audit, openEntry, log }: Dependencies,
  actor: Actor,
  action: AuditAction,
  entries: readonly { readonly entry: FileEntry; readonly grant: HeldGrant }[],
  describe: (opened: OpenedEntry) => T,
): Promise<Listed<T>> {
  const listed: T[] = []
  const damaged: string[] = []
  for (const { entry, grant } of entries) {
    try {
      const opened = await opening(audit, actor, { entry, action }, () => openEntry(entry, grant))
      listed.push(await withOpened(opened, describe))
    } catch (error) {
      if (!isStrongroomError(error, 'damaged')) throw error
      const { fileId, version } = entry.version
      damaged.push(fileId)
      log.error({ file_id: fileId, version, reason: error.context['reason'] }, 'damaged')
    }
  }
  return { listed, damaged }
}
