import { digestHeader } from './digest-header.js'
import type { DirectUploadOptions } from './direct-upload.js'
import { problemOf } from './problem.js'
import { retrying } from './retry.js'
import { type Answer, call, jsonOf, type Service } from './service.js'
import type { Sha256 } from './sha256.js'
import { type Source, sourceOf } from './source.js'
import type { UploadProgress } from './upload.js'

/** What can be read from anywhere, and again: in Node a file is one by `openAsBlob` of `node:fs`. */
export type PartsSource = Blob | Uint8Array

export interface PartsUploadOptions extends Omit<DirectUploadOptions, 'sha256' | 'size'> {
  /** Of the whole file, where it is known: verified before the document is there. Each part is verified in any case. */
  readonly sha256?: string | undefined
  /** Bytes of a part, 8 MiB if not given; more where the file would have too many. */
  readonly partBytes?: number | undefined
  /** Parts that are sent at the same time, 3 if not given. */
  readonly parallel?: number | undefined
  /** An upload that was begun before, of the same bytes: what has come of it is not sent again. */
  readonly uploadId?: string | undefined
  /** Told the id before the first byte is sent: whoever keeps it can go on later. */
  readonly onBegun?: ((uploadId: string) => void) | undefined
}

export type PartsUpload = Answer<'GET /api/docs/multipart/{upload_id}'>

/** One part of the plan: bytes from `start` up to, not including, `end`. */
interface Part {
  readonly partNumber: number
  readonly start: number
  readonly end: number
}

const MIB = 1024 * 1024

/**
 * Sends a document in parts, several at a time, each again where that is safe, and has the service make it whole. What
 * fails or is cancelled leaves the parts that came, for `uploadId` to go on from, or for `abandon`.
 * @throws StrongroomError, ConnectionError, TypeError, RangeError, the signal's reason
 */
export async function uploadInParts(
  service: Service,
  from: PartsSource,
  options: PartsUploadOptions,
): Promise<Answer<'POST /api/docs/multipart/{upload_id}/complete'>> {
  const blob = from instanceof Blob ? from : new Blob([from as Uint8Array<ArrayBuffer>])
  const { signal, sha256 } = options
  const upload = await begun(service, blob, options)
  const path = { upload_id: upload.upload_id }
  options.onBegun?.(upload.upload_id)
  const plan = planOf(blob.size, options.partBytes ?? 8 * MIB, upload)
  const sent = sentOf(plan, blob.size, options.onProgress)
  const missing = plan.filter((part) => !hasCome(part, upload))
  for (const part of plan) if (hasCome(part, upload)) sent(part, part.end - part.start)
  await inParallel(missing, options.parallel ?? 3, signal, (part, stop) =>
    sendPart(service, {
      ...{ path, part, blob, stop },
      onSent: (bytes) => {
        sent(part, bytes)
      },
    }),
  )
  const parts = plan.map(({ partNumber }) => ({ partNumber }))
  return await call(
    service,
    'POST /api/docs/multipart/{upload_id}/complete',
    { path, body: { parts, size: blob.size, sha256: sha256?.toLowerCase() } },
    // Completed once more it is answered the same.
    { signal, repeatable: 'always' },
  )
}

async function begun(
  service: Service,
  blob: Blob,
  options: PartsUploadOptions,
): Promise<PartsUpload> {
  const { signal, uploadId } = options
  if (uploadId !== undefined) {
    const path = { upload_id: uploadId }
    return await call(service, 'GET /api/docs/multipart/{upload_id}', { path }, { signal })
  }
  const { patientId, clinicId, medicalRecordTypeId, sha256 } = options
  const source = sourceOf(blob)
  const contentType = options.contentType ?? source.type
  const filename = options.filename ?? source.name
  if (contentType === '') throw new TypeError('A document needs a contentType')
  if (filename === undefined) throw new TypeError('A document needs a filename')
  const facts = { filename, contentType, size: blob.size, sha256 }
  const body = { patientId, clinicId, medicalRecordTypeId, ...facts }
  // One that nobody goes on with ends by itself.
  const rules = { signal, repeatable: 'always' } as const
  return await call(service, 'POST /api/docs/multipart', { body }, rules)
}

/**
 * Where the file is cut: the same for the same file and wish, so that an upload can be gone on with.
 * @throws RangeError for parts the service does not take, or more than it takes
 */
