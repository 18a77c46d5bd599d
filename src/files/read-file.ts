import { Readable } from 'node:stream'
import type { Actor, AuditAction, AuditFacts } from '../audit/audit-events.js'
import type { AuditLog } from '../audit/audit-log.js'
import { auditEvent } from '../audit/audit-log.js'
import type { BlobStore, SealedBlob } from '../blobs/blob-store.js'
import { openRange } from '../crypto/open-stream.js'
import { isStrongroomError, StrongroomError } from '../errors/strongroom-error.js'
import type { IndexHash } from '../keys/index-hash.js'
import type { Transactions } from '../ports/transactions.js'
import type { FileMetadata } from './file-metadata.js'
import type { OpenedEntry } from './open-entry.js'
import { opening } from './own-files.js'
import type { FileKind, FileStores } from './ports.js'
import type { RunningReads } from './running-reads.js'

/** Bytes `start` ≤ i < `end` of the file. */
export interface ByteRange {
  readonly start: number
  readonly end: number
}

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
  bytes(range: ByteRange, kind: 'view' | 'download'): Promise<Readable>
  /** Overwrites the key where no bytes were asked for; else the stream's end does. */
  close(): void
}

export type StartReading = (actor: Actor, opened: OpenedEntry) => Reading

interface Dependencies {
  readonly db: Transactions<FileStores>
  readonly audit: AuditLog
  readonly blobs: Pick<BlobStore, 'open'>
  readonly hash: Pick<IndexHash, 'of'>
  readonly running: RunningReads
  readonly onProblem: (error: unknown) => void
}

const READ_SESSION_MS = 900_000

const prefixes = { general: 'file', record: 'record' } as const satisfies Record<FileKind, string>

/** The part of an action's name that says which family it belongs to. */
export function actionOf<const Verb extends string>(kind: FileKind, verb: Verb) {
  return `${prefixes[kind]}.${verb}` as const
}

export function startReading(use: Dependencies): StartReading {
  return (actor, opened) => {
    const { entry, grant, metadata } = opened
    const { file, version } = entry
    const facts = (action: AuditAction): AuditFacts => ({
      action,
      outcome: 'success',
      fileId: file.fileId,
      patientId: file.kind === 'record' ? file.ownerId : undefined,
      grantId: grant.grantId,
      version: version.version,
    })
    let streaming = false
    return {
      metadata,
      etag: `"${use.hash.of('etag', version.sealedId).toString('base64url').slice(0, 22)}"`,
      lastModified: version.createdAt,
      note: async (kind) => {
        await use.audit.note(actor, facts(actionOf(file.kind, kind)))
      },
      bytes: async (range, kind) => {
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
          throw error
        }
        streaming = true
        return await streamOf(use, { actor, opened, blob, range, facts: facts(action) })
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

/** The grant still stands and the event is written, in one transaction, before the first byte. */
async function permit(
  use: Dependencies,
  { grant }: OpenedEntry,
  event: ReturnType<typeof auditEvent>,
): Promise<void> {
  await use.db.transaction(async (stores) => {
    const ended = await stores.files.endedGrants([grant.grantId])
    if (ended.length > 0) throw new StrongroomError('not_found')
    await stores.audit.append(event)
  })
}

interface StreamFacts {
  readonly actor: Actor
  readonly opened: OpenedEntry
  readonly blob: SealedBlob
  readonly range: ByteRange
  readonly facts: AuditFacts
}

/** The first piece is opened before the answer begins: what is damaged there is an error, not a cut. */
async function streamOf(use: Dependencies, reading: StreamFacts): Promise<Readable> {
  const { actor, opened, blob, range, facts } = reading
  const { entry, metadata, key } = opened
  const { sealedId, segmentSizeLog2 } = entry.version
  const brokenOff = async (reason: string) => {
    const action = actionOf(entry.file.kind, 'read_broken_off')
    await use.audit.note(actor, { ...facts, action, outcome: 'failed', reason })
  }
  const release = () => {
    opened.close()
    blob.close().catch(use.onProblem)
  }
  const pieces = openRange({
    key,
    sealedId,
    sealedBytes: blob,
    dataLength: metadata.size,
    ...range,
  })
  let first: IteratorResult<Buffer, void>
  try {
    first = await pieces.next()
  } catch (error) {
    release()
    if (isBroken(error)) await brokenOff(error.code)
    throw error
  }
  const stream = Readable.from(resumed(first, pieces), {
    objectMode: false,
    highWaterMark: 2 ** segmentSizeLog2,
  })
  const forget = use.running.add(opened.grant.grantId, (reason) => {
    brokenOff('grant_ended').catch(use.onProblem)
    stream.destroy(reason)
  })
  stream.once('error', (error) => {
    if (isBroken(error)) brokenOff(error.code).catch(use.onProblem)
  })
  stream.once('close', () => {
    forget()
    release()
  })
  return stream
}

function isBroken(error: unknown): error is StrongroomError {
  return isStrongroomError(error, 'damaged', 'storage_unavailable')
}

async function* resumed(
  first: IteratorResult<Buffer, void>,
  rest: AsyncGenerator<Buffer, void>,
): AsyncGenerator<Buffer, void> {
  try {
    if (first.done === true) return
    yield first.value
    yield* rest
  } finally {
    await rest.return()
  }
}

/** One reading: person, file, version, client, within a quarter of an hour. A UUID of version 8. */
function readSession(hash: Pick<IndexHash, 'of'>, actor: Actor, { entry }: OpenedEntry): string {
  const { fileId, version } = entry.version
  const quarter = Math.floor(Date.now() / READ_SESSION_MS)
  const { userId, ip, userAgent } = actor
  const digest = hash.of('read-session', userId, fileId, `${version}`, ip, userAgent, `${quarter}`)
  digest[6] = ((digest[6] ?? 0) & 0x0f) | 0x80
  digest[8] = ((digest[8] ?? 0) & 0x3f) | 0x80
  const hex = digest.toString('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20, 32)}`
}
