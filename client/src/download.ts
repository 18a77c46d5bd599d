import { filenameIn } from './content-disposition.js'
import { sha256In } from './digest-header.js'
import { requestPiece } from './download-piece.js'
import { resumedBytes } from './download-resume.js'
import { retrying } from './retry.js'
import type { CallOptions, Service } from './service.js'

/** Bytes of a file, as `slice` counts them: from `start` up to, without, `end`; without `end` to its end. */
export interface Range {
  readonly start: number
  readonly end?: number | undefined
}

export interface DownloadProgress {
  readonly received: number
  /** Bytes of this download: of the range, where one was asked for. */
  readonly total: number
}

export interface DownloadOptions extends CallOptions {
  readonly range?: Range | undefined
  /** On record as viewed, not as downloaded; of a grant without download the only way. */
  readonly view?: boolean | undefined
  /** The current one if not given. */
  readonly version?: number | undefined
  readonly onProgress?: ((progress: DownloadProgress) => void) | undefined
}

export interface Download {
  /**
   * The bytes. It goes on by itself after the connection broke, and ends with an error where it cannot:
   * `ConnectionError`, `StrongroomError` (the right to read has ended), `IntegrityError`. Of a whole file the
   * digest is verified with its last byte: do not use what came before the stream has ended well.
   */
  readonly stream: ReadableStream<Uint8Array>
  /** Bytes that the stream gives. */
  readonly size: number
  /** Bytes of the whole file. */
  readonly fileSize: number
  readonly contentType: string
  readonly filename: string | undefined
  readonly etag: string | undefined
  /** Of the whole file, in hexadecimal. */
  readonly sha256: string | undefined
}

/** Where the bytes are, and whether the caller's token goes there. */
export interface Place {
  readonly url: string
  readonly withToken: boolean
}

/**
 * Asks for a file where `locate` says, for each request anew, and gives its bytes as they come.
 * @throws StrongroomError, ConnectionError, RangeError, and the signal's reason
 */
export async function download(
  service: Service,
  locate: () => Promise<Place>,
  options: DownloadOptions = {},
): Promise<Download> {
  const { range, onProgress } = options
  if (range !== undefined) checkRange(range)
  // Ends what is under way, also where a read waits.
  const stop = new AbortController()
  const signal =
    options.signal === undefined ? stop.signal : AbortSignal.any([options.signal, stop.signal])
  const first = await retrying(() => requestPiece(service, locate, { range, signal }), {
    retry: service.retry,
    signal,
    repeatable: () => 'always',
  })
  const { headers } = first.response
  const etag = headers.get('etag') ?? undefined
  const sha256 = sha256In(headers.get('repr-digest'))
  const { start, end, fileSize } = first
  const bytes = resumedBytes(first, {
    next: (from) =>
      requestPiece(service, locate, { range: { start: from, end }, ifRange: etag, signal }),
    // Without one nobody knows whether what comes next is of the same file.
    retry: etag === undefined ? { attempts: 1 } : service.retry,
    signal,
    sha256: start === 0 && end === fileSize ? sha256 : undefined,
    makeSha256: service.makeSha256,
    onReceived: (received) => onProgress?.({ received, total: end - start }),
  })
  return {
    stream: streamOf(bytes, stop),
    size: end - start,
    ...{ fileSize, etag, sha256 },
    contentType: headers.get('content-type') ?? 'application/octet-stream',
    filename: filenameIn(headers.get('content-disposition')),
  }
}

function checkRange({ start, end }: Range): void {
  const isWhole = (value: number) => Number.isSafeInteger(value) && value >= 0
  if (isWhole(start) && (end === undefined || (isWhole(end) && end > start))) return
  throw new RangeError('A range is from a byte to a later one')
}

function streamOf(
  bytes: AsyncGenerator<Uint8Array, void>,
  stop: AbortController,
): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>(
    {
      pull: async (controller) => {
        const step = await bytes.next()
        if (step.done === true) controller.close()
        else controller.enqueue(step.value)
      },
      cancel: async () => {
        stop.abort()
        await bytes.return().catch(() => undefined)
      },
    },
    { highWaterMark: 0 },
  )
}
