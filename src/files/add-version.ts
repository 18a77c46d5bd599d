import type { Actor } from '../audit/audit-events.js'
import { auditEvent } from '../audit/audit-log.js'
import { StrongroomError } from '../errors/strongroom-error.js'
import type { IndexHash } from '../keys/index-hash.js'
import type { KeyRing } from '../keys/key-ring.js'
import type { Transactions } from '../ports/transactions.js'
import { committing, insertVersionRows, versionRows } from './commit-upload.js'
import { actionOf } from './file-action.js'
import { type FileMetadata, isSameContent } from './file-metadata.js'
import { cleanFileName } from './file-name.js'
import type { OpenedEntry } from './open-entry.js'
import type { FileStores } from './ports.js'
import type { SealedUpload } from './seal-incoming.js'
import { checkQuota } from './upload-file.js'

interface Dependencies {
  readonly db: Transactions<FileStores>
  readonly keyRing: Pick<KeyRing, 'wrapFileKey'>
  readonly hash: Pick<IndexHash, 'fingerprint'>
  readonly limits: { readonly quotaBytes: number }
}

export interface AddedVersion {
  readonly metadata: FileMetadata
  readonly updatedAt: Date
}

export type AddVersion = (
  actor: Actor,
  opened: OpenedEntry,
  upload: {
    readonly sealed: SealedUpload
    readonly label?: string | null
    readonly notes?: string | null
  },
) => Promise<AddedVersion>

/**
 * A new version: a new sealing under a new key, wrapped for everyone whose grant stands. The same bytes
 * again make none. Starts over where grants or version changed while keys were wrapped.
 * @throws StrongroomError `duplicate_file` where another live file of the owner has these bytes
 */
export function addVersion(use: Dependencies): AddVersion {
  const { db, hash, keyRing, limits } = use
  return async (actor, { entry, grant, metadata }, { sealed, label, notes }) =>
    await committing(sealed, async () => {
      const { file } = entry
      if (isSameContent(metadata, sealed.size, sealed.sha256)) {
        await sealed.discard()
        return { metadata, updatedAt: file.updatedAt }
      }
      const at = new Date()
      const next: FileMetadata = {
        ...metadata,
        version: file.version + 1,
        size: sealed.size,
        sha256: sealed.sha256.toString('hex'),
        uploader_id: actor.userId,
        content_type: sealed.contentType,
        filename:
          sealed.filename === undefined ? metadata.filename : cleanFileName(sealed.filename),
        label: label ?? metadata.label,
        notes: notes ?? metadata.notes,
      }
      const fingerprint = hash.fingerprint(sealed.sha256, file.ownerId)
      for (;;) {
        const grants = await db.stores.files.grants(file.fileId)
        // Its owner was erased meanwhile: nobody could open it.
        if (grants.length === 0) throw new StrongroomError('not_found')
        const rows = await versionRows(keyRing, sealed, {
          file,
          createdBy: actor.userId,
          createdAt: at,
          metadata: next,
          grants,
        })
        const committed = await db.transaction(async (stores) => {
          await stores.files.lockOwner(file.ownerId)
          const now = await stores.files.lockFile(file.fileId)
          if (now === undefined || now.deletedAt !== null) throw new StrongroomError('not_found')
          if (now.version !== file.version) throw new StrongroomError('conflict')
          const standing = await stores.files.grants(file.fileId)
          if (idsOf(standing) !== idsOf(grants)) return false
          if (file.kind === 'general') {
            await checkQuota(stores, file.ownerId, sealed.size, limits.quotaBytes)
          }
          if (!(await stores.files.setCurrentVersion(file.fileId, next.version, fingerprint, at))) {
            throw new StrongroomError('duplicate_file')
          }
          await insertVersionRows(stores.files, sealed, rows)
          await stores.audit.append(
            auditEvent(actor, {
              action: actionOf(file.kind, 'version_add'),
              outcome: 'success',
              fileId: file.fileId,
              patientId: file.kind === 'record' ? file.ownerId : undefined,
              grantId: grant.grantId,
              version: next.version,
              bytes: sealed.size,
            }),
          )
          return true
        })
        if (committed) return { metadata: next, updatedAt: at }
      }
    })
}

function idsOf(grants: readonly { readonly grantId: string }[]): string {
  return grants
    .map(({ grantId }) => grantId)
    .sort()
    .join()
}