export function planOf(
  size: number,
  wish: number,
  {
    minPartSize,
    maxPartSize,
    maxParts,
  }: Omit<PartsUpload, 'parts' | 'upload_id' | 'id' | 'key' | 'expires_at'>,
): Part[] {
  if (wish < minPartSize || wish > maxPartSize || !Number.isInteger(wish)) {
    throw new RangeError(`partBytes: from ${minPartSize} to ${maxPartSize}`)
  }
  const needed = Math.ceil(size / maxParts / MIB) * MIB
  const bytes = Math.max(wish, needed)
  if (bytes > maxPartSize) throw new RangeError('The file is too large to be sent in parts')
  const count = Math.max(1, Math.ceil(size / bytes))
  return Array.from({ length: count }, (_, at) => ({
    ...{ partNumber: at + 1, start: at * bytes },
    end: Math.min((at + 1) * bytes, size),
  }))
}

const hasCome = ({ partNumber, start, end }: Part, { parts }: PartsUpload): boolean =>
  parts.some((part) => part.partNumber === partNumber && part.size === end - start)

/** Adds up how far each part is. */
function sentOf(
  plan: readonly Part[],
  total: number,
  onProgress: ((progress: UploadProgress) => void) | undefined,
) {
  const each = new Map(plan.map(({ partNumber }) => [partNumber, 0]))
  return ({ partNumber }: Part, bytes: number) => {
    each.set(partNumber, bytes)
    const sent = [...each.values()].reduce((sum, one) => sum + one, 0)
    onProgress?.({ sent, total })
  }
}

/** So many at a time, in order. The first that fails stops the others, which are waited for. */
async function inParallel(
  parts: readonly Part[],
  parallel: number,
  signal: AbortSignal | undefined,
  send: (part: Part, stop: AbortSignal) => Promise<void>,
): Promise<void> {
  const stop = new AbortController()
  const abort = () => {
    stop.abort(signal?.reason)
  }
  signal?.addEventListener('abort', abort)
  if (signal?.aborted === true) abort()
  const waiting = [...parts]
  const work = async () => {
    for (let part = waiting.shift(); part !== undefined; part = waiting.shift()) {
      stop.signal.throwIfAborted()
      await send(part, stop.signal)
    }
  }
  try {
    const workers = Array.from({ length: Math.max(1, parallel) }, async () => {
      try {
        await work()
      } catch (error) {
        stop.abort(error)
        throw error
      }
    })
    const ended = await Promise.allSettled(workers)
    if (ended.some(({ status }) => status === 'rejected')) stop.signal.throwIfAborted()
  } finally {
    signal?.removeEventListener('abort', abort)
  }
}

interface Sending {
  readonly path: { readonly upload_id: string }
  readonly part: Part
  readonly blob: Blob
  readonly stop: AbortSignal
  readonly onSent: (bytes: number) => void
}

/** Made before it is sent, so that what came otherwise is refused, and never taken for the part it is not. */
async function digestOf(source: Source, hash: Sha256, signal: AbortSignal): Promise<string> {
  for await (const piece of source.open()) {
    signal.throwIfAborted()
    hash.update(piece)
  }
  return hash.hex()
}

/** A URL is spent by the first success, so each attempt asks for its own: a part sent twice is the same part. */
async function sendPart(
  service: Service,
  { path, part, blob, stop: signal, onSent }: Sending,
): Promise<void> {
  const source = sourceOf(blob.slice(part.start, part.end))
  const sha256 = await digestOf(source, service.makeSha256(), signal)
  const work = async () => {
    const body = { partNumbers: [part.partNumber] }
    const asked = await call(
      service,
      'POST /api/docs/multipart/{upload_id}/parts',
      { path, body },
      { signal, repeatable: 'always' },
    )
    const [place] = asked.parts
    if (place === undefined) throw new TypeError('No URL was given for the part')
    const response = await service.transmit({
      ...{ method: 'PUT', url: place.url, source, signal, form: undefined, sha256, onSent },
      headers: { ...place.headers, 'content-digest': digestHeader(sha256) },
      onRead: () => undefined,
    })
    if (!response.ok) throw await problemOf(response)
    await jsonOf(response, signal)
  }
  await retrying(work, { retry: service.retry, signal, repeatable: () => 'always' })
}
