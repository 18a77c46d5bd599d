import { auditEvent } from '../audit/audit-log.js'
import { systemActor } from '../audit/system-actor.js'
import type { BlobStore, StoredBlob } from '../blobs/blob-store.js'
import { isStrongroomError } from '../errors/strongroom-error.js'
import type { Transactions } from '../ports/transactions.js'
import type { WorkLog } from '../ports/work-log.js'
import { inStep } from './in-step.js'
import type { FileStores, StoredVersion, SweepStore } from './ports.js'

export interface SweepOptions {
  /** Says what would be done, and does nothing. */
  readonly dryRun: boolean
  /** Hours; what is younger may belong to an upload under way. */
  readonly graceHours: number
  /** Days; what was set aside so long ago is destroyed. */
  readonly keepDays: number
  /** Sets debris aside also where there is suspiciously much of it. */
  readonly force?: boolean
}

export interface SweepReport {
  readonly dry_run: boolean
  /** More debris than kills leave: the database may be another's, and nothing was removed. */
  readonly refused: boolean
  /** Sealed bytes that are where a row says, with the length it says. */
  readonly sound: number
  /** Sealed bytes that no row knows, past the grace time: set aside, where a row finds them again. */
  readonly orphans: number
  readonly orphan_bytes: number
  /** Of those set aside earlier: destroyed, as no row has asked for them in all that time. */
  readonly destroyed: number
  /** The same, younger: left alone. */
  readonly young: number
  /** Intents of uploads that came to nothing: removed. */
  readonly intents: number
  /** Files half written by processes that are gone: removed. */
  readonly half_written: number
  /** Rows whose bytes are missing or of another length: damage, named in the log, never touched. */
  readonly damaged: number
}

/** Told now and again how many sealed files were looked at. */
export type SweepProgress = (done: number) => void

export type Sweep = (
  options: SweepOptions,
  context?: { readonly signal?: AbortSignal; readonly progress?: SweepProgress },
) => Promise<SweepReport>

interface Dependencies {
  readonly db: Transactions<FileStores & { readonly sweep: SweepStore }>
  readonly blobs: Pick<BlobStore, 'list' | 'open' | 'setAside' | 'removeAside' | 'removeDebris'>
  readonly log: WorkLog
}

const HOUR_MS = 3_600_000
const BATCH = 500
const TELL_EVERY = 100

/** Debris below this is not too much where anything is sound; above, more than a tenth of that. */
const MUCH_DEBRIS = 100
const DAY_MS = 24 * HOUR_MS

type Counts = { -readonly [Name in keyof Omit<SweepReport, 'dry_run' | 'refused'>]: number }

/**
 * Compares what is stored with what the database knows, both ways, in the order of sealed ids and in
 * constant memory. Bytes that no row knows are debris of uploads and deletions that were cut off; a
 * row without its bytes is damage and stays. What is found is looked at again before it counts, as
 * uploads go on meanwhile. Nothing is destroyed here but what was set aside long ago: who points the
 * service at another database, or restores an old one, must not lose a file by it. It is counted first, so
 * that nothing is touched where the numbers make no sense. May be broken off at any point and begun anew.
 */
export function sweep(use: Dependencies): Sweep {
  return async (options, { signal, progress } = {}) => {
    const tour = {
      before: new Date(Date.now() - options.graceHours * HOUR_MS),
      keepMs: options.keepDays * DAY_MS,
      ...{ signal, progress },
    }
    let counts = await goRound(use, { ...tour, dryRun: true })
    const refused = options.force !== true && makesNoSense(counts)
    if (!options.dryRun) {
      // Before anything is touched: it may be broken off then.
      await putOnRecord(use, counts, refused)
      if (!refused) counts = await goRound(use, { ...tour, dryRun: false })
    }
    const report = { dry_run: options.dryRun, refused, ...counts }
    if (refused) use.log.error({ ...report }, 'swept')
    else use.log.info({ ...report }, 'swept')
    return report
  }
}

function makesNoSense({ orphans, sound }: Counts): boolean {
  return orphans > (sound === 0 ? 0 : Math.max(MUCH_DEBRIS, sound / 10))
}

interface Tour {
  readonly dryRun: boolean
  readonly before: Date
  readonly keepMs: number
  readonly signal: AbortSignal | undefined
  readonly progress: SweepProgress | undefined
}

