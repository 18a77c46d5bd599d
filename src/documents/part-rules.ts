import { StrongroomError } from '../errors/strongroom-error.js'
import type { DocumentPartRow } from './ports.js'

const MIB = 1_048_576
/** Bytes of every part but the last, at least. */
export const MIN_PART_BYTES = 5 * MIB
/** Bytes of a part, at most. */
export const MAX_PART_BYTES = 64 * MIB
/** Parts of one document. */
export const MAX_PARTS = 1_000

/** What is said of the parts, in the end, by whoever sent them. */
export interface SaidParts {
  /** Their numbers, as far as they are said. */
  readonly numbers?: readonly number[] | undefined
}

/**
 * Whether these parts, in the order of their numbers, are a whole.
 * @throws StrongroomError `not_uploaded` (one is missing), `content_mismatch` (not those that are said, or one too small)
 */
export function checkWhole(parts: readonly DocumentPartRow[], { numbers }: SaidParts): void {
  if (parts.length === 0) throw new StrongroomError('not_uploaded')
  const missing = parts.findIndex(({ partNumber }, at) => partNumber !== at + 1)
  if (missing >= 0) throw missingPart(missing + 1)
  const tooMany = numbers?.find((number) => number > parts.length)
  if (tooMany !== undefined) throw missingPart(tooMany)
  const named = new Set(numbers ?? parts.map(({ partNumber }) => partNumber))
  if (named.size !== parts.length || !parts.every(({ partNumber }) => named.has(partNumber))) {
    throw mismatch('parts: others have come than are named')
  }
  const small = parts.find(({ size }, at) => size < MIN_PART_BYTES && at < parts.length - 1)
  if (small !== undefined) {
    const least = `part ${small.partNumber}: all but the last have at least ${MIN_PART_BYTES} bytes`
    throw mismatch(least)
  }
}

export const wholeSize = (parts: readonly Pick<DocumentPartRow, 'size'>[]): number =>
  parts.reduce((sum, { size }) => sum + size, 0)

function missingPart(number: number): StrongroomError {
  return new StrongroomError('not_uploaded', { detail: `part ${number}: has not come` })
}

function mismatch(detail: string): StrongroomError {
  return new StrongroomError('content_mismatch', { detail })
}
