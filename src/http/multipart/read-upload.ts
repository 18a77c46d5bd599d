import type { IncomingMessage } from 'node:http'
import type { Readable } from 'node:stream'
import { finished } from 'node:stream/promises'
import type { MultipartFile, MultipartValue } from '@fastify/multipart'
import type { FastifyRequest } from 'fastify'
import { isStrongroomError, StrongroomError } from '../../errors/strongroom-error.js'
import { sendContinue } from '../plugins/expect-continue.js'
import { type ClientLimits, type ClientWatch, watchClient } from './client-watch.js'
import {
  boundaryIn,
  maxHeaderBlock,
  type PartHeaders,
  type PartHeaderTap,
  partHeaderTap,
} from './part-header-tap.js'

export interface UploadLimits extends ClientLimits {
  readonly maxParts: number
  readonly maxFields: number
  /** Bytes of one field's value. */
  readonly maxFieldBytes: number
  readonly maxFiles: number
  /** Bytes of a file that are read past where its reader wants no more of them. */
  readonly maxSkippedBytes: number
}

export interface FieldPart {
  readonly kind: 'field'
  readonly name: string
  readonly value: string
}

export interface FilePart {
  readonly kind: 'file'
  readonly name: string
  /** The last component of what the client said; nothing where it said nothing. Not yet cleaned. */
  readonly filename: string | undefined
  /** As declared, in lower case and without parameters; empty where nothing is. */
  readonly contentType: string
  /** The part's `Content-Digest` header (RFC 9530), unparsed. */
  readonly contentDigest: string | undefined
  /** To be read once. Ends only where the part did; a body cut off throws `body_incomplete`. */
  readonly bytes: AsyncIterable<Buffer>
}

export type UploadPart = FieldPart | FilePart

/** Bytes the library holds, on each of its three steps, between socket and reader. */
const libraryBuffer = 128 * 1024
/** Bytes that may come in beyond a part's own before the library has told of it; or outside of parts. */
const slack = 4 * libraryBuffer

/**
 * The parts of a `multipart/form-data` body, in order, from the stream: nothing is kept, and the client
 * waits while the reader does. What is unread of a file when the next part is asked for is read past.
 * The generator ends only when the request's body has come to its end; closing it early leaves
 * the rest of the body unread. File sizes are the reader's to limit.
 *
 * Throws `unsupported_media_type`, `malformed_multipart`, `body_incomplete`, `too_many_parts`,
 * `invalid_field` (too long, JSON, or named like a member of Object.prototype), `upload_idle`, and
 * the reason of `limits.signal`; also out of a file's `bytes`. `file_too_large` for what is read past.
 */
export async function* readUpload(
  request: FastifyRequest,
  limits: UploadLimits,
): AsyncGenerator<UploadPart, void> {
  if (!request.isMultipart()) throw new StrongroomError('unsupported_media_type')
  const tap = partHeaderTap(boundaryIn(request.headers['content-type'] ?? ''))
  const { raw } = request
  // Gone while who it comes from was looked up: nothing would ever be heard of it.
  if (raw.destroyed && !raw.complete) throw new StrongroomError('body_incomplete')
  sendContinue(request)
  const watch = watchClient(raw, limits)
  const stopTapping = tapInto(raw, tap, watch)
  const order = partOrder(tap, watch, limits.maxFiles)
  const parts = request.parts({ ...libraryLimits(limits), isPartAFile: order.isPartAFile })
  const mostPerPart = maxHeaderBlock + limits.maxFieldBytes + slack
  let file: Readable | undefined
  try {
    for (;;) {
      const step = await watch.during(readable(parts.next()), mostPerPart, fieldTooLong)
      if (step.done === true) break
      if (step.value.type === 'field') {
        yield fieldPart(step.value)
        continue
      }
      file = step.value.file
      yield filePart(step.value, order.nextHeaders(), fileBytes(file, watch))
      await readPast(file, watch, limits.maxSkippedBytes)
    }
    await watch.during(bodyEnd(raw), slack)
    // The library takes no bytes at all for a form without parts.
    if (watch.received() === 0) throw new StrongroomError('body_incomplete')
  } finally {
    watch.stop()
    stopTapping()
    raw.unpipe()
    file?.destroy()
  }
}

function libraryLimits({ maxParts, maxFields, maxFieldBytes, maxFiles }: UploadLimits) {
  return {
    highWaterMark: libraryBuffer,
    fileHwm: libraryBuffer,
    limits: {
      parts: maxParts,
      fields: maxFields,
      files: maxFiles,
      fieldSize: maxFieldBytes,
      fileSize: Number.POSITIVE_INFINITY,
      headerSize: maxHeaderBlock,
    },
  }
}

