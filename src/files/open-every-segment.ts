import { createHash, type Hash } from 'node:crypto'
import type { BlobStore, SealedBlob } from '../blobs/blob-store.js'
import { openRange, readHeader } from '../crypto/open-stream.js'
import { isStrongroomError, StrongroomError } from '../errors/strongroom-error.js'
import type { OpenedEntry } from './open-entry.js'

export interface EverySegment {
  /** Told of bytes of content that were read, and whether they could be opened. */
  readonly took: (bytes: number, isOpened: boolean) => Promise<void>
  /** Told of each fault, which names its segment where it has one. Throws on what is no damage. */
  readonly note: (fault: unknown) => void
}

/**
 * Opens all segments of a version: from the first, and again from the one after each that does not
 * open. Where all do, their whole is compared with the SHA-256 in the metadata. Nothing can be opened
 * past a broken header, or in a file that is not as long as it must be.
 */
export async function openEverySegment(
  { blobs }: { readonly blobs: Pick<BlobStore, 'open'> },
  opened: OpenedEntry,
  told: EverySegment,
): Promise<void> {
  const blob = await blobs.open(opened.entry.version.sealedId)
  try {
    const digest = await openThrough(opened, blob, told)
    if (digest !== undefined && digest !== opened.metadata.sha256) {
      told.note(new StrongroomError('damaged', { context: { reason: 'sha256' } }))
    }
  } finally {
    await blob.close()
  }
}

/** The SHA-256 of all content; nothing where something did not open. */
async function openThrough(
  { key, entry, metadata }: OpenedEntry,
  sealedBytes: SealedBlob,
  { took, note }: EverySegment,
): Promise<string | undefined> {
  const { sealedId } = entry.version
  const header = await readHeader(sealedBytes, sealedId)
  const size = 2 ** header.segmentSizeLog2
  const end = metadata.size
  const hash = createHash('sha256')
  const range = { key, sealedId, sealedBytes, dataLength: end, header }
  let isSound = true
  let isNarrow = false
  for (let start: number | undefined = 0; start !== undefined; ) {
    const stop: number = isNarrow ? Math.min(start + size, end) : end
    const pieces = openRange({ ...range, start, end: stop })
    const { fault, length } = await readOut(pieces, hash, (bytes) => took(bytes, true))
    const reached: number = start + length
    if (fault === undefined) {
      start = stop < end ? stop : undefined
    } else if (isUnreadable(fault) && stop - reached > size) {
      // The disk was asked for more than this segment: it alone is asked for next.
      start = reached
      isNarrow = true
    } else {
      const segment = segmentOf(fault) ?? reached / size
      note(isUnreadable(fault) ? unreadableAt(fault, segment) : fault)
      isSound = false
      isNarrow = false
      await took(Math.min(size, end - reached), false)
      start = (segment + 1) * size < end ? (segment + 1) * size : undefined
    }
  }
  return isSound ? hash.digest('hex') : undefined
}

/** Reads to the end, or to what it fails with: always between two segments. */
async function readOut(
  pieces: AsyncIterable<Buffer>,
  hash: Hash,
  took: (bytes: number) => Promise<void>,
): Promise<{ readonly fault: unknown; readonly length: number }> {
  let length = 0
  try {
    for await (const piece of pieces) {
      hash.update(piece)
      length += piece.length
      await took(piece.length)
    }
    return { fault: undefined, length }
  } catch (fault) {
    return { fault, length }
  }
}

function segmentOf(fault: unknown): number | undefined {
  const segment = isStrongroomError(fault) ? fault.context['segment'] : undefined
  return typeof segment === 'number' ? segment : undefined
}

/** What a disk answers where a sector has gone bad, or its file system is broken there. */
const unreadable = new Set<unknown>(['EIO', 'EUCLEAN', 'EBADMSG'])

/** Whether the disk says that these bytes are lost, rather than that it cannot give any now. */
export function isUnreadable(error: unknown): error is StrongroomError {
  return isStrongroomError(error, 'storage_unavailable') && unreadable.has(error.context['errno'])
}

function unreadableAt({ context, cause }: StrongroomError, segment: number): StrongroomError {
  return new StrongroomError('storage_unavailable', { context: { ...context, segment }, cause })
}
