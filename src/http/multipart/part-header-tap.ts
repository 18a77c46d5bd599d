import { StrongroomError } from '../../errors/strongroom-error.js'

/** Bytes of one part's header block. */
export const maxHeaderBlock = 16 * 1024

/** What the library does not tell of a part's headers. */
export interface PartHeaders {
  readonly contentDigest: string | undefined
  /** The library makes `text/plain` of none, as RFC 7578, 4.4 has it of fields. */
  readonly declaresType: boolean
}

export interface PartHeaderTap {
  /** Looks at the next chunk of the body. Throws `malformed_multipart`. */
  feed(chunk: Buffer): void
  /** Of the nth part, counted from 0, if its headers have been seen. */
  headers(part: number): PartHeaders | undefined
  /** Looks no further: bodies that follow cost nothing. */
  stop(): void
}

/**
 * Reads the part headers that the multipart library does not hand out, beside it, from the same
 * bytes. Stricter than the library, which skips a part with an odd header in silence: here it
 * is malformed, so the nth block seen is the nth part the library tells of.
 */
export function partHeaderTap(boundary: string): PartHeaderTap {
  const delimiter = Buffer.from(`\r\n--${boundary}`, 'latin1')
  const seen: PartHeaders[] = []
  // The first delimiter may stand at the very start: as if a line had ended before.
  let pending = Buffer.from('\r\n')
  let place: 'body' | 'header' | 'done' = 'body'
  let afterHeader = false

  /** Position after the delimiter, or -1 where more bytes are needed. */
  function passBody(data: Buffer, position: number): number {
    const found = data.indexOf(delimiter, position)
    if (found === -1) {
      const keep = Math.max(position, data.length - delimiter.length + 1)
      if (keep > position) afterHeader = false
      pending = Buffer.from(data.subarray(keep))
      return -1
    }
    // The line end that closes the header block is not the delimiter's own.
    if (afterHeader && found === position) throw malformed()
    place = 'header'
    return found + delimiter.length
  }

  /** Position of the last line end of the block, or -1 where more bytes are needed. */
  function passHeader(data: Buffer, position: number): number {
    if (data.length - position >= 2 && data.toString('latin1', position, position + 2) === '--') {
      place = 'done'
      return -1
    }
    const end = data.indexOf('\r\n\r\n', position)
    const length = (end === -1 ? data.length : end) - position
    if (length > maxHeaderBlock) throw malformed()
    if (end === -1) {
      pending = Buffer.from(data.subarray(position))
      return -1
    }
    if (data.subarray(position, end).includes(delimiter)) throw malformed()
    seen.push(headersIn(data.toString('latin1', position, end)))
    place = 'body'
    afterHeader = true
    return end + 2
  }

  /** What is pending before `chunk`, unless that is body bytes in which no delimiter begins. */
  function joined(chunk: Buffer): Buffer {
    if (pending.length === 0) return chunk
    const isLong = place === 'body' && chunk.length >= delimiter.length
    const seam = Buffer.concat([pending, isLong ? chunk.subarray(0, delimiter.length - 1) : chunk])
    if (!isLong) return seam
    if (seam.includes(delimiter)) return Buffer.concat([pending, chunk])
    afterHeader = false
    return chunk
  }

  return {
    feed(chunk) {
      if (place === 'done') return
      const data = joined(chunk)
      let position = 0
      while (position !== -1) {
        position = place === 'body' ? passBody(data, position) : passHeader(data, position)
      }
    },
    headers: (part) => seen[part],
    stop() {
      place = 'done'
    },
  }
}

const headerLine = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r\n\0]*)$/

/** What is asked for of a block; throws where the block is not one plain `form-data` part's. */
function headersIn(block: string): PartHeaders {
  const [padding = '', ...lines] = block.split('\r\n')
  if (padding.trim() !== '') throw malformed()
  const headers = new Map<string, string>()
  for (const line of lines) {
    const [, name, value] = headerLine.exec(line) ?? []
    if (name === undefined || value === undefined || headers.has(name.toLowerCase())) {
      throw malformed()
    }
    headers.set(name.toLowerCase(), value.trim())
  }
  const disposition = headers.get('content-disposition') ?? ''
  // An encoded line break in an extended parameter is what the library skips a part for.
  if (!/^form-data[ \t]*;/i.test(disposition) || /\*=.*%0[ad]/i.test(disposition)) {
    throw malformed()
  }
  return {
    contentDigest: headers.get('content-digest'),
    declaresType: headers.has('content-type'),
  }
}

const boundaryCharacters = /^[0-9A-Za-z'()+_,\-./:=? ]{0,69}[0-9A-Za-z'()+_,\-./:=?]$/

/** The boundary in a `Content-Type` (RFC 2046 section 5.1.1). Throws `malformed_multipart`. */
export function boundaryIn(contentType: string): string {
  const found = [...contentType.matchAll(/;[ \t]*boundary=(?:"([^"\\]*)"|([^;" \t]*))/gi)]
  const boundary = found[0]?.[1] ?? found[0]?.[2] ?? ''
  if (found.length !== 1 || !boundaryCharacters.test(boundary)) throw malformed()
  return boundary
}

function malformed(): StrongroomError {
  return new StrongroomError('malformed_multipart')
}
