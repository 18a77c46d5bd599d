import type { FastifyReply, FastifyRequest } from 'fastify'
import { StrongroomError } from '../../errors/strongroom-error.js'
import type { Reading } from '../../files/read-file.js'
import type { ReadingAnswer } from '../../files/stream-opened.js'
import { precondition, rangeMayBeServed } from './conditions.js'
import { contentDisposition } from './content-disposition.js'
import { parseRange } from './range.js'

export interface ServeOptions {
  /** Whether the client asks to show the file rather than to keep it. */
  readonly view: boolean
  /** Sources of `frame-ancestors`: who may show it in a frame. */
  readonly frameAncestors: readonly string[]
}

/** Types a browser shows without running anything of theirs. */
const shownInline = new Set([
  'application/pdf',
  'image/jpeg',
  'image/png',
  'image/webp',
  'image/tiff',
  'image/heic',
])

/** Whether a file of this type is shown inline where that is asked for; others are handed out. */
export function isShownInline(contentType: string): boolean {
  return shownInline.has(contentType)
}

/**
 * Answers GET or HEAD with a file's bytes, a range of them, or what the request's conditions ask for
 * (RFC 9110, 13 and 14). The reading is closed however it ends.
 */
export async function serveBytes(
  request: FastifyRequest,
  reply: FastifyReply,
  reading: Reading,
  options: ServeOptions,
): Promise<FastifyReply> {
  try {
    const { metadata } = reading
    const inline = options.view && isShownInline(metadata.content_type)
    setHeaders(reply, reading, { ...options, inline })
    const state = precondition(request.headers, reading)
    if (state === 'failed') throw new StrongroomError('precondition_failed')
    if (state === 'not_modified') {
      await reading.note('not_modified')
      return await reply.code(304).send()
    }
    return await answer(request, reply, reading, inline ? 'view' : 'download')
  } finally {
    reading.close()
  }
}

async function answer(
  request: FastifyRequest,
  reply: FastifyReply,
  reading: Reading,
  kind: 'view' | 'download',
): Promise<FastifyReply> {
  const { size, sha256 } = reading.metadata
  const digest = `sha-256=:${Buffer.from(sha256, 'hex').toString('base64')}:`
  reply.header('repr-digest', digest)
  if (request.method === 'HEAD') {
    await reading.note('head')
    return await reply.header('content-length', size).send()
  }
  const ifRange = request.headers['if-range']
  const may = rangeMayBeServed(typeof ifRange === 'string' ? ifRange : undefined, reading)
  const range = may ? parseRange(request.headers.range, size) : 'whole'
  if (range === 'unsatisfiable') {
    reply.header('content-range', `bytes */${size}`)
    throw new StrongroomError('range_not_satisfiable')
  }
  if (range === 'whole') {
    const stream = await reading.bytes({ start: 0, end: size }, kind, answerOn(reply))
    return await reply.header('content-digest', digest).header('content-length', size).send(stream)
  }
  const stream = await reading.bytes(range, kind, answerOn(reply))
  return await reply
    .code(206)
    .header('content-range', `bytes ${range.start}-${range.end - 1}/${size}`)
    .header('content-length', range.end - range.start)
    .send(stream)
}

function answerOn({ raw }: FastifyReply): ReadingAnswer {
  return {
    onceOver: (callback) => {
      if (raw.closed) callback()
      else raw.once('close', callback)
    },
    breakOff: () => {
      // A reset, as what a plain end leaves in the system's buffers would still be delivered.
      raw.socket?.resetAndDestroy()
    },
  }
}

function setHeaders(
  reply: FastifyReply,
  { etag, lastModified, metadata }: Reading,
  { inline, frameAncestors }: ServeOptions & { inline: boolean },
): void {
  const framing = `frame-ancestors ${frameAncestors.join(' ')}`
  // Chromium's viewer is itself a document in the answer's place: a sandbox keeps it from starting.
  const policy =
    inline && metadata.content_type === 'application/pdf'
      ? framing
      : `sandbox; default-src 'none'; ${framing}`
  const elsewhere = frameAncestors.some((source) => source !== "'self'" && source !== "'none'")
  reply
    .header('content-type', metadata.content_type)
    .header(
      'content-disposition',
      contentDisposition(inline ? 'inline' : 'attachment', metadata.filename),
    )
    .header('etag', etag)
    .header('last-modified', lastModified.toUTCString())
    .header('accept-ranges', 'bytes')
    .header('cache-control', 'private, no-store')
    .header('x-content-type-options', 'nosniff')
    .header('content-security-policy', policy)
    .header('cross-origin-resource-policy', elsewhere ? 'cross-origin' : 'same-origin')
}
