import type { Actor, AuditAction } from '../audit/audit-events.js'
import type { AuditLog } from '../audit/audit-log.js'
import { isStrongroomError, StrongroomError } from '../errors/strongroom-error.js'
import type { Transactions } from '../ports/transactions.js'
import { isFileId } from './file-id.js'
import { type FileSummary, summarize } from './file-summary.js'
import { type OpenEntry, type OpenedEntry, withOpened } from './open-entry.js'
import type { FileEntry, FileStores, HeldGrant } from './ports.js'

/** Finds general files for the only person they are there for: their owner. */
export interface OwnFiles {
  /**
   * The caller's own live file.
   * @throws StrongroomError `not_found`, on record as a refusal of `action`
   */
  find(
    actor: Actor,
    fileId: string,
    options: { action: AuditAction; version?: number | undefined },
  ): Promise<{ entry: FileEntry; grant: HeldGrant }>
  /** As `find`, live or deleted, until it is purged. */
  findAny(
    actor: Actor,
    fileId: string,
    options: { action: AuditAction },
  ): Promise<{ entry: FileEntry; grant: HeldGrant }>
  /** The same with its key and metadata opened; to be closed. */
  open(
    actor: Actor,
    fileId: string,
    options: { action: AuditAction; version?: number | undefined },
  ): Promise<OpenedEntry>
  /** The file's entry of the list, for a caller who just made it. Not audited. */
  describe(actor: Actor, fileId: string): Promise<FileSummary>
}

interface Dependencies {
  readonly db: Transactions<Pick<FileStores, 'files'>>
  readonly audit: AuditLog
  readonly openEntry: OpenEntry
}

export function ownFiles({ db, audit, openEntry }: Dependencies): OwnFiles {
  const owned = async (actor: Actor, fileId: string, version?: number) => {
    if (!isFileId(fileId)) return undefined
    const entry = await db.stores.files.entry(fileId, actor.userId, version)
    if (entry === undefined || entry.file.kind !== 'general') return undefined
    if (entry.file.ownerId !== actor.userId) return undefined
    const [grant] = entry.held
    return grant === undefined ? undefined : { entry, grant }
  }
  const refuse = async (
    actor: Actor,
    fileId: string,
    facts: { action: AuditAction; version?: number | undefined },
  ): Promise<never> => {
    const known = isFileId(fileId) ? fileId : undefined
    await audit.note(actor, { ...facts, outcome: 'denied', reason: 'not_found', fileId: known })
    throw new StrongroomError('not_found')
  }
  const findAny: OwnFiles['findAny'] = async (actor, fileId, { action }) =>
    (await owned(actor, fileId)) ?? (await refuse(actor, fileId, { action }))
  const find: OwnFiles['find'] = async (actor, fileId, { action, version }) => {
    const found = await owned(actor, fileId, version)
    return found === undefined || found.entry.file.deletedAt !== null
      ? await refuse(actor, fileId, { action, version })
      : found
  }
  return {
    find,
    findAny,
    open: async (actor, fileId, options) => {
      const { entry, grant } = await find(actor, fileId, options)
      return await opening(audit, actor, { entry, action: options.action }, () =>
        openEntry(entry, grant),
      )
    },
    describe: async (actor, fileId) => {
      const found = await owned(actor, fileId)
      if (found === undefined) throw new StrongroomError('not_found')
      const { entry, grant } = found
      return await withOpened(await openEntry(entry, grant), ({ metadata }) =>
        summarize(entry.file, metadata),
      )
    },
  }
}

/** Runs `open`; sealed data that do not belong together are put on record as a failure of `action`. */
export async function opening<T>(
  audit: AuditLog,
  actor: Actor,
  facts: { readonly entry: FileEntry; readonly action: AuditAction },
  open: () => Promise<T>,
): Promise<T> {
  try {
    return await open()
  } catch (error) {
    if (isStrongroomError(error, 'damaged')) {
      const { file, version } = facts.entry
      await audit.note(actor, {
        action: facts.action,
        outcome: 'failed',
        reason: 'damaged',
        fileId: file.fileId,
        patientId: file.kind === 'record' ? file.ownerId : undefined,
        version: version.version,
      })
    }
    throw error
  }
}
