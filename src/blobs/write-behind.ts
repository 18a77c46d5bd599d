import type { FileHandle } from 'node:fs/promises'

/** Bytes gathered for one write; as many may be on their way to the disk meanwhile. */
const gatherSize = 256 * 1024
/** Pieces below this are copied together: a writev of very short ones costs more than the copy. */
const leastLength = 4096
const slabSize = 16 * 1024
/** Pieces one writev(2) takes at most (IOV_MAX on Linux). */
const mostPieces = 1024
/** Bytes after which the disk is told to begin, so that the last sync has little left to do. */
const syncEvery = 16 * 1024 * 1024

export interface WriteBehind {
  /**
   * Takes the next piece; it must not be overwritten before `end` or `settled` has resolved. Resolves
   * when there is room for more. Rejects with what an earlier write or sync failed with.
   */
  write(piece: Uint8Array): Promise<void>
  /** All is written and synced: the length in bytes. */
  end(): Promise<number>
  /** Resolves when nothing is under way on the handle any more, also after a failure. */
  settled(): Promise<void>
}

/**
 * Writes a new file from its start while its source makes the next pieces: one write and one sync
 * are under way at most.
 */
export function writeBehind(handle: FileHandle): WriteBehind {
  const gather = gatherer()
  let length = 0
  let unsynced = 0
  let writing = Promise.resolve()
  let syncing = Promise.resolve()

  async function flush(): Promise<void> {
    await writing
    const { pieces, size } = gather.take()
    writing = awaitedLater(writeAll(handle, pieces, length))
    length += size
    unsynced += size
    if (unsynced < syncEvery) return
    await syncing
    unsynced = 0
    syncing = awaitedLater(writing.then(() => handle.datasync()))
  }

  return {
    write: async (piece) => {
      gather.add(piece)
      if (gather.isFull()) await flush()
    },
    end: async () => {
      await flush()
      await Promise.all([writing, syncing])
      await handle.sync()
      return length
    },
    settled: async () => {
      await Promise.allSettled([writing, syncing])
    },
  }
}

/** Whoever awaits it hears of a failure; if no one does any more, it is not unhandled. */
function awaitedLater(work: Promise<void>): Promise<void> {
  work.catch(() => undefined)
  return work
}

function gatherer() {
  let pieces: Uint8Array[] = []
  let size = 0
  let slab = new Uint8Array(0)

  function copied(piece: Uint8Array): Uint8Array {
    if (slab.length < piece.length) slab = Buffer.allocUnsafeSlow(slabSize)
    const copy = slab.subarray(0, piece.length)
    copy.set(piece)
    slab = slab.subarray(piece.length)
    return copy
  }

  return {
    add: (piece: Uint8Array) => {
      if (piece.length === 0) return
      pieces.push(piece.length < leastLength ? copied(piece) : piece)
      size += piece.length
    },
    isFull: () => size >= gatherSize || pieces.length >= mostPieces,
    take: () => {
      const taken = { pieces, size }
      pieces = []
      size = 0
      return taken
    },
  }
}

/** write(2) and writev(2) may take less than they were given. */
async function writeAll(
  handle: FileHandle,
  pieces: readonly Uint8Array[],
  start: number,
): Promise<void> {
  let left = pieces
  for (let position = start; left.length > 0; ) {
    const { bytesWritten } = await handle.writev(left, position)
    position += bytesWritten
    left = without(left, bytesWritten)
  }
}

/** The pieces after their first `count` bytes. */
function without(pieces: readonly Uint8Array[], count: number): Uint8Array[] {
  let passed = count
  return pieces.flatMap((piece) => {
    const rest = piece.subarray(Math.min(passed, piece.length))
    passed -= piece.length - rest.length
    return rest.length > 0 ? [rest] : []
  })
}