async function goRound(use: Dependencies, tour: Tour): Promise<Counts> {
  const { before, dryRun, keepMs, progress, signal } = tour
  const counts: Counts = {
    ...{ sound: 0, orphans: 0, orphan_bytes: 0, destroyed: 0, young: 0 },
    ...{ intents: 0, half_written: 0, damaged: 0 },
  }
  let done = 0
  const rows = inBatches((after?: StoredVersion) =>
    use.db.stores.sweep.versionsAfter(after?.sealedId, BATCH),
  )
  const idOf = { left: ({ id }: StoredBlob) => id, right: (row: StoredVersion) => row.sealedId }
  for await (const { left: blob, right: row } of inStep(use.blobs.list(), rows, idOf)) {
    signal?.throwIfAborted()
    if (blob !== undefined && blob.length === row?.sealedLength) counts.sound += 1
    else if (row !== undefined) await lookAtDamage(use, counts, row, tour)
    else if (blob !== undefined) await lookAtOrphan(use, counts, blob, tour)
    if (++done % TELL_EVERY === 0) progress?.(done)
  }
  await removeIntents(use, counts, tour)
  counts.destroyed = await use.blobs.removeAside(keepMs, { dryRun })
  counts.half_written = await use.blobs.removeDebris(Date.now() - before.getTime(), { dryRun })
  progress?.(done)
  return counts
}

async function* inBatches<T>(next: (after?: T) => Promise<T[]>): AsyncGenerator<T, void> {
  for (let batch = await next(); batch.length > 0; batch = await next(batch.at(-1))) yield* batch
}

/** The row may be gone by now, or the bytes there: the file may have been purged or made meanwhile. */
async function lookAtDamage(
  use: Dependencies,
  counts: Counts,
  row: StoredVersion,
  { dryRun }: Tour,
): Promise<void> {
  const length = await lengthOf(use, row.sealedId)
  const now = await use.db.stores.sweep.storedVersion(row.sealedId)
  if (now === undefined) return
  if (length === now.sealedLength) {
    counts.sound += 1
    return
  }
  counts.damaged += 1
  // Once a sweep: each begins with a dry tour.
  if (!dryRun) return
  const reason = length === undefined ? 'missing' : 'length'
  const { fileId, version, sealedId } = row
  use.log.error({ file_id: fileId, version, sealed_id: sealedId, reason }, 'damaged')
}

/** Bytes under this id; nothing where there is nothing. */
async function lengthOf({ blobs }: Dependencies, sealedId: string): Promise<number | undefined> {
  try {
    const blob = await blobs.open(sealedId)
    await blob.close()
    return blob.length
  } catch (error) {
    if (isStrongroomError(error, 'damaged')) return undefined
    throw error
  }
}

async function lookAtOrphan(
  use: Dependencies,
  counts: Counts,
  blob: StoredBlob,
  { before, dryRun }: Tour,
): Promise<void> {
  if (blob.modifiedAt > before) {
    counts.young += 1
    return
  }
  if ((await use.db.stores.sweep.storedVersion(blob.id)) !== undefined) return
  counts.orphans += 1
  counts.orphan_bytes += blob.length
  if (dryRun) return
  await use.blobs.setAside(blob.id)
  use.log.info({ sealed_id: blob.id, bytes: blob.length }, 'debris set aside')
}

/** After the bytes, so that a sweep cut off between them finds these again. */
async function removeIntents(
  use: Dependencies,
  counts: Counts,
  { before, dryRun, signal }: Tour,
): Promise<void> {
  const stale = inBatches((after?: string) =>
    use.db.stores.sweep.intentsBefore(before, after, BATCH),
  )
  for await (const sealedId of stale) {
    signal?.throwIfAborted()
    counts.intents += 1
    if (!dryRun) await use.db.stores.files.removeIntent(sealedId)
  }
}

async function putOnRecord(
  use: Dependencies,
  { orphans, damaged, destroyed }: Counts,
  refused: boolean,
): Promise<void> {
  if (orphans === 0 && damaged === 0 && destroyed === 0) return
  const reason = damaged > 0 ? 'damaged' : refused ? 'refused' : undefined
  await use.db.transaction(async (stores) => {
    await stores.audit.append(
      auditEvent(systemActor('sweep'), {
        action: 'storage.sweep',
        outcome: reason === undefined ? 'success' : 'failed',
        reason,
        bytes: refused ? 0 : orphans + destroyed,
      }),
    )
  })
}
