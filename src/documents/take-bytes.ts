import type { Actor } from '../audit/audit-events.js'
import { auditEvent } from '../audit/audit-log.js'
import { StrongroomError } from '../errors/strongroom-error.js'
import { committing, insertVersionRows, versionRows } from '../files/commit-upload.js'
import type { IncomingLimits, SealedUpload, SealIncoming } from '../files/seal-incoming.js'
import { checkQuota } from '../files/upload-file.js'
import type { IndexHash } from '../keys/index-hash.js'
import type { KeyRing } from '../keys/key-ring.js'
import type { Transactions } from '../ports/transactions.js'
import { limitsOf } from '../records/upload-record.js'
import type { DocumentFacts } from './document-facts.js'
import { newDocument } from './new-document.js'
import type { DocumentRow, DocumentState, DocumentStores } from './ports.js'
import { checkContent } from './said-and-sent.js'

export interface TakeBytesUse {
  readonly db: Transactions<DocumentStores>
  readonly hash: Pick<IndexHash, 'fingerprint'>
  readonly keyRing: Pick<KeyRing, 'wrapFileKey'>
  readonly seal: SealIncoming
  readonly settings: { readonly expiryDays: number }
  readonly limits: IncomingLimits & { readonly quotaBytes: number }
}

/** What makes bytes the document's: asked and spent in the transaction that commits them. */
export interface BytesClaim {
  /** False: another was first, or it is over. */
  spend(stores: DocumentStores): Promise<boolean>
  /** Bytes that go with it, and are counted until they are gone. */
  readonly freedBytes?: number
  /** The ticket they came by, where it was one. */
  readonly ticketId?: string | undefined
}

export interface TakenBytes {
  readonly row: DocumentRow
  readonly facts: DocumentFacts
  readonly bytes: AsyncIterable<Buffer>
  /** Said with the bytes. */
  readonly sha256: Buffer | undefined
  readonly claim: BytesClaim
}

const DAY_MS = 86_400_000

/** Until when what nobody confirms waits. */
export const waitsUntil = (from: Date, days: number) => new Date(from.getTime() + days * DAY_MS)

/** The most bytes a document may have: of its type as it is today; a type that is asked for cannot be removed. */
export async function mostBytes(
  { db, limits }: Pick<TakeBytesUse, 'db' | 'limits'>,
  { recordTypeId }: DocumentRow,
  { size }: DocumentFacts,
): Promise<number> {
  const type = recordTypeId === null ? undefined : await db.stores.types.find(recordTypeId)
  const most = type === undefined ? limits.maxBytes : limitsOf(type, limits).maxBytes
  return Math.min(size ?? most, most)
}

/**
 * Seals the bytes of a document, which have to be what was said beforehand, and commits them as the file it is.
 * Throws `ticket_over` (another was first), `content_mismatch`, `digest_mismatch` and what sealing throws.
 */
export function takeBytes(use: TakeBytesUse) {
  const commit = committingDocument(use)
  return async (actor: Actor, taken: TakenBytes): Promise<DocumentState> => {
    const { row, facts, bytes } = taken
    const { contentType, filename } = facts
    const sealed = await use.seal(
      { filename, contentType, contentDigest: undefined, bytes },
      { maxBytes: await mostBytes(use, row, facts), allowedTypes: [contentType] },
    )
    return await committing(sealed, async () => {
      checkContent(facts, taken, sealed)
      return await commit(actor, taken, sealed)
    })
  }
}

function committingDocument({ db, hash, keyRing, settings, limits }: TakeBytesUse) {
  return async (
    actor: Actor,
    { row, facts, claim }: TakenBytes,
    sealed: SealedUpload,
  ): Promise<DocumentState> => {
    const { fileId, ownerId, uploaderId, family, kind } = row
    const { file, metadata, grants } = newDocument(row, sealed, facts.filename)
    const rows = await versionRows(keyRing, sealed, {
      ...{ file, metadata, grants, createdBy: uploaderId, createdAt: file.createdAt },
    })
    const isConfirmed = family === 'docs'
    const state = isConfirmed ? 'uploading' : 'Completed'
    const awaitsUntil = waitsUntil(file.createdAt, settings.expiryDays)
    await db.transaction(async (stores) => {
      const { documents, files } = stores
      await files.lockOwner(ownerId)
      const now = await documents.lock(fileId)
      if (now?.state !== 'Awaiting' || !(await claim.spend(stores))) {
        throw new StrongroomError('ticket_over')
      }
      if (kind === 'document') {
        const more = sealed.size - (claim.freedBytes ?? 0)
        await checkQuota(stores, ownerId, more, limits.quotaBytes)
      }
      const fingerprint = hash.fingerprint(sealed.sha256, ownerId)
      if (!(await files.insertFile(file, fingerprint, isConfirmed ? awaitsUntil : undefined))) {
        throw new StrongroomError('conflict')
      }
      for (const grant of grants) await files.insertGrant(grant)
      await insertVersionRows(files, sealed, rows)
      await documents.setState(fileId, state, file.createdAt)
      await stores.audit.append(
        auditEvent(actor, {
          action: isConfirmed ? 'document.receive' : 'document.upload',
          ...{ outcome: 'success', fileId, version: 1, bytes: sealed.size },
          patientId: kind === 'record' ? ownerId : undefined,
          grantId: grants.find(({ userId }) => userId === actor.userId)?.grantId,
          subjectId: claim.ticketId,
        }),
      )
    })
    return state
  }
}
