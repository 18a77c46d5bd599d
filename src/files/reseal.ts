import { randomUUID } from 'node:crypto'
import { auditEvent } from '../audit/audit-log.js'
import { systemActor } from '../audit/system-actor.js'
import type { BlobStore } from '../blobs/blob-store.js'
import { FernetKey } from '../crypto/fernet-key.js'
import { openRange } from '../crypto/open-stream.js'
import { sealStream } from '../crypto/seal-stream.js'
import { SegmentSealer } from '../crypto/segment-sealer.js'
import { isStrongroomError, StrongroomError } from '../errors/strongroom-error.js'
import type { JobRow, JobStore } from '../jobs/ports.js'
import type { KeyRing } from '../keys/key-ring.js'
import type { Transactions } from '../ports/transactions.js'
import type { WorkLog } from '../ports/work-log.js'
import { actionOf } from './file-action.js'
import { isSameContent, sealFileMetadata } from './file-metadata.js'
import { type OpenEntry, type OpenedEntry, withOpened } from './open-entry.js'
import type {
  FileEntry,
  FileRow,
  FileStores,
  ResealStore,
  SweepStore,
  VersionPlace,
  WrappedKeyRow,
} from './ports.js'

/** Whose files, or which one. */
export type ResealWish = { readonly userId: string } | { readonly fileId: string }

export interface ResealReport {
  /** Versions sealed anew, and their bytes of content. */
  readonly versions: number
  readonly bytes: number
}

export interface ResealContext {
  readonly signal?: AbortSignal | undefined
  /** The version after which to begin: where an earlier one was broken off. */
  readonly after?: VersionPlace | undefined
  /** Told after each version how many there were, of how many, and which was the last. */
  readonly progress?: (done: number, total: number, last: VersionPlace) => Promise<void>
}

export type Reseal = (wish: ResealWish, context?: ResealContext) => Promise<ResealReport>

/** The kind of the job that destroys bytes once nobody who had opened them can still be reading. */
export const DESTROY_BYTES = 'destroy-bytes'

interface Dependencies {
  readonly db: Transactions<FileStores & { readonly reseal: ResealStore; readonly jobs: JobStore }>
  readonly blobs: Pick<BlobStore, 'open' | 'put' | 'remove'>
  readonly keyRing: Pick<KeyRing, 'wrapFileKey'>
  readonly openEntry: OpenEntry
  readonly log: Pick<WorkLog, 'info' | 'error'>
}

const BATCH = 100
/** Milliseconds the bytes before stay: a reader has looked up where they are and not opened them yet. */
const KEEP_MS = 15 * 60_000
/** Times a version whose grants change meanwhile is tried again. */
const MOST_ATTEMPTS = 5

/**
 * Seals every version of a file, or of all files a person can open, under a fresh key and a fresh id, and
 * wraps that for everyone who holds it: what a leaked key opened, it opens no more, but for copies made
 * before. Content, versions and grants stay as they are, deleted files included; readers go on meanwhile.
 * The bytes are verified against the digest in the metadata before they take the place of the old.
 *
 * @throws StrongroomError `not_found` where there is nothing of it; `damaged` where a version does not
 *   open: those before it are sealed anew, it and those after it are as they were
 */
export function reseal(use: Dependencies): Reseal {
  return async (wish, { signal, after, progress } = {}) => {
    const { stores } = use.db
    const total = await stores.reseal.countVersions(wish)
    if (total === 0 && after === undefined) {
      throw new StrongroomError('not_found', {
        detail: 'There is nothing of theirs, or no such file',
      })
    }
    const counts = { versions: 0, bytes: 0 }
    for await (const place of versionsOf(use, wish, after)) {
      signal?.throwIfAborted()
      const bytes = await resealVersion(use, place, signal)
      if (bytes === undefined) continue
      counts.versions += 1
      counts.bytes += bytes
      await progress?.(counts.versions, Math.max(total, counts.versions), place)
    }
    return counts
  }
}

async function* versionsOf(
  { db }: Dependencies,
  wish: ResealWish,
  after: VersionPlace | undefined,
): AsyncGenerator<VersionPlace, void> {
  let rows = await db.stores.reseal.versionsAfter(wish, after, BATCH)
  while (rows.length > 0) {
    yield* rows
    rows = await db.stores.reseal.versionsAfter(wish, rows.at(-1), BATCH)
  }
}

/** Its bytes of content; nothing where it was destroyed meanwhile. */
async function resealVersion(
  use: Dependencies,
  place: VersionPlace,
  signal: AbortSignal | undefined,
): Promise<number | undefined> {
  for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
    const entry = await entryOf(use, place)
    if (entry === undefined) return undefined
    const grant = entry.held.find(({ basis }) => basis === 'own') ?? entry.held[0]
    if (grant === undefined) throw damaged(entry, 'no_grant')
    const opened = await use.openEntry(entry, grant)
    const isDone = await withOpened(opened, () => sealAnew(use, opened, signal)).catch(changed)
    if (isDone) return opened.metadata.size
  }
  throw new StrongroomError('conflict', { detail: 'The file changes all the time: try again' })
}

/** A holder was erased, or their key turned, while it was wrapped for them: as other rows that change. */
function changed(error: unknown): false {
  const isTurned =
    isStrongroomError(error, 'keys_unavailable') && error.context['reason'] === 'turned_meanwhile'
  if (isTurned || isStrongroomError(error, 'person_erased')) return false
  throw error
}

