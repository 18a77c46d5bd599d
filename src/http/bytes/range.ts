import type { ByteRange } from '../../files/stream-opened.js'

/**
 * The range a `Range` header asks for (RFC 9110, 14.2): `whole` where there is none, where it is
 * malformed, of another unit or several at once, all of which a server may ignore; `unsatisfiable`
 * where it lies outside.
 * @param size length of the file in bytes
 */
export function parseRange(
  header: string | undefined,
  size: number,
): ByteRange | 'whole' | 'unsatisfiable' {
  const [, first, last] = /^bytes=[ \t]*(\d*)-(\d*)[ \t]*$/iu.exec(header ?? '') ?? []
  if (first === undefined || last === undefined || (first === '' && last === '')) return 'whole'
  if (first === '') return suffix(Number(last), size)
  const start = Number(first)
  const end = last === '' ? size : Math.min(Number(last) + 1, size)
  if (last !== '' && Number(last) < start) return 'whole'
  return start < size ? { start, end } : 'unsatisfiable'
}

/** Of an empty file any end is the whole, which `Content-Range` has no words for. */
function suffix(length: number, size: number): ByteRange | 'whole' | 'unsatisfiable' {
  if (length === 0) return 'unsatisfiable'
  if (size === 0) return 'whole'
  return { start: Math.max(size - length, 0), end: size }
}
