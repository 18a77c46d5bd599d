import { randomUUID } from 'node:crypto'
import type { Actor } from '../audit/audit-events.js'
import { auditEvent } from '../audit/audit-log.js'
import { StrongroomError } from '../errors/strongroom-error.js'
import { committing, insertVersionRows, versionRows } from '../files/commit-upload.js'
import { verifyDigests } from '../files/content-digest.js'
import type { PurgeFile } from '../files/delete-file.js'
import type { SealedUpload } from '../files/seal-incoming.js'
import { checkQuota } from '../files/upload-file.js'
import { newDocument } from './new-document.js'
import { MAX_PART_BYTES, wholeSize } from './part-rules.js'
import type { DocumentRow } from './ports.js'
import { mostBytes, type TakeBytesUse, type TakenBytes, waitsUntil } from './take-bytes.js'

export interface ReceivedPart {
  readonly partNumber: number
  /** Bytes. */
  readonly size: number
  /** Hexadecimal. */
  readonly sha256: string
}

interface Dependencies extends TakeBytesUse {
  readonly purge: PurgeFile
  readonly onProblem: (error: unknown) => void
}

interface TakenPart extends TakenBytes {
  readonly partNumber: number
}

/**
 * Takes one part: a file of its own that waits, sealed under its own key. It takes the place of one of the same number.
 * Throws `ticket_over`, `digest_mismatch`, `file_too_large`, `quota_exceeded`, `legal_hold` (on the one before), of the first part `type_mismatch` and
 * `type_not_allowed`.
 */
export function receivePart(use: Dependencies) {
  const commit = committingPart(use)
  return async (actor: Actor, taken: TakenPart): Promise<ReceivedPart> => {
    const { row, facts, bytes, sha256, partNumber } = taken
    const most = await mostBytes(use, row, facts)
    // The beginning says what the whole is: better refused now than when all of it is there.
    const [contentType, allowedTypes] =
      partNumber === 1 ? [facts.contentType, [facts.contentType]] : ['', 'any' as const]
    const sealed = await use.seal(
      { filename: undefined, contentType, contentDigest: undefined, bytes },
      { maxBytes: Math.min(MAX_PART_BYTES, most), allowedTypes },
    )
    const replaced = await committing(sealed, async () => {
      verifyDigests(sealed.sha256, sha256 === undefined ? [] : [sha256])
      return await commit(actor, { ...taken, sealed, most })
    })
    if (replaced !== undefined) {
      await use.purge(actor, { fileId: replaced }).catch(use.onProblem)
    }
    return { partNumber, size: sealed.size, sha256: sealed.sha256.toString('hex') }
  }
}

interface Commit extends TakenPart {
  readonly sealed: SealedUpload
  /** Bytes of the whole, at most. */
  readonly most: number
}

/** A part belongs to whom the document belongs, but to no space. */
const asPart = (row: DocumentRow): DocumentRow => ({ ...row, fileId: randomUUID(), spaceId: null })

function committingPart({ db, hash, keyRing, settings, limits }: Dependencies) {
  return async (actor: Actor, { row, sealed, claim, partNumber, most }: Commit) => {
    const { ownerId, uploaderId, kind } = row
    const { file, metadata, grants } = newDocument(asPart(row), sealed, `part ${partNumber}`)
    const { fileId, createdAt } = file
    const rows = await versionRows(keyRing, sealed, {
      ...{ file, metadata, grants, createdBy: uploaderId, createdAt },
    })
    return await db.transaction(async (stores) => {
      const { files, documents, documentParts } = stores
      await files.lockOwner(ownerId)
      const now = await documents.lock(row.fileId)
      if (now?.state !== 'Awaiting' || !(await claim.spend(stores))) {
        throw new StrongroomError('ticket_over')
      }
      const others = await documentParts.list(row.fileId)
      const rest = wholeSize(others.filter((other) => other.partNumber !== partNumber))
      const before = wholeSize(others) - rest
      if (rest + sealed.size > most) {
        throw new StrongroomError('file_too_large', { detail: `At most ${most} bytes are taken.` })
      }
      if (kind === 'document') {
        await checkQuota(stores, ownerId, sealed.size - before, limits.quotaBytes)
      }
      const awaitsUntil = waitsUntil(createdAt, settings.expiryDays)
      // Drawn, and never looked for: equal parts are nobody's duplicates.
      const fingerprint = hash.fingerprint(sealed.sha256, fileId)
      if (!(await files.insertFile(file, fingerprint, awaitsUntil))) {
        throw new StrongroomError('conflict')
      }
      for (const grant of grants) await files.insertGrant(grant)
      await insertVersionRows(files, sealed, rows)
      const part = { documentId: row.fileId, partNumber, fileId, size: sealed.size }
      const replaced = await documentParts.put(part, createdAt)
      if (replaced !== undefined) {
        if (await files.isHeld(replaced)) throw new StrongroomError('legal_hold')
        await files.markDeleted(replaced, actor.userId, createdAt, createdAt)
      }
      await stores.audit.append(
        auditEvent(actor, {
          ...{ action: 'document.receive', outcome: 'success', fileId, version: 1 },
          bytes: sealed.size,
          patientId: kind === 'record' ? ownerId : undefined,
          grantId: grants.find(({ userId }) => userId === actor.userId)?.grantId,
          subjectId: claim.ticketId,
        }),
      )
      return replaced
    })
  }
}
