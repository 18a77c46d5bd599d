import { createHash, type Hash } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { auditEvent } from '../audit/audit-log.js'
import type { BlobStore } from '../blobs/blob-store.js'
import { openRange } from '../crypto/open-stream.js'
import { isStrongroomError, StrongroomError } from '../errors/strongroom-error.js'
import type { Transactions } from '../ports/transactions.js'
import type { WorkLog } from '../ports/work-log.js'
import { type OpenEntry, type OpenedEntry, withOpened } from './open-entry.js'
import type { FileEntry, FileStores, StoredVersion, SweepStore } from './ports.js'
import { systemActor } from './purge-due.js'

export interface ScrubOptions {
  /** Bytes of content a second, at most. */
  readonly bytesPerSecond: number
  /** The sealed id after which to begin: where an earlier scrub was broken off. */
  readonly after?: string | undefined
}

/** What was found damaged: a segment, or the file as a whole. */
export interface DamagedPlace {
  readonly file_id: string
  readonly version: number
  readonly sealed_id: string
  /** Index of the segment; `metadata`; null: the whole. */
  readonly segment: number | 'metadata' | null
  readonly reason: string
}

export interface ScrubReport {
  /** Sealed files opened from end to end, and their bytes of content. */
  readonly checked: number
  readonly bytes: number
  readonly damaged_files: number
  /** Of the damaged places the first hundred; the log names all. */
  readonly damaged: readonly DamagedPlace[]
}

export interface ScrubContext {
  readonly signal?: AbortSignal
  /** Told after each file how many there were so far, and the sealed id to go on after. */
  readonly progress?: (done: number, after: string) => Promise<void> | void
}

export type Scrub = (options: ScrubOptions, context?: ScrubContext) => Promise<ScrubReport>

interface Dependencies {
  readonly db: Transactions<FileStores & { readonly sweep: SweepStore }>
  readonly blobs: Pick<BlobStore, 'open'>
  readonly openEntry: OpenEntry
  readonly log: Pick<WorkLog, 'info' | 'error'>
}

const BATCH = 200
const MOST_NAMED = 100

/**
 * Opens every segment of every version of every file, and compares the whole with the SHA-256 in its
 * sealed metadata: what nobody reads decays unseen. Nothing is given out, and nothing is changed. Goes
 * in the order of sealed ids at the rate given; what is damaged is on record and in the log.
 */
export function scrub(use: Dependencies): Scrub {
  return async ({ bytesPerSecond, after }, { signal, progress } = {}) => {
    const damaged: DamagedPlace[] = []
    const counts = { checked: 0, bytes: 0, damaged_files: 0 }
    const slow = throttle(bytesPerSecond, signal)
    for await (const row of versions(use, after)) {
      signal?.throwIfAborted()
      const found = await scrubOne(use, row, async (bytes) => {
        counts.bytes += bytes
        await slow(bytes)
      })
      if (found !== undefined) {
        counts.checked += 1
        counts.damaged_files += found.length > 0 ? 1 : 0
        damaged.push(...found.slice(0, Math.max(MOST_NAMED - damaged.length, 0)))
      }
      await progress?.(counts.checked, row.sealedId)
    }
    const report = { ...counts, damaged }
    use.log.info(counts, 'scrubbed')
    return report
  }
}

async function* versions(
  { db }: Dependencies,
  after: string | undefined,
): AsyncGenerator<StoredVersion, void> {
  let rows = await db.stores.sweep.versionsAfter(after, BATCH)
  while (rows.length > 0) {
    yield* rows
    rows = await db.stores.sweep.versionsAfter(rows.at(-1)?.sealedId, BATCH)
  }
}

/** Its damaged places; nothing where it was purged meanwhile. */
async function scrubOne(
  use: Dependencies,
  row: StoredVersion,
  took: Took,
): Promise<DamagedPlace[] | undefined> {
  const entry = await entryOf(use, row)
  if (entry === undefined) return undefined
  const found = await damageOf(use, entry, took)
  if (found.length === 0) return []
  // A purge takes row and bytes away under a reader.
  if ((await entryOf(use, row)) === undefined) return undefined
  for (const { segment, ...place } of found) {
    use.log.error({ ...place, segment: segment ?? undefined }, 'damaged')
  }
  await putOnRecord(use, entry)
  return found
}

type Took = (bytes: number) => Promise<void>

