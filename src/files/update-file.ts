import type { Actor } from '../audit/audit-events.js'
import { auditEvent } from '../audit/audit-log.js'
import { StrongroomError } from '../errors/strongroom-error.js'
import type { Transactions } from '../ports/transactions.js'
import { actionOf } from './file-action.js'
import { type FileMetadata, sealFileMetadata } from './file-metadata.js'
import { cleanFileName } from './file-name.js'
import type { OpenedEntry } from './open-entry.js'
import type { FileStores } from './ports.js'

/** What may be changed of a file's description; null takes a label or notes away. */
export interface FileChanges {
  readonly filename?: string | undefined
  readonly label?: string | null | undefined
  readonly notes?: string | null | undefined
}

export type UpdateFile = (
  actor: Actor,
  opened: OpenedEntry,
  changes: FileChanges,
) => Promise<{ metadata: FileMetadata; updatedAt: Date }>

/**
 * Seals the changed metadata under the same file key, with a fresh IV (docs/FORMAT.md).
 * @throws StrongroomError `conflict` where another version has come meanwhile
 */
export function updateFile({ db }: { db: Transactions<FileStores> }): UpdateFile {
  return async (actor, { entry, grant, key, metadata }, changes) => {
    const { file, version } = entry
    const next: FileMetadata = {
      ...metadata,
      filename:
        changes.filename === undefined ? metadata.filename : cleanFileName(changes.filename),
      label: changes.label === undefined ? metadata.label : emptyAsNull(changes.label),
      notes: changes.notes === undefined ? metadata.notes : emptyAsNull(changes.notes),
    }
    const sealed = sealFileMetadata(key, version, next)
    const updatedAt = new Date()
    await db.transaction(async (stores) => {
      const now = await stores.files.lockFile(file.fileId)
      if (now === undefined || now.deletedAt !== null) throw new StrongroomError('not_found')
      if (now.version !== version.version) throw new StrongroomError('conflict')
      // Sealed anew meanwhile: this metadata is of the sealing before.
      if (!(await stores.files.setMetadata(version.sealedId, sealed))) {
        throw new StrongroomError('conflict')
      }
      await stores.files.touch(file.fileId, updatedAt)
      await stores.audit.append(
        auditEvent(actor, {
          action: actionOf(file.kind, 'update'),
          outcome: 'success',
          fileId: file.fileId,
          patientId: file.kind === 'record' ? file.ownerId : undefined,
          grantId: grant.grantId,
          version: version.version,
        }),
      )
    })
    return { metadata: next, updatedAt }
  }
}

function emptyAsNull(text: string | null): string | null {
  return text === '' ? null : text
}
