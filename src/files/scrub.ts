import { setTimeout as pause } from 'node:timers/promises'
import { auditEvent } from '../audit/audit-log.js'
import { systemActor } from '../audit/system-actor.js'
import type { BlobStore } from '../blobs/blob-store.js'
import { isStrongroomError, StrongroomError } from '../errors/strongroom-error.js'
import type { Transactions } from '../ports/transactions.js'
import type { WorkLog } from '../ports/work-log.js'
import { type OpenEntry, withOpened } from './open-entry.js'
import { type EverySegment, isUnreadable, openEverySegment } from './open-every-segment.js'
import type { FileEntry, FileStores, StoredVersion, SweepStore } from './ports.js'

export interface ScrubOptions {
  /** Bytes of content a second, at most. */
  readonly bytesPerSecond: number
  /** The sealed id after which to begin: where an earlier scrub was broken off. */
  readonly after?: string | undefined
  /** Goes on, and names all, also where everything is missing. */
  readonly force?: boolean
}

/** What was found damaged: a segment, or the file as a whole. */
export interface DamagedPlace {
  readonly file_id: string
  readonly version: number
  readonly sealed_id: string
  /** Index of the segment; `metadata`; `key`: a wrapping on the way to it; null: header, or the whole. */
  readonly segment: number | 'metadata' | 'key' | null
  readonly reason: string
}

export interface ScrubReport {
  /** Everything looked at was missing, so it was broken off: this may not be the right storage. */
  readonly refused: boolean
  /** Sealed files opened from end to end, and their bytes of content. */
  readonly checked: number
  readonly bytes: number
  readonly damaged_files: number
  /** Of the damaged places the first hundred; the log names all. */
  readonly damaged: readonly DamagedPlace[]
}

