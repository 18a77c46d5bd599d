import { StrongroomError } from './errors.js'
import { problemOf } from './problem.js'
import { retrying } from './retry.js'
import { type Answer, call, jsonOf, type Service } from './service.js'
import { type Source, sourceOf, type UploadSource } from './source.js'
import type { WasRead } from './transmit.js'
import { repeatableBy, type TransferOptions, transferOf } from './upload.js'

export interface DirectUploadOptions extends TransferOptions {
  /** The File's own name if not given; one of the two is needed. */
  readonly filename?: string | undefined
  /** Media type; the Blob's own if not given; one of the two is needed. */
  readonly contentType?: string | undefined
  /** Whose record it becomes; without one it is a document of the caller's own. */
  readonly patientId?: string | undefined
  readonly clinicId?: string | undefined
  readonly medicalRecordTypeId?: string | undefined
}

type Place = Answer<'POST /api/docs/presign-upload'>

/**
 * Asks for a place, sends the bytes there and confirms them, with their digest. What fails before it is confirmed
 * leaves nothing that anybody finds.
 * @throws StrongroomError, ConnectionError, TypeError, the signal's reason, and what the source throws
 */
export async function uploadDirectly(
  service: Service,
  from: UploadSource,
  options: DirectUploadOptions,
): Promise<Answer<'POST /api/docs/confirm'>> {
  const source = sourceOf(from)
  const { patientId, clinicId, medicalRecordTypeId, signal } = options
  const contentType = options.contentType ?? source.type
  const filename = options.filename ?? source.name
  if (contentType === '') throw new TypeError('A document needs a contentType')
  if (filename === undefined) throw new TypeError('A document needs a filename')
  const sha256 = options.sha256 === false ? undefined : options.sha256
  const size = source.size ?? options.size
  const wish = { patientId, clinicId, medicalRecordTypeId, filename, contentType, size, sha256 }
  const place = await call(
    service,
    'POST /api/docs/presign-upload',
    { body: wish },
    // A place that nobody uses ends by itself.
    { signal, repeatable: 'always' },
  )
  const sent = await sendTo(place, { service, source, options })
  const said = { key: place.key, patientId, contentType, size: sent.bytes, sha256: sent.sha256 }
  return await call(
    service,
    'POST /api/docs/confirm',
    { body: said },
    { signal, repeatable: 'always' },
  )
}

interface Sending {
  readonly service: Service
  readonly source: Source
  readonly options: DirectUploadOptions
}

async function sendTo(place: Place, { service, source, options }: Sending): Promise<WasRead> {
  const { signal } = options
  let read: WasRead | undefined
  let answerWasLost = false
  const work = async () => {
    try {
      const response = await service.transmit({
        ...{ method: 'PUT', url: place.url, headers: place.headers, source, signal },
        form: undefined,
        ...transferOf(source, options),
        onRead: (all) => {
          read = all
        },
      })
      if (!response.ok) throw await problemOf(response)
      await jsonOf(response, signal)
    } catch (error) {
      // Spent by an attempt before, whose answer did not come: confirming says what is there.
      if (answerWasLost && isSpent(error)) return
      answerWasLost ||= read !== undefined && !(error instanceof StrongroomError)
      throw error
    }
  }
  const repeatable = () => repeatableBy(source)
  await retrying(work, { retry: service.retry, signal, repeatable })
  if (read === undefined) throw new TypeError('The source was not read')
  return read
}

const isSpent = (error: unknown) => error instanceof StrongroomError && error.code === 'ticket_over'
