import { randomUUID } from 'node:crypto'
import type { BlobStore } from '../blobs/blob-store.js'
import { type Clock, timed } from '../blobs/timed.js'
import { FernetKey } from '../crypto/fernet-key.js'
import { sealStream } from '../crypto/seal-stream.js'
import { SegmentSealer } from '../crypto/segment-sealer.js'
import { StrongroomError } from '../errors/strongroom-error.js'
import type { Meter } from '../ports/meter.js'
import type { Transactions } from '../ports/transactions.js'
import type { WorkLog } from '../ports/work-log.js'
import { parseDigestHeader } from './content-digest.js'
import type { FileStores } from './ports.js'
import { sniffLength, sniffType } from './sniff-type.js'

/** A file as it comes in: not trusted, to be read once. */
export interface IncomingFile {
  readonly filename: string | undefined
  /** Declared type, in lower case without parameters; empty: none. */
  readonly contentType: string
  /** The part's `Content-Digest`. */
  readonly contentDigest: string | undefined
  readonly bytes: AsyncIterable<Buffer>
}

/** Bytes sealed and durable under a key nobody holds yet. Either they are committed or discarded. */
export interface SealedUpload {
  readonly key: FernetKey
  readonly sealedId: string
  readonly sealedLength: number
  readonly segmentSizeLog2: number
  readonly size: number
  readonly sha256: Buffer
  readonly contentType: string
  readonly filename: string | undefined
  /** Digest the part declared for itself. */
  readonly declaredDigest: Buffer | undefined
  /** Whether an intent row tells of the bytes: the commit removes it. */
  readonly hasIntent: boolean
  /** Overwrites the key. To be called however it ends. */
  close(): void
  /**
   * Removes bytes and intent: for an upload that comes to nothing. Never rejects: what cannot be
   * removed now is debris, named in the log, and the reason why it came to nothing is what counts.
   */
  discard(): Promise<void>
}

export interface IncomingLimits {
  /** Bytes. */
  readonly maxBytes: number
  readonly allowedTypes: readonly string[]
}

/** The same for one body: 'any' for a piece of a file, which is of no type by itself. */
export interface SealLimits {
  /** Bytes. */
  readonly maxBytes: number
  readonly allowedTypes: readonly string[] | 'any'
}

export type SealIncoming = (file: IncomingFile, limits: SealLimits) => Promise<SealedUpload>

interface Dependencies {
  readonly blobs: Pick<BlobStore, 'put' | 'remove'>
  readonly db: Transactions<Pick<FileStores, 'files'>>
  readonly segmentSizeLog2: number
  readonly log: Pick<WorkLog, 'info' | 'error'>
  readonly meter?: Pick<Meter, 'sealed'> | undefined
}

/**
 * Sniff, count, hash, seal and store in one pass, in constant memory. Draws a fresh key and sealed id.
 * Throws `type_not_allowed`, `type_mismatch`, `file_too_large`, `storage_unavailable`, and whatever
 * the source throws; nothing is left then.
 */
export function sealIncoming(use: Dependencies): SealIncoming {
  const seal = sealingFrom(use)
  return async (file, limits) => {
    const source = counted(file.bytes, limits.maxBytes)
    try {
      return await seal(file, limits, source)
    } catch (error) {
      // Whatever it was: who gives the bytes is told that no more of them are wanted.
      await source.return()
      throw error
    }
  }
}

function sealingFrom({ blobs, db, segmentSizeLog2, log, meter }: Dependencies) {
  return async (
    file: IncomingFile,
    limits: SealLimits,
    source: AsyncIterator<Buffer>,
  ): Promise<SealedUpload> => {
    const start = performance.now()
    const declaredDigest =
      file.contentDigest === undefined ? undefined : parseDigestHeader(file.contentDigest)
    const head = await readHead(source, 2 ** segmentSizeLog2)
    const first = Buffer.concat(head.chunks).subarray(0, sniffLength)
    const contentType =
      limits.allowedTypes === 'any'
        ? 'application/octet-stream'
        : await sniffType(first, file.contentType, limits.allowedTypes)
    const sealedId = randomUUID()
    // A body of one segment needs no intent: the two-way sweep covers it.
    if (!head.ended) await db.stores.files.insertIntent(sealedId, new Date())
    const key = FernetKey.generate()
    const sealer = new SegmentSealer({ key, sealedId, segmentSizeLog2 })
    const tidyUp = async (removal: Promise<unknown> | undefined) => {
      try {
        await removal
        if (!head.ended) await db.stores.files.removeIntent(sealedId)
      } catch (err) {
        log.error({ sealed_id: sealedId, err }, 'debris left behind')
      }
    }
    let sealedLength: number
    const [all, waiting]: [Clock, Clock] = [{ seconds: 0 }, { seconds: 0 }]
    const incoming = timed(replay(head.chunks, source), waiting)
    try {
      const stored = await blobs.put(sealedId, timed(sealStream(incoming, sealer), all))
      sealedLength = stored.length
    } catch (error) {
      key.destroy()
      await tidyUp(undefined)
      throw error
    }
    meter?.sealed(sealer.size, all.seconds - waiting.seconds)
    log.info(
      {
        sealed_id: sealedId,
        bytes: sealer.size,
        sealed_bytes: sealedLength,
        ms: Math.round(performance.now() - start),
      },
      'sealed',
    )
    return {
      key,
      sealedId,
      sealedLength,
      segmentSizeLog2,
      size: sealer.size,
      sha256: sealer.sha256,
      contentType,
      filename: file.filename,
      declaredDigest,
      hasIntent: !head.ended,
      close: () => {
        key.destroy()
      },
      discard: async () => {
        await tidyUp(blobs.remove(sealedId))
      },
    }
  }
}

async function* counted(bytes: AsyncIterable<Buffer>, most: number): AsyncGenerator<Buffer, void> {
  let size = 0
  for await (const chunk of bytes) {
    size += chunk.length
    if (size > most) {
      throw new StrongroomError('file_too_large', { detail: `At most ${most} bytes are taken.` })
    }
    yield chunk
  }
}

/** The first `length` bytes or more, as they came; `ended` where there is nothing after them. */
async function readHead(source: AsyncIterator<Buffer>, length: number) {
  const chunks: Buffer[] = []
  for (let size = 0; size <= length; ) {
    const step = await source.next()
    if (step.done === true) return { chunks, ended: true }
    chunks.push(step.value)
    size += step.value.length
  }
  return { chunks, ended: false }
}

async function* replay(
  chunks: readonly Buffer[],
  rest: AsyncIterator<Buffer>,
): AsyncGenerator<Buffer, void> {
  try {
    yield* chunks
    for (;;) {
      const step = await rest.next()
      if (step.done === true) return
      yield step.value
    }
  } finally {
    await rest.return?.()
  }
}