/** Must be called before the library reads, so that the tap is ahead of it at each chunk. */
function tapInto(raw: IncomingMessage, tap: PartHeaderTap, watch: ClientWatch): () => void {
  const onData = (chunk: Buffer) => {
    try {
      tap.feed(chunk)
    } catch (error) {
      tap.stop()
      watch.fail(uploadError(error))
    }
  }
  raw.on('data', onData)
  return () => raw.off('data', onData)
}

/**
 * The library asks of each part, as it meets it, whether it is a file: the one place where its
 * parts can be counted, to find the tap's headers of each.
 */
function partOrder(tap: PartHeaderTap, watch: ClientWatch, maxFiles: number) {
  let met = 0
  let files = 0
  const headers: (PartHeaders | undefined)[] = []

  function isPartAFile(name: string | undefined, contentType?: string, filename?: string): boolean {
    const part = met++
    if (name === undefined) watch.fail(new StrongroomError('malformed_multipart'))
    else if (name in Object.prototype) watch.fail(new StrongroomError('invalid_field'))
    if (contentType !== 'application/octet-stream' && filename === undefined) return false
    headers.push(tap.headers(part))
    if (++files >= maxFiles) tap.stop()
    return true
  }
  return { isPartAFile, nextHeaders: () => headers.shift() }
}

function fieldPart(part: MultipartValue): FieldPart {
  const isText = typeof part.value === 'string' && !part.mimetype.startsWith('application/json')
  if (!isText || part.valueTruncated || part.fieldnameTruncated) throw invalidField()
  return { kind: 'field', name: part.fieldname, value: part.value as string }
}

function filePart(
  part: MultipartFile,
  headers: PartHeaders | undefined,
  bytes: AsyncIterable<Buffer>,
): FilePart {
  return {
    kind: 'file',
    name: part.fieldname,
    filename: filenameOf(part),
    contentType: headers?.declaresType === false ? '' : part.mimetype,
    contentDigest: headers?.contentDigest,
    bytes,
  }
}

/** Browsers escape three characters of a name, and no others (HTML, "multipart/form-data"). */
const escaped: Readonly<Record<string, string>> = { '%22': '"', '%0D': '\r', '%0A': '\n' }

function filenameOf(part: { filename?: string }): string | undefined {
  const name = part.filename?.replace(/%(?:22|0D|0A)/g, (code) => escaped[code] ?? code)
  return name === '' ? undefined : name
}

async function* fileBytes(file: Readable, watch: ClientWatch): AsyncGenerator<Buffer, void> {
  const chunks = file.iterator({ destroyOnReturn: false }) as AsyncIterator<Buffer>
  for (;;) {
    const step = await watch.during(readable(chunks.next()))
    if (step.done === true) return
    yield step.value
  }
}

async function readPast(file: Readable, watch: ClientWatch, most: number): Promise<void> {
  if (file.readableEnded) return
  const rest = fileBytes(file, watch)
  let skipped = 0
  for await (const chunk of rest) {
    skipped += chunk.length
    if (skipped > most) throw new StrongroomError('file_too_large')
  }
}

/** The parts may be complete where the body is not: what ends it counts. */
async function bodyEnd(raw: IncomingMessage): Promise<void> {
  if (!raw.readableEnded) {
    const end = finished(raw, { writable: false, cleanup: true })
    raw.resume()
    await readable(end)
  }
  if (!raw.complete) throw new StrongroomError('body_incomplete')
}

/** Settles as `step` does, with the library's errors in our words. */
async function readable<T>(step: Promise<T>): Promise<T> {
  try {
    return await step
  } catch (error) {
    throw uploadError(error)
  }
}

const codes = {
  FST_PARTS_LIMIT: 'too_many_parts',
  FST_FILES_LIMIT: 'too_many_parts',
  FST_FIELDS_LIMIT: 'too_many_parts',
  FST_PROTO_VIOLATION: 'invalid_field',
  FST_INVALID_JSON_FIELD_ERROR: 'invalid_field',
  FST_MP_PREMATURE_CLOSE: 'body_incomplete',
  ERR_STREAM_PREMATURE_CLOSE: 'body_incomplete',
  ECONNRESET: 'body_incomplete',
} as const

function uploadError(error: unknown): StrongroomError {
  if (isStrongroomError(error)) return error
  const { code, message } = error as { code?: string; message?: string }
  const known = Object.entries(codes).find(([name]) => name === code)?.[1]
  const cut = /unexpected end of multipart data/i.test(message ?? '')
  return new StrongroomError(known ?? (cut ? 'body_incomplete' : 'malformed_multipart'), {
    cause: error,
  })
}

function invalidField(): StrongroomError {
  return new StrongroomError('invalid_field')
}

function fieldTooLong(): StrongroomError {
  return new StrongroomError('invalid_field', {
    detail: 'A field is longer than allowed, or bytes stand outside of parts',
  })
}
