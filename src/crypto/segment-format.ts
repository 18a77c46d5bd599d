import { CryptoError } from './crypto-error.js'
import { tokenLength } from './fernet.js'

/*
 * Sealed file, version 1 (docs/FORMAT.md). Header, 32 bytes:
 *  0 magic | 8 log2 of the segment size | 9 zero, 7 bytes | 16 sealed id
 * Label, the last 32 bytes of each token's plaintext:
 *  0 sealed id | 16 index, 8 bytes BE | 24 flag | 25 log2 of the segment size | 26 zero, 6 bytes
 */
const magic = Buffer.from('STRONGR1', 'latin1')
const headerLog2Offset = 8
const headerIdOffset = 16
export const headerLength = 32

const labelIndexOffset = 16
const labelFlagOffset = 24
const labelLog2Offset = 25
export const labelLength = 32

export const smallestSegmentSizeLog2 = 16
export const largestSegmentSizeLog2 = 22
/** 256 KiB. */
export const defaultSegmentSizeLog2 = 18
export const mostSegments = 2 ** 32

const metadataIndex = 2n ** 64n - 1n
const flags = { more: 0, last: 1, metadata: 2 } as const
const uuid = /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/

export interface SealedHeader {
  readonly sealedId: string
  /** S is 2 to this power, in bytes. */
  readonly segmentSizeLog2: number
}

/** Where one segment lies: offsets in bytes from the start of the sealed file and of the data. */
export interface SegmentPlace {
  readonly index: number
  readonly last: boolean
  readonly sealedStart: number
  readonly sealedEnd: number
  readonly dataStart: number
  readonly dataLength: number
}

/**
 * The 16 bytes of a UUID in RFC 9562 order.
 * @throws RangeError unless it is 36 lower-case characters
 */
export function encodeSealedId(sealedId: string): Buffer {
  if (!uuid.test(sealedId)) throw new RangeError('A sealed id is a UUID in lower case')
  return Buffer.from(sealedId.replaceAll('-', ''), 'hex')
}

/** The UUID of 16 bytes. */
export function decodeSealedId(bytes: Uint8Array): string {
  const hex = Buffer.from(bytes).toString('hex')
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}

/** @throws RangeError for a size outside the format */
export function encodeHeader({ sealedId, segmentSizeLog2 }: SealedHeader): Buffer {
  checkSegmentSize(segmentSizeLog2)
  const header = Buffer.alloc(headerLength)
  header.set(magic)
  header[headerLog2Offset] = segmentSizeLog2
  header.set(encodeSealedId(sealedId), headerIdOffset)
  return header
}

/**
 * Reads the header of the sealed file asked for.
 * @throws CryptoError `header` for an unknown magic, a size outside 16..22, a byte that should be
 *   zero, or another sealed id
 */
export function decodeHeader(header: Uint8Array, sealedId: string): SealedHeader {
  const segmentSizeLog2 = header[headerLog2Offset] ?? 0
  const fits = isSegmentSize(segmentSizeLog2)
  if (!fits || !encodeHeader({ sealedId, segmentSizeLog2 }).equals(header)) {
    throw new CryptoError('header', { sealedId })
  }
  return { sealedId, segmentSizeLog2 }
}

/** The sealed id a header names, unauthenticated: for listing and sweeping, never for opening. */
export function peekSealedId(header: Uint8Array): string | undefined {
  if (header.length < headerLength) return undefined
  if (!magic.equals(header.subarray(0, magic.length))) return undefined
  return decodeSealedId(header.subarray(headerIdOffset, headerLength))
}

/** The label of one segment, or of the metadata (index 2^64 - 1, flag 2). */
export function encodeLabel(
  { sealedId, segmentSizeLog2 }: SealedHeader,
  part: { readonly index: number; readonly last: boolean } | 'metadata',
): Buffer {
  const metadata = part === 'metadata'
  const label = Buffer.alloc(labelLength)
  label.set(encodeSealedId(sealedId))
  label.writeBigUInt64BE(metadata ? metadataIndex : BigInt(part.index), labelIndexOffset)
  label[labelFlagOffset] = metadata ? flags.metadata : part.last ? flags.last : flags.more
  label[labelLog2Offset] = segmentSizeLog2
  return label
}

/**
 * Number of segments of a file of `dataLength` bytes: an empty file has one.
 * @throws RangeError for a length or a segment size outside the format
 */
export function segmentCount(dataLength: number, segmentSizeLog2: number): number {
  checkSegmentSize(segmentSizeLog2)
  const count = Math.max(1, Math.ceil(dataLength / 2 ** segmentSizeLog2))
  if (!Number.isSafeInteger(dataLength) || dataLength < 0 || count > mostSegments) {
    throw new RangeError('No sealed file has this length')
  }
  return count
}

/** Length in bytes of the sealed file that holds `dataLength` bytes. */
export function sealedLength(dataLength: number, segmentSizeLog2: number): number {
  const last = segmentCount(dataLength, segmentSizeLog2) - 1
  return segmentPlace(dataLength, segmentSizeLog2, last).sealedEnd
}

/** Where segment `index` of a file of `dataLength` bytes lies. */
export function segmentPlace(
  dataLength: number,
  segmentSizeLog2: number,
  index: number,
): SegmentPlace {
  const size = 2 ** segmentSizeLog2
  const dataStart = index * size
  const length = Math.min(size, dataLength - dataStart)
  const sealedStart = headerLength + index * sealedSegmentLength(size)
  return {
    index,
    last: index === segmentCount(dataLength, segmentSizeLog2) - 1,
    sealedStart,
    sealedEnd: sealedStart + sealedSegmentLength(length),
    dataStart,
    dataLength: length,
  }
}

/** Length of the token that holds `dataLength` bytes and the label: 105 + 16 * floor(n / 16). */
export function sealedSegmentLength(dataLength: number): number {
  return tokenLength(dataLength + labelLength)
}

function isSegmentSize(log2: number): boolean {
  return Number.isInteger(log2) && log2 >= smallestSegmentSizeLog2 && log2 <= largestSegmentSizeLog2
}

function checkSegmentSize(log2: number): void {
  if (!isSegmentSize(log2)) throw new RangeError('log2 of a segment size is 16 to 22')
}
