/**
 * What can be uploaded. A Blob, a File, bytes and a function that opens a stream anew can be sent again after a
 * failure; a stream, a Node one too, cannot once it was read from.
 */
export type UploadSource =
  | Blob
  | Uint8Array
  | ReadableStream<Uint8Array>
  | AsyncIterable<Uint8Array>
  | (() => AsyncIterable<Uint8Array>)

/** An upload's bytes, whatever they come from. */
export interface Source {
  /** The same bytes where they are in a Blob or can be put into one without a stream. */
  readonly blob: Blob | undefined
  readonly size: number | undefined
  /** Empty where it is not known. */
  readonly type: string
  readonly name: string | undefined
  /** Begins at the first byte. Throws where a stream was read from already. */
  open(): AsyncIterable<Uint8Array>
  /** Whether `open` gives all the bytes once more. */
  canReopen(): boolean
}

/** Bytes of a Blob that are in memory at a time. */
const SLICE_BYTES = 1024 * 1024

/** @throws TypeError for what is none of these */
export function sourceOf(from: UploadSource): Source {
  if (from instanceof Blob) return blobSource(from)
  if (from instanceof Uint8Array) return bytesSource(from)
  if (typeof from === 'function') return reopenedSource(from)
  if (from instanceof ReadableStream) return streamSource(readerOf(from))
  // Callers without types may give anything.
  const unknown: unknown = from
  if (typeof unknown === 'object' && unknown !== null && Symbol.asyncIterator in unknown) {
    return streamSource(from)
  }
  throw new TypeError('Only a Blob, bytes, a stream, or a function that opens one is uploaded')
}

function blobSource(blob: Blob): Source {
  return {
    blob,
    size: blob.size,
    type: blob.type,
    name: typeof File !== 'undefined' && blob instanceof File ? blob.name : undefined,
    open: () => slicesOf(blob),
    canReopen: () => true,
  }
}

async function* slicesOf(blob: Blob): AsyncGenerator<Uint8Array, void> {
  for (let at = 0; at < blob.size; at += SLICE_BYTES) {
    yield new Uint8Array(await blob.slice(at, at + SLICE_BYTES).arrayBuffer())
  }
}

function bytesSource(bytes: Uint8Array): Source {
  return {
    get blob() {
      return new Blob([bytes as Uint8Array<ArrayBuffer>])
    },
    size: bytes.length,
    type: '',
    name: undefined,
    open: () => piecesOf(bytes),
    canReopen: () => true,
  }
}

async function* piecesOf(bytes: Uint8Array): AsyncGenerator<Uint8Array, void> {
  for (let at = 0; at < bytes.length; at += SLICE_BYTES) {
    yield await Promise.resolve(bytes.subarray(at, at + SLICE_BYTES))
  }
}

const unknownContent = { blob: undefined, size: undefined, type: '', name: undefined }

function reopenedSource(open: () => AsyncIterable<Uint8Array>): Source {
  return { ...unknownContent, open, canReopen: () => true }
}

function streamSource(stream: AsyncIterable<Uint8Array>): Source {
  let wasRead = false
  return {
    ...unknownContent,
    open: () => {
      if (wasRead) throw new TypeError('The stream was read already')
      wasRead = true
      return stream
    },
    canReopen: () => !wasRead,
  }
}

/** Not every browser iterates a stream by itself. */
async function* readerOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array, void> {
  const reader = stream.getReader()
  let isOver = false
  try {
    for (;;) {
      const { done, value } = await reader.read()
      isOver = done
      if (done) return
      yield value
    }
  } finally {
    if (!isOver) await reader.cancel()
    reader.releaseLock()
  }
}
