import { IntegrityError } from './errors.js'
import { formOf, randomText } from './form.js'
import { problemOf, unexpectedAnswer } from './problem.js'
import { type Repeatable, retrying } from './retry.js'
import { type CallOptions, jsonOf, type Service } from './service.js'
import { type Source, sourceOf, type UploadSource } from './source.js'
import type { WasRead } from './transmit.js'

export interface UploadProgress {
  /** Bytes of the file that were handed to the connection; back at 0 when a failed attempt is repeated. */
  readonly sent: number
  /** Undefined for a stream whose `size` was not given. */
  readonly total: number | undefined
}

export interface TransferOptions extends CallOptions {
  readonly onProgress?: ((progress: UploadProgress) => void) | undefined
  /** Bytes, for a stream whose size is known to the caller: for progress. */
  readonly size?: number | undefined
  /**
   * SHA-256 of the file in hexadecimal, where it is known already. If not given it is made of what is sent. The
   * service verifies it before it keeps anything. False: it is neither made nor verified.
   */
  readonly sha256?: string | false | undefined
}

export interface UploadOptions extends TransferOptions {
  /** The File's own name, else `file`, if not given. */
  readonly filename?: string | undefined
  /** Media type; the Blob's own, else found by the service, if not given. */
  readonly contentType?: string | undefined
  readonly label?: string | undefined
  readonly notes?: string | undefined
}

interface FormUpload<A> {
  readonly path: string
  readonly fields: Readonly<Record<string, string | undefined>>
  readonly options: UploadOptions
  /** Throws nothing; undefined for what is not the answer to such an upload. */
  readonly answerIn: (body: unknown) => A | undefined
}

/** What the answer to an upload has in any case. */
interface Stored {
  readonly file_id: string
  readonly sha256: string
}

/**
 * Sends a file as a form under an Idempotency-Key, again where that is safe: however often it was sent, one file
 * comes of it.
 * @throws StrongroomError, ConnectionError, IntegrityError, the signal's reason, and what the source throws
 */
export async function uploadForm<A extends Stored>(
  service: Service,
  from: UploadSource,
  { path, fields, options, answerIn }: FormUpload<A>,
): Promise<A> {
  const source = sourceOf(from)
  const { signal } = options
  const type = options.contentType ?? source.type
  const form = formOf({
    fields: { ...fields, label: options.label, notes: options.notes },
    filename: options.filename ?? source.name ?? 'file',
    type: type === '' ? 'application/octet-stream' : singleLine(type),
  })
  const key = randomText()
  let read: WasRead | undefined
  const work = async () => {
    const response = await service.transmit({
      ...{ method: 'POST', url: service.origin + path, source, form, signal },
      headers: { ...(await service.credentials()), 'idempotency-key': key },
      ...transferOf(source, options),
      onRead: (all) => {
        read = all
      },
    })
    if (!response.ok) throw await problemOf(response)
    const answer = answerIn(await jsonOf(response, signal))
    if (answer === undefined) throw unexpectedAnswer(response)
    return answer
  }
  const repeatable = () => repeatableBy(source)
  const answer = await retrying(work, { retry: service.retry, signal, repeatable })
  isWhatWasSent(answer, read)
  return answer
}

/** Progress and digest, as a transmission wants them. */
export function transferOf(source: Source, { onProgress, size, sha256 }: TransferOptions) {
  const total = source.size ?? size
  return {
    sha256: typeof sha256 === 'string' ? sha256.toLowerCase() : sha256,
    onSent: (sent: number) => onProgress?.({ sent, total }),
  }
}

export const repeatableBy = (source: Source): Repeatable =>
  source.canReopen() ? 'always' : 'never'

function isWhatWasSent(stored: Stored, read: WasRead | undefined): void {
  const sent = read?.sha256
  if (sent === undefined || sent === stored.sha256) return
  throw new IntegrityError('digest', stored.file_id)
}

/** @throws TypeError for what would be more than one header of the form */
function singleLine(type: string): string {
  if (/[\r\n]/.test(type)) throw new TypeError('contentType is not a media type')
  return type
}