export interface ScrubContext {
  readonly signal?: AbortSignal
  /**
   * Told after each file how many there were so far, and the sealed id to go on after: not while it
   * is not sure that this is the right storage.
   */
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
/** So many missing in a row, and it is the storage that is not there: a mount gone, another bucket. */
const MISSING_IN_A_ROW = 20

/**
 * Opens every segment of every version of every file, and compares the whole with the SHA-256 in its
 * sealed metadata: what nobody reads decays unseen. Nothing is given out, and nothing is changed. Goes
 * in the order of sealed ids at the rate given; what is damaged is on record and in the log. Where file
 * after file is missing it is broken off, and none of these is called damaged.
 */
export function scrub(use: Dependencies): Scrub {
  return async (options, { signal, progress } = {}) => {
    const pace = throttle(options.bytesPerSecond, signal)
    const tally = tallyOf(use, options, pace)
    let refused = false
    for await (const row of versions(use, options.after)) {
      signal?.throwIfAborted()
      await tally.add(await scrubOne(use, row, tally.took))
      refused = tally.isSuspicious()
      if (refused) break
      if (tally.isSettled()) await progress?.(tally.counts.checked, row.sealedId)
    }
    refused ||= tally.isAllMissing()
    if (refused) await refuse(use, tally.counts.checked)
    else await tally.settle()
    use.log.info({ ...tally.counts, refused }, 'scrubbed')
    return { refused, ...tally.counts, damaged: tally.damaged }
  }
}

/** What was found in one file; no places: it is sound. */
interface Found {
  readonly entry: FileEntry
  readonly places: readonly DamagedPlace[]
}

/** Keeps what is missing back until something is found to be there. */
function tallyOf(use: Dependencies, { after, force }: ScrubOptions, pace: Pace) {
  const damaged: DamagedPlace[] = []
  const counts = { checked: 0, bytes: 0, damaged_files: 0 }
  let missing: Found[] = []

  async function settle(): Promise<void> {
    const found = missing
    missing = []
    for (const one of found) await tell(one)
  }

  async function tell({ entry, places }: Found): Promise<void> {
    counts.damaged_files += 1
    damaged.push(...places.slice(0, Math.max(MOST_NAMED - damaged.length, 0)))
    for (const { segment, ...place } of places) {
      use.log.error({ ...place, segment: segment ?? undefined }, 'damaged')
    }
    await putOnRecord(use, 'damaged', entry)
  }

  return {
    counts,
    damaged,
    settle,
    took: async (bytes: number, isOpened: boolean) => {
      if (isOpened) counts.bytes += bytes
      await pace(bytes)
    },
    async add(found: Found | undefined): Promise<void> {
      if (found === undefined) return
      counts.checked += 1
      const isMissing = found.places.some(({ reason }) => reason === 'missing')
      if (isMissing && force !== true) {
        missing.push(found)
        return
      }
      await settle()
      if (found.places.length > 0) await tell(found)
    },
    isSettled: () => missing.length === 0,
    isSuspicious: () => missing.length >= MISSING_IN_A_ROW,
    /** The one file there is may be missing; of what was looked at before nothing is known here. */
    isAllMissing: () =>
      after === undefined && missing.length > 1 && missing.length === counts.checked,
  }
}

async function refuse(use: Dependencies, checked: number): Promise<void> {
  use.log.error({ checked, reason: 'missing' }, 'scrub refused: is this the right storage?')
  await putOnRecord(use, 'refused')
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
): Promise<Found | undefined> {
  const entry = await entryOf(use, row)
  if (entry === undefined) return undefined
  const places = await damageOf(use, entry, took)
  // A purge takes row and bytes away under a reader.
  if (places.length > 0 && (await entryOf(use, row)) === undefined) return undefined
  return { entry, places }
}

type Took = EverySegment['took']
type Pace = (bytes: number) => Promise<void>

/** With a grant that stands, the owner's first. Without an owner's key nothing may stand: it is passed over. */
async function entryOf({ db }: Dependencies, row: StoredVersion): Promise<FileEntry | undefined> {
  const { files } = db.stores
  const file = await files.find(row.fileId)
  if (file === undefined) return undefined
  if (!(await files.isOwnerErased(row.fileId))) {
    return await files.storedEntry(row.fileId, file.ownerId, row.version)
  }
  const [grant] = await files.grants(row.fileId)
  return grant === undefined
    ? undefined
    : await files.storedEntry(row.fileId, grant.userId, row.version)
}

/** Opens one version, from end to end, with the owner's grant. */
export async function damageOf(
  use: Pick<Dependencies, 'openEntry' | 'blobs'>,
  entry: FileEntry,
  took: Took,
): Promise<DamagedPlace[]> {
  const found: DamagedPlace[] = []
  const note = (error: unknown) => {
    found.push(placeOf(entry, error))
  }
  try {
    const grant = entry.held.find(({ basis }) => basis === 'own') ?? entry.held[0]
    if (grant === undefined) throw damagedFor('no_grant')
    const opened = await use.openEntry(entry, grant).catch(namingTheKey)
    await withOpened(opened, () => openEverySegment(use, opened, { took, note }))
  } catch (error) {
    note(error)
  }
  return found
}

/** Throws on what is no damage. */
function placeOf({ version: row }: FileEntry, error: unknown): DamagedPlace {
  const isBad = isUnreadable(error)
  if (!isBad && !isStrongroomError(error, 'damaged')) throw error
  const { segment, reason = isBad ? 'unreadable' : undefined } = error.context
  return {
    ...{ file_id: row.fileId, version: row.version, sealed_id: row.sealedId },
    segment:
      typeof segment === 'number' || segment === 'metadata' || segment === 'key' ? segment : null,
    reason: typeof reason === 'string' ? reason : 'missing',
  }
}

/** What does not open before the metadata does is the file's key as wrapped, or its person's. */
function namingTheKey(error: unknown): never {
  if (!isStrongroomError(error, 'damaged') || error.context['segment'] !== undefined) throw error
  throw new StrongroomError('damaged', { context: { ...error.context, segment: 'key' } })
}

function damagedFor(reason: string): StrongroomError {
  return new StrongroomError('damaged', { context: { reason } })
}

async function putOnRecord(
  { db }: Dependencies,
  reason: 'damaged' | 'refused',
  entry?: FileEntry,
): Promise<void> {
  await db.transaction(async ({ audit }) => {
    await audit.append(
      auditEvent(systemActor('scrub'), {
        action: 'storage.scrub',
        outcome: 'failed',
        reason,
        ...(entry === undefined ? {} : subject(entry)),
      }),
    )
  })
}

const subject = ({ file, version }: FileEntry) => ({
  fileId: file.fileId,
  patientId: file.kind === 'record' ? file.ownerId : undefined,
  version: version.version,
})

/** Waits, after each piece, for as long as it was read too fast. */
function throttle(bytesPerSecond: number, signal: AbortSignal | undefined): Pace {
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