/** With a grant that stands, the owner's first. Without an owner's key nothing may stand: it is passed over. */
async function entryOf({ db }: Dependencies, row: StoredVersion): Promise<FileEntry | undefined> {
  const { files } = db.stores
  const file = await files.find(row.fileId)
  if (file === undefined) return undefined
  if (!(await files.isOwnerErased(row.fileId))) {
    return await files.entry(row.fileId, file.ownerId, row.version)
  }
  const [grant] = await files.grants(row.fileId)
  return grant === undefined ? undefined : await files.entry(row.fileId, grant.userId, row.version)
}

async function damageOf(use: Dependencies, entry: FileEntry, took: Took): Promise<DamagedPlace[]> {
  const found: DamagedPlace[] = []
  const note = (error: unknown) => {
    found.push(placeOf(entry, error))
  }
  try {
    const grant = entry.held.find(({ basis }) => basis === 'own') ?? entry.held[0]
    if (grant === undefined) throw damagedFor('no_grant')
    const opened = await use.openEntry(entry, grant)
    await withOpened(opened, () => openAll(use, opened, took, note))
  } catch (error) {
    note(error)
  }
  return found
}

/** All segments: from the first, and again from the one after each that does not open. */
async function openAll(
  { blobs }: Dependencies,
  { entry, key, metadata }: OpenedEntry,
  took: Took,
  note: (error: unknown) => void,
): Promise<void> {
  const { sealedId, segmentSizeLog2 } = entry.version
  const { size: dataLength, sha256 } = metadata
  const sealedBytes = await blobs.open(sealedId)
  const hash = createHash('sha256')
  const range = { key, sealedId, sealedBytes, dataLength, end: dataLength }
  let faults = 0
  try {
    let start: number | undefined = 0
    while (start !== undefined) {
      const fault: unknown = await faultIn(openRange({ ...range, start }), hash, took)
      if (fault === undefined) break
      note(fault)
      faults += 1
      start = startAfter(fault, segmentSizeLog2, dataLength)
    }
  } finally {
    await sealedBytes.close()
  }
  if (faults === 0 && hash.digest('hex') !== sha256) note(damagedFor('sha256'))
}

/** Reads to the end, or to what it fails with. */
async function faultIn(pieces: AsyncIterable<Buffer>, hash: Hash, took: Took): Promise<unknown> {
  try {
    for await (const piece of pieces) {
      hash.update(piece)
      await took(piece.length)
    }
    return undefined
  } catch (error) {
    return error
  }
}

/** Where the segment after the one that does not open begins; nothing where none does. */
function startAfter(error: unknown, segmentSizeLog2: number, end: number): number | undefined {
  const segment = isStrongroomError(error) ? error.context['segment'] : undefined
  const start = typeof segment === 'number' ? (segment + 1) * 2 ** segmentSizeLog2 : end
  return start < end ? start : undefined
}

/** What a disk answers where a sector has gone bad, or its file system is broken there. */
const unreadable = new Set<unknown>(['EIO', 'EUCLEAN', 'EBADMSG'])

/** Throws on what is no damage. */
function placeOf({ version: row }: FileEntry, error: unknown): DamagedPlace {
  const isBad =
    isStrongroomError(error, 'storage_unavailable') && unreadable.has(error.context['errno'])
  if (!isBad && !isStrongroomError(error, 'damaged')) throw error
  const { segment, reason = isBad ? 'unreadable' : undefined } = error.context
  return {
    ...{ file_id: row.fileId, version: row.version, sealed_id: row.sealedId },
    segment: typeof segment === 'number' || segment === 'metadata' ? segment : null,
    reason: typeof reason === 'string' ? reason : 'missing',
  }
}

function damagedFor(reason: string): StrongroomError {
  return new StrongroomError('damaged', { context: { reason } })
}

async function putOnRecord({ db }: Dependencies, { file, version }: FileEntry): Promise<void> {
  await db.transaction(async ({ audit }) => {
    await audit.append(
      auditEvent(systemActor('scrub'), {
        action: 'storage.scrub',
        outcome: 'failed',
        reason: 'damaged',
        fileId: file.fileId,
        patientId: file.kind === 'record' ? file.ownerId : undefined,
        version: version.version,
      }),
    )
  })
}

/** Waits, after each piece, for as long as it was read too fast. */
function throttle(bytesPerSecond: number, signal: AbortSignal | undefined): Took {
  let ahead = 0
  let last = performance.now()
  return async (bytes) => {
    const now = performance.now()
    ahead = Math.max(ahead - (now - last), 0) + (bytes * 1000) / bytesPerSecond
    last = now
    if (ahead > shortestPauseMs)
      await pause(ahead, undefined, signal === undefined ? {} : { signal })
    else signal?.throwIfAborted()
  }
}

/** A timer is not worth less. */
const shortestPauseMs = 20
