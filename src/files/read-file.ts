import type { Readable } from 'node:stream'
import type { Actor, AuditAction, AuditFacts } from '../audit/audit-events.js'
import { auditEvent } from '../audit/audit-log.js'
import type { BlobStore, SealedBlob } from '../blobs/blob-store.js'
import { isStrongroomError, StrongroomError } from '../errors/strongroom-error.js'
import type { IndexHash } from '../keys/index-hash.js'
import type { Transactions } from '../ports/transactions.js'
import { actionOf } from './file-action.js'
import type { FileMetadata } from './file-metadata.js'
import { basisOf, type OpenedEntry } from './open-entry.js'
import { opening } from './own-files.js'
import type { EmergencyReads, FileStores } from './ports.js'
import {
  type ByteRange,
  type ReadingAnswer,
  type StillHolds,
  type StreamDependencies,
  streamOpened,
} from './stream-opened.js'

/** A file opened for one request: what the answer needs to know, then the bytes. */
export interface Reading {
  readonly metadata: FileMetadata
  /** Opaque, with its quotes; says nothing of the content. */
  readonly etag: string
  readonly lastModified: Date
  /** Puts an answer without content on record. */
  note(kind: 'head' | 'not_modified'): Promise<void>
  /**
   * The bytes, after grant and audit event were checked and committed together. The stream fails when
   * the sealed file is damaged, or the right to read it ends, and that is on record.
   */
  bytes(range: ByteRange, kind: 'view' | 'download', answer: ReadingAnswer): Promise<Readable>
  /** Overwrites the key where no bytes were asked for; else the stream's end does. */
  close(): void
}

/** What a reading rests on beside its grant. */
export interface RestsOn {
  readonly stillHolds?: StillHolds
  /** The ticket it came by. */
  readonly ticketId?: string
}

export type StartReading = (actor: Actor, opened: OpenedEntry, restsOn?: RestsOn) => Reading

interface Dependencies extends StreamDependencies {
  readonly db: Transactions<FileStores & { readonly emergencies: EmergencyReads }>
  readonly blobs: Pick<BlobStore, 'open'>
  readonly hash: Pick<IndexHash, 'of' | 'uuid'>
}

const READ_SESSION_MS = 900_000

export function startReading(use: Dependencies): StartReading {
  return (actor, opened, { stillHolds, ticketId } = {}) => {
    const { entry, metadata } = opened
    const { file, version } = entry
    const facts = (action: AuditAction): AuditFacts => ({
      action,
      outcome: 'success',
      fileId: file.fileId,
      patientId: file.kind === 'record' ? file.ownerId : undefined,
      ...basisOf(opened),
      version: version.version,
      subjectId: ticketId,
    })
    let streaming = false
    return {
      metadata,
      etag: `"${use.hash.of('etag', version.sealedId).toString('base64url').slice(0, 22)}"`,
      lastModified: version.createdAt,
      note: async (kind) => {
        await use.audit.note(actor, facts(actionOf(file.kind, kind)))
      },
      bytes: async (range, kind, answer) => {
        const action = actionOf(file.kind, kind)
        const blob = await opening(use.audit, actor, { entry, action }, () => openBlob(use, opened))
        try {
          await permit(use, opened, {
            ...auditEvent(actor, facts(action)),
            bytes: range.end - range.start,
            readSession: readSession(use.hash, actor, opened),
          })
        } catch (error) {
          await blob.close()
          if (isStrongroomError(error, 'emergency_over', 'emergency_spent')) {
            await use.audit.note(actor, {
              ...facts(action),
              ...{ outcome: 'denied', reason: error.code },
            })
          }
          throw error
        }
        streaming = true
        return await streamOpened(use, {
          ...{ actor, opened, blob, range, answer, stillHolds },
          facts: facts(action),
        })
      },
      close: () => {
        if (!streaming) opened.close()
      },
    }
  }
}

async function openBlob(use: Dependencies, { entry }: OpenedEntry): Promise<SealedBlob> {
  const { sealedId, sealedLength } = entry.version
  const blob = await use.blobs.open(sealedId)
  if (blob.length === sealedLength) return blob
  await blob.close()
  throw new StrongroomError('damaged', { context: { sealed_id: sealedId, reason: 'length' } })
}

const refusals = { over: 'emergency_over', spent: 'emergency_spent' } as const

/**
 * The grant, or the emergency access, still stands and the event is written, in one transaction, before
 * the first byte.
 */
async function permit(
  use: Dependencies,
  { entry, grant, emergency }: OpenedEntry,
  event: ReturnType<typeof auditEvent>,
): Promise<void> {
  await use.db.transaction(async (stores) => {
    const ended = await stores.files.endedGrants([grant.grantId])
    if (ended.length > 0) throw new StrongroomError('not_found')
    if (emergency !== undefined) {
      const state = await stores.emergencies.spend(emergency, entry.file.fileId, event.at)
      if (state !== 'open') throw new StrongroomError(refusals[state])
    }
    await stores.audit.append(event)
  })
}

/** One reading: person, file, version, client, within a quarter of an hour. */
function readSession(hash: Pick<IndexHash, 'uuid'>, actor: Actor, opened: OpenedEntry): string {
  const { fileId, version } = opened.entry.version
  const quarter = Math.floor(Date.now() / READ_SESSION_MS)
  const { userId, ip, userAgent } = actor
  const words = [userId, fileId, `${version}`, ip, userAgent, `${quarter}`]
  // What began before an emergency is another reading than what goes on in it.
  if (opened.emergency !== undefined) words.push(opened.emergency.emergencyId)
  return hash.uuid('read-session', ...words)
}
