import type { FastifyRequest } from 'fastify'
import { parseDigestHeader } from '../../files/content-digest.js'
import type { IncomingPart } from '../../files/receive-form.js'
import { readUpload } from './read-upload.js'

/** Limits of a multipart body, from the settings. */
export interface BodyLimits {
  readonly idleSeconds: number
  readonly minBytesPerSecond: number
  readonly maxFields: number
  readonly maxBatchFiles: number
  readonly maxFileBytes: number
}

const MAX_FIELD_BYTES = 16_384

export interface ReceivedUpload {
  readonly parts: AsyncIterable<IncomingPart>
  /** A stated deviation: the digest of the file, not of the form around it. */
  readonly headerDigest: Buffer | undefined
  readonly idempotencyKey: string | undefined
}

/** A request's form, read as it is asked for. `maxFiles` file parts are taken. */
export function uploadOf(
  request: FastifyRequest,
  limits: BodyLimits,
  maxFiles = 1,
): ReceivedUpload {
  return {
    parts: readUpload(request, {
      maxFiles,
      maxFields: limits.maxFields,
      maxParts: limits.maxFields + maxFiles,
      maxFieldBytes: MAX_FIELD_BYTES,
      maxSkippedBytes: limits.maxFileBytes,
      idleMs: limits.idleSeconds * 1000,
      minBytesPerSecond: limits.minBytesPerSecond,
    }),
    headerDigest: digestOf(request),
    idempotencyKey: single(request.headers['idempotency-key']),
  }
}

/** Of the file, as a header of the request says it. @throws StrongroomError `invalid_field` */
export function digestOf({ headers }: FastifyRequest): Buffer | undefined {
  const header = single(headers['content-digest']) ?? single(headers['repr-digest'])
  return header === undefined ? undefined : parseDigestHeader(header)
}

function single(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header.join(',') : header
}
