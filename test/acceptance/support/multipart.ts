import { randomUUID } from 'node:crypto'

export interface Part {
  readonly name: string
  readonly data: Buffer | string
  /** Absent: a field. Written as browsers write it, unless `disposition` says it all. */
  readonly filename?: string
  readonly type?: string
  /** The whole value of Content-Disposition, for names no browser would send. */
  readonly disposition?: Buffer | string
  readonly headers?: Readonly<Record<string, string>>
}

export interface Form {
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
  /** Where each part's data begins in `body`. */
  readonly offsets: readonly number[]
}

/** As the WHATWG form encoding has it: quotes and line ends of a name are percent-encoded. */
const quoted = (name: string) =>
  name.replaceAll('\n', '%0A').replaceAll('\r', '%0D').replaceAll('"', '%22')

function dispositionOf(part: Part): Buffer {
  if (part.disposition !== undefined) return Buffer.from(part.disposition)
  const filename = part.filename === undefined ? '' : `; filename="${quoted(part.filename)}"`
  return Buffer.from(`form-data; name="${quoted(part.name)}"${filename}`)
}

/** A `multipart/form-data` body (RFC 7578), in memory. */
export function multipart(parts: readonly Part[], boundary = `form-${randomUUID()}`): Form {
  const pieces: Buffer[] = []
  const offsets: number[] = []
  let length = 0
  const add = (piece: Buffer | string) => {
    const bytes = Buffer.from(piece)
    pieces.push(bytes)
    length += bytes.length
  }
  for (const part of parts) {
    add(`--${boundary}\r\ncontent-disposition: `)
    add(dispositionOf(part))
    if (part.type !== undefined) add(`\r\ncontent-type: ${part.type}`)
    for (const [name, value] of Object.entries(part.headers ?? {})) add(`\r\n${name}: ${value}`)
    add('\r\n\r\n')
    offsets.push(length)
    add(part.data)
    add('\r\n')
  }
  add(`--${boundary}--\r\n`)
  return {
    headers: { 'content-type': `multipart/form-data; boundary=${boundary}` },
    body: Buffer.concat(pieces),
    offsets,
  }
}

/** The part `file` of an upload. */
export function filePart(data: Buffer, facts: Partial<Part> = {}): Part {
  return { name: 'file', filename: 'report.pdf', type: 'application/pdf', ...facts, data }
}

/** Fields of a form. */
export function fields(values: Readonly<Record<string, string>>): Part[] {
  return Object.entries(values).map(([name, data]) => ({ name, data }))
}
