import { connect } from './connect.js'
import type { Place, Range } from './download.js'
import { IntegrityError } from './errors.js'
import { problemOf, unexpectedAnswer } from './problem.js'
import type { Service } from './service.js'

/** An answer with bytes of a file, from `start` up to, without, `end`. */
export interface Piece {
  readonly response: Response
  readonly start: number
  readonly end: number
  readonly fileSize: number
}

interface Wish {
  readonly range: Range | undefined
  /** The file's ETag: where it is another now, nothing of it is wanted. */
  readonly ifRange?: string | undefined
  readonly signal: AbortSignal
}

/**
 * One request for a file or a range of it.
 * @throws StrongroomError, ConnectionError, and IntegrityError `changed`
 */
export async function requestPiece(
  service: Service,
  locate: () => Promise<Place>,
  { range, ifRange, signal }: Wish,
): Promise<Piece> {
  const { url, withToken } = await locate()
  const response = await connect(service.fetch, url, {
    headers: {
      ...(withToken ? await service.credentials() : {}),
      // Lengths and ranges are of the file's bytes. Browsers say what they like here.
      'accept-encoding': 'identity',
      ...(range === undefined ? {} : { range: rangeHeader(range) }),
      ...(ifRange === undefined ? {} : { 'if-range': ifRange }),
    },
    redirect: 'error',
    signal,
  })
  if (!response.ok) throw await problemOf(response)
  const piece = pieceIn(response)
  if (piece === undefined || !isWanted(piece, range)) {
    await giveUp(response)
    const isChanged = ifRange !== undefined && response.status === 200
    throw isChanged ? new IntegrityError('changed') : unexpectedAnswer(response)
  }
  if (ifRange !== undefined && response.headers.get('etag') !== ifRange) {
    await giveUp(response)
    throw new IntegrityError('changed')
  }
  return piece
}

function rangeHeader({ start, end }: Range): string {
  return `bytes=${start}-${end === undefined ? '' : end - 1}`
}

/** What the answer says it has; undefined where it says it in no way we know. */
function pieceIn(response: Response): Piece | undefined {
  const { status, headers } = response
  const encoding = headers.get('content-encoding')
  if (encoding !== null && encoding !== 'identity') return undefined
  if (status === 200) {
    const length = headers.get('content-length')
    if (length === null) return undefined
    return { response, start: 0, end: Number(length), fileSize: Number(length) }
  }
  if (status !== 206) return undefined
  const match = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(headers.get('content-range') ?? '')
  if (match === null) return undefined
  const [, first, last, size] = match
  return { response, start: Number(first), end: Number(last) + 1, fileSize: Number(size) }
}

/** A range beyond the file's end is cut to it. */
function isWanted({ response, start, end, fileSize }: Piece, range: Range | undefined): boolean {
  if (range === undefined) return response.status === 200
  return (
    response.status === 206 &&
    start === range.start &&
    end === Math.min(range.end ?? fileSize, fileSize)
  )
}

/** Lets go of the connection; how that ends is of no interest. */
async function giveUp({ body }: Response): Promise<void> {
  await body?.cancel().catch(() => undefined)
}
