import { createHash, type Hash } from 'node:crypto'
import { auditEvent } from '../audit/audit-log.js'
import { systemActor } from '../audit/system-actor.js'
import type { BlobStore, StoredBlob } from '../blobs/blob-store.js'
import { isStrongroomError } from '../errors/strongroom-error.js'
import type { Transactions } from '../ports/transactions.js'
import type { WorkLog } from '../ports/work-log.js'
import { inStep } from './in-step.js'
import type { FileStores } from './ports.js'

export interface MoveOptions {
  /** Destroys what was moved where it came from, once it was read back at its new place. */
  readonly removeSource: boolean
  /** Reads and compares also what is at both places already. */
  readonly verify: boolean
  readonly signal: AbortSignal
  /** Told of each that was looked at. */
  readonly progress: (done: number) => void
}

export interface MoveReport {
  /** Copied, read back from their new place and found the same. */
  readonly copied: number
  readonly bytes: number
  /** There before, with the same length. */
  readonly already: number
  /** Of these read at both places and found the same. */
  readonly compared: number
  readonly removed: number
  /** Deleted by the service while this went on. */
  readonly vanished: number
  /** Whose bytes cannot be read, or are others at the new place: named in the log, and left where they are. */
  readonly damaged: number
}

interface Dependencies {
  readonly db: Transactions<FileStores>
  readonly log: WorkLog
}

type Stores = { readonly from: BlobStore; readonly to: BlobStore }
type Counts = { -readonly [Name in keyof MoveReport]: number }

/** Sealed files under way at a time: small ones wait for the network more than they use it. */
const AT_A_TIME = 4

/**
 * Copies what one store has and the other has not, in the order of ids and in constant memory, while the
 * service goes on with both. What was copied is read back and compared before it counts. Broken off at any point
 * it is begun anew, and finds what is there. Sealed bytes are never changed, so whoever reads meanwhile
 * reads the same at either place.
 */
export function moveBlobs(use: Dependencies) {
  return async (stores: Stores, options: MoveOptions): Promise<MoveReport> => {
    const counts: Counts = {
      ...{ copied: 0, bytes: 0, already: 0, compared: 0, removed: 0, vanished: 0, damaged: 0 },
    }
    const idOf = { left: ({ id }: StoredBlob) => id, right: ({ id }: StoredBlob) => id }
    const sources = inStep(stores.from.list(), stores.to.list(), idOf)
    let done = 0
    await severalAtATime(sources, async ({ left, right }) => {
      options.signal.throwIfAborted()
      if (left === undefined) return
      await moveOne(use, stores, { left, right, counts, options })
      options.progress(++done)
    })
    await putOnRecord(use, counts)
    use.log.info({ ...counts }, 'sealed files moved')
    return counts
  }
}

interface One {
  readonly left: StoredBlob
  readonly right: StoredBlob | undefined
  readonly counts: Counts
  readonly options: MoveOptions
}

async function moveOne(use: Dependencies, stores: Stores, { left, right, counts, options }: One) {
  const { signal, removeSource, verify } = options
  const { id, length } = left
  try {
    if (right?.length === length) {
      counts.already += 1
      if (!verify && !removeSource) return
      if ((await digestOf(stores.from, id)) !== (await digestOf(stores.to, id))) throw differs
      counts.compared += 1
    } else {
      if (right !== undefined) throw differs
      await copy(stores, id, signal)
      counts.copied += 1
      counts.bytes += length
    }
    if (!removeSource) return
    await stores.from.remove(id)
    counts.removed += 1
  } catch (error) {
    if (error !== differs && !isStrongroomError(error, 'damaged')) throw error
    if (error !== differs && (await isGone(stores.from, id))) {
      counts.vanished += 1
      return
    }
    counts.damaged += 1
    use.log.error({ sealed_id: id, reason: error === differs ? 'differs' : 'damaged' }, 'damaged')
  }
}

const differs = new Error('not the same at both places')

async function copy({ from, to }: Stores, id: string, signal: AbortSignal): Promise<void> {
  const blob = await from.open(id)
  const sent = createHash('sha256')
  try {
    await to.put(id, hashed(blob.read(0, blob.length), sent), { signal })
  } finally {
    await blob.close()
  }
  if ((await digestOf(to, id)) === sent.digest('hex')) return
  await to.remove(id)
  throw differs
}

async function* hashed(bytes: AsyncIterable<Uint8Array>, hash: Hash): AsyncGenerator<Uint8Array> {
  for await (const piece of bytes) {
    hash.update(piece)
    yield piece
  }
}

async function digestOf(store: BlobStore, id: string): Promise<string> {
  const blob = await store.open(id)
  const hash = createHash('sha256')
  try {
    for await (const piece of blob.read(0, blob.length)) hash.update(piece)
    return hash.digest('hex')
  } finally {
    await blob.close()
  }
}

async function isGone(store: BlobStore, id: string): Promise<boolean> {
  try {
    await (await store.open(id)).close()
    return false
  } catch (error) {
    if (isStrongroomError(error, 'damaged')) return true
    throw error
  }
}

/** What fails first ends it, once those under way have ended. */
async function severalAtATime<T>(
  source: AsyncIterable<T>,
  work: (each: T) => Promise<void>,
): Promise<void> {
  const underWay = new Set<Promise<void>>()
  try {
    for await (const each of source) {
      const one = work(each)
      one.catch(() => undefined)
      underWay.add(one)
      one.then(
        () => underWay.delete(one),
        () => undefined,
      )
      if (underWay.size >= AT_A_TIME) await Promise.race(underWay)
    }
    await Promise.all(underWay)
  } finally {
    await Promise.allSettled(underWay)
  }
}

async function putOnRecord(use: Dependencies, { copied, removed, damaged }: Counts): Promise<void> {
  if (copied === 0 && removed === 0 && damaged === 0) return
  await use.db.transaction(async (stores) => {
    await stores.audit.append(
      auditEvent(systemActor('migrate'), {
        action: 'storage.migrate',
        outcome: damaged === 0 ? 'success' : 'failed',
        ...(damaged === 0 ? {} : { reason: 'damaged' }),
        bytes: copied,
      }),
    )
  })
}
