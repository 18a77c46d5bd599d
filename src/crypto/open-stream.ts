import { ByteReader } from './byte-reader.js'
import { CryptoError, locating, type SealedPlace } from './crypto-error.js'
import { ciphertextLength, TokenOpener, tokenHeadLength, tokenMacLength } from './fernet.js'
import type { FernetKey } from './fernet-key.js'
import { checkLabel, splitLabel } from './label.js'
import {
  decodeHeader,
  encodeLabel,
  headerLength,
  labelLength,
  type SealedHeader,
  type SegmentPlace,
  sealedLength,
  segmentCount,
  segmentPlace,
} from './segment-format.js'

/**
 * A sealed file as a store gives it: not trusted. Chunks may be of any size; one that was given
 * must not be overwritten afterwards.
 */
export interface SealedBytes {
  /** Length of the whole sealed file in bytes. */
  readonly length: number
  /** The bytes from `start` up to, not including, `end`. */
  read(start: number, end: number): AsyncIterable<Uint8Array>
}

export interface OpenRangeOptions {
  readonly key: FernetKey
  readonly sealedId: string
  readonly sealedBytes: SealedBytes
  /** Length of the file's data in bytes, from its authenticated metadata. */
  readonly dataLength: number
  /** The bytes of data from `start` up to, not including, `end`. */
  readonly start: number
  readonly end: number
  /** What `readHeader` gave before for this sealed file: saves reading it again. */
  readonly header?: SealedHeader
}

/**
 * Opens a range of a sealed file. Reads the header and the segments the range touches, nothing
 * more. A segment's data is given out only when its HMAC and its whole label fit; buffers are new
 * and belong to the consumer. The store's iterator is closed however the reading ends.
 * @throws CryptoError with the sealed id and the segment; data given out before was authentic
 * @throws RangeError for a range outside the file
 */
export async function* openRange(options: OpenRangeOptions): AsyncGenerator<Buffer, void, void> {
  const { dataLength, start, end, sealedBytes, sealedId } = options
  checkRange(options)
  if (options.header === undefined && start === 0 && end === dataLength) {
    yield* openWhole(options)
    return
  }
  const header = options.header ?? (await readHeader(sealedBytes, sealedId))
  if (header.sealedId !== sealedId) throw new CryptoError('header', { sealedId })
  checkLength(header, options)
  if (start === end && dataLength > 0) return
  const segments = segmentsOf(header, options)
  const reader = new ByteReader(sealedBytes.read(segments.sealedStart, segments.sealedEnd))
  try {
    yield* openSegments(reader, header, options)
  } finally {
    await reader.close()
  }
}

/**
 * Reads the header of a sealed file and checks it.
 * @throws CryptoError `cut` or `header`
 */
export async function readHeader(
  sealedBytes: SealedBytes,
  sealedId: string,
): Promise<SealedHeader> {
  if (sealedBytes.length < headerLength) throw new CryptoError('cut', { sealedId })
  const reader = new ByteReader(sealedBytes.read(0, headerLength))
  try {
    const header = decodeHeader(await reader.take(headerLength, { sealedId }), sealedId)
    await reader.end({ sealedId })
    return header
  } finally {
    await reader.close()
  }
}

/** The header and all segments in one read. */
async function* openWhole(options: OpenRangeOptions): AsyncGenerator<Buffer, void, void> {
  const { sealedBytes, sealedId } = options
  const reader = new ByteReader(sealedBytes.read(0, sealedBytes.length))
  try {
    const header = decodeHeader(await reader.take(headerLength, { sealedId }), sealedId)
    checkLength(header, options)
    yield* openSegments(reader, header, options)
  } finally {
    await reader.close()
  }
}

/** Opens the segments of the range from a reader that stands at the first of them. */
async function* openSegments(
  reader: ByteReader,
  header: SealedHeader,
  options: OpenRangeOptions,
): AsyncGenerator<Buffer, void, void> {
  const { first, final } = segmentsOf(header, options)
  for (let index = first; index <= final; index++) {
    const place = segmentPlace(options.dataLength, header.segmentSizeLog2, index)
    const data = await openSegment(reader, { key: options.key, header, place })
    if (index === final) await reader.end({ sealedId: header.sealedId, segment: index })
    yield* cutToRange(data, options.start - place.dataStart, options.end - place.dataStart)
  }
}

/** Reads and opens one segment; its data comes in pieces. */
async function openSegment(
  reader: ByteReader,
  { key, header, place }: { key: FernetKey; header: SealedHeader; place: SegmentPlace },
): Promise<Buffer[]> {
  const at: SealedPlace = { sealedId: header.sealedId, segment: place.index }
  const head = await reader.take(tokenHeadLength, at)
  const token = locating(at, () => new TokenOpener(key, head))
  for (let left = ciphertextLength(place.dataLength + labelLength); left > 0; ) {
    const ciphertext = await reader.some(left, at)
    token.update(ciphertext)
    left -= ciphertext.length
  }
  const mac = await reader.take(tokenMacLength, at)
  const { data, label } = splitLabel(locating(at, () => token.final(mac)))
  checkLabel(label, encodeLabel(header, place), at)
  if (lengthOf(data) !== place.dataLength) throw new CryptoError('length', at)
  return data
}

function* cutToRange(data: readonly Buffer[], start: number, end: number): Generator<Buffer> {
  let at = 0
  for (const piece of data) {
    const wanted = piece.subarray(Math.max(0, start - at), Math.max(0, end - at))
    at += piece.length
    if (wanted.length > 0) yield wanted
  }
}

/** The segments a range touches: their indexes and where their bytes lie. */
function segmentsOf(
  { segmentSizeLog2 }: SealedHeader,
  { dataLength, start, end }: OpenRangeOptions,
) {
  const size = 2 ** segmentSizeLog2
  const first = Math.floor(start / size)
  const final = Math.max(0, Math.ceil(end / size) - 1)
  return {
    first,
    final,
    sealedStart: segmentPlace(dataLength, segmentSizeLog2, first).sealedStart,
    sealedEnd: segmentPlace(dataLength, segmentSizeLog2, final).sealedEnd,
  }
}

/** A sealed file that is not exactly as long as its metadata says is refused before any byte. */
function checkLength(header: SealedHeader, { sealedBytes, dataLength }: OpenRangeOptions): void {
  const { sealedId, segmentSizeLog2 } = header
  const expected = sealedLength(dataLength, segmentSizeLog2)
  const last = segmentCount(dataLength, segmentSizeLog2) - 1
  if (sealedBytes.length < expected) throw new CryptoError('cut', { sealedId, segment: last })
  if (sealedBytes.length > expected) throw new CryptoError('trailing', { sealedId, segment: last })
}

function checkRange({ start, end, dataLength }: OpenRangeOptions): void {
  const whole = [start, end, dataLength].every(Number.isSafeInteger)
  if (!whole || start < 0 || end < start || end > dataLength) {
    throw new RangeError('The range lies outside the file')
  }
}

function lengthOf(pieces: readonly Buffer[]): number {
  return pieces.reduce((sum, piece) => sum + piece.length, 0)
}
