import { isStrongroomError, StrongroomError } from '../../errors/strongroom-error.js'

const retryAfterSeconds = 10

interface Facts {
  /** As S3 (`SlowDown`), Node (`ECONNRESET`) or the SDK (`TimeoutError`) call it. */
  readonly name: string
  /** Absent: there was no answer. */
  readonly status: number | undefined
}

/** What a failed call says of itself. */
export function factsOf(error: unknown): Facts {
  if (!(error instanceof Error)) return { name: 'unknown', status: undefined }
  const { $metadata, code } = error as Error & {
    readonly $metadata?: { readonly httpStatusCode?: number }
    readonly code?: unknown
  }
  const said = error.name === 'Error' && typeof code === 'string' ? code : error.name
  return {
    // The server's word: only what looks like a name goes into a log.
    name: /^[\w.-]{1,64}$/.test(said) ? said : 'unknown',
    status: $metadata?.httpStatusCode,
  }
}

/** There is no such object, and the bucket is there (a HEAD has no body that would tell the two apart). */
export function isMissing(error: unknown): boolean {
  const { name, status } = factsOf(error)
  return status === 404 && name !== 'NoSuchBucket'
}

/** Somebody wrote under this key, or is about to (RFC 9110 section 13.1.2; 409: two at a time). */
export function isTaken(error: unknown): boolean {
  const { name, status } = factsOf(error)
  return status === 412 || name === 'ConditionalRequestConflict'
}

/** The server does not know conditions of writing. */
export function knowsNoConditions(error: unknown): boolean {
  const { name, status } = factsOf(error)
  return status === 501 || name === 'NotImplemented'
}

/** A range of an empty object. */
export function isUnsatisfiable(error: unknown): boolean {
  return factsOf(error).status === 416
}

/** Whether trying again could help: nobody answered, or the server was not able to. */
export function isPassing(error: unknown): boolean {
  const { status } = factsOf(error)
  return status === undefined || status === 408 || status === 429 || status >= 500
}

/** Whatever S3 refuses becomes `storage_unavailable`. */
export function s3Error(error: unknown): StrongroomError {
  if (isStrongroomError(error)) return error
  return new StrongroomError('storage_unavailable', {
    retryAfter: retryAfterSeconds,
    context: { errno: factsOf(error).name },
    cause: error,
  })
}

export function damagedBlob(id: string, cause: unknown): StrongroomError {
  return new StrongroomError('damaged', { context: { sealed_id: id }, cause })
}

export type RetryReason = 'throttled' | 'timeout' | 'server' | 'network' | 'other'

/** Why a call is tried again. */
export function retryReasonOf(error: unknown): RetryReason {
  const { name, status } = factsOf(error)
  if (status === 429 || name === 'SlowDown') return 'throttled'
  if (name === 'TimeoutError' || status === 408) return 'timeout'
  if (status === undefined) return 'network'
  return status >= 500 ? 'server' : 'other'
}