/** The version with everyone's grant on it. */
async function entryOf(
  { db }: Dependencies,
  { fileId, version }: VersionPlace,
): Promise<FileEntry | undefined> {
  const file = await db.stores.files.find(fileId)
  if (file === undefined) return undefined
  const row = (await db.stores.files.versions(fileId)).find((each) => each.version === version)
  if (row === undefined) return undefined
  return { file, version: row, held: await db.stores.reseal.holders(row.sealedId) }
}

/** False where the rows changed meanwhile: nothing is left of it then. */
async function sealAnew(
  use: Dependencies,
  opened: OpenedEntry,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const sealedId = randomUUID()
  const key = FernetKey.generate()
  await use.db.stores.files.insertIntent(sealedId, new Date())
  let isCommitted = false
  try {
    const sealedLength = await copy(use, opened, { sealedId, key, signal })
    isCommitted = await commit(use, opened, { sealedId, key, sealedLength })
    return isCommitted
  } catch (error) {
    // It may be committed: the sweep finds out.
    if (isStrongroomError(error, 'commit_unknown')) isCommitted = true
    throw error
  } finally {
    key.destroy()
    if (!isCommitted) await discard(use, sealedId)
  }
}

interface Fresh {
  readonly sealedId: string
  readonly key: FernetKey
}

/** Every segment is opened, sealed under the fresh key, and stored; the bytes of the sealed file. */
async function copy(
  { blobs }: Dependencies,
  { entry, key, metadata }: OpenedEntry,
  { signal, ...fresh }: Fresh & { readonly signal: AbortSignal | undefined },
): Promise<number> {
  const { sealedId, segmentSizeLog2 } = entry.version
  const { size: dataLength } = metadata
  const sealedBytes = await blobs.open(sealedId)
  try {
    const range = { key, sealedId, sealedBytes, dataLength, start: 0, end: dataLength }
    const sealer = new SegmentSealer({ ...fresh, segmentSizeLog2 })
    const { length } = await blobs.put(fresh.sealedId, sealStream(openRange(range), sealer), {
      signal,
    })
    if (!isSameContent(metadata, sealer.size, sealer.sha256)) throw damaged(entry, 'sha256')
    return length
  } finally {
    await sealedBytes.close()
  }
}

async function commit(
  use: Dependencies,
  { entry, metadata }: OpenedEntry,
  { sealedId, key, sealedLength }: Fresh & { readonly sealedLength: number },
): Promise<boolean> {
  const { file, version, held } = entry
  const wrapped: WrappedKeyRow[] = []
  for (const grant of held) {
    const row = await use.keyRing.wrapFileKey(key, sealedId, grant)
    wrapped.push({ sealedId, grantId: grant.grantId, ...row })
  }
  const next = { ...version, sealedId, sealedLength }
  const sealedMetadata = sealFileMetadata(key, next, metadata)
  return await use.db.transaction(async (stores) => {
    if ((await stores.files.lockFile(file.fileId)) === undefined) return false
    const now = await stores.reseal.holders(version.sealedId)
    if (idsOf(now) !== idsOf(held)) return false
    if (!(await stores.reseal.replace(version, { ...next, metadata: sealedMetadata }))) return false
    for (const row of wrapped) await stores.files.insertWrappedKey(row)
    await stores.files.removeIntent(sealedId)
    const job = { jobId: version.sealedId, kind: DESTROY_BYTES }
    // Whoever shreds the file or the version finds these bytes by it.
    const about = { fileId: file.fileId, version: String(version.version) }
    const payload = { sealedId: version.sealedId, ...about }
    await stores.jobs.add({ ...job, payload }, new Date(Date.now() + KEEP_MS))
    await stores.audit.append(resealed(file, version.version, metadata.size))
    return true
  })
}

function resealed(file: FileRow, version: number, bytes: number) {
  return auditEvent(systemActor('reseal'), {
    action: actionOf(file.kind, 'reseal'),
    outcome: 'success',
    fileId: file.fileId,
    patientId: file.kind === 'record' ? file.ownerId : undefined,
    version,
    bytes,
  })
}

/** Never rejects: what cannot be removed now is debris, and why it came to nothing is what counts. */
async function discard({ blobs, db, log }: Dependencies, sealedId: string): Promise<void> {
  try {
    await blobs.remove(sealedId)
    await db.stores.files.removeIntent(sealedId)
  } catch (err) {
    log.error({ sealed_id: sealedId, err }, 'debris left behind')
  }
}

/** Job handler: destroys the bytes before, unless a row says they are somebody's. */
export function destroyBytes({
  db,
  blobs,
}: {
  readonly db: Transactions<{ readonly sweep: Pick<SweepStore, 'storedVersion'> }>
  readonly blobs: Pick<BlobStore, 'remove'>
}) {
  return async ({ payload: { sealedId } }: Pick<JobRow, 'payload'>): Promise<void> => {
    if (sealedId === undefined) throw new StrongroomError('internal')
    if ((await db.stores.sweep.storedVersion(sealedId)) !== undefined) return
    await blobs.remove(sealedId)
  }
}

function damaged({ version: { sealedId } }: FileEntry, reason: string): StrongroomError {
  return new StrongroomError('damaged', { context: { sealed_id: sealedId, reason } })
}

function idsOf(grants: readonly { readonly grantId: string }[]): string {
  return grants.map(({ grantId }) => grantId).join()
}
