import { createCipheriv, createHash } from 'node:crypto'
import { crc32, deflateSync } from 'node:zlib'

/** Bytes that look random and are the same for the same seed, at any speed the machine allows. */
export function randomBytesOf(seed: string, size: number): Buffer {
  const key = createHash('sha256').update(seed).digest()
  const cipher = createCipheriv('aes-128-ctr', key.subarray(0, 16), key.subarray(16))
  return cipher.update(Buffer.alloc(size))
}

export const sha256 = (data: Buffer) => createHash('sha256').update(data).digest('hex')

/** The value of `Content-Digest` and `Repr-Digest` for these bytes (RFC 9530). */
export const digestField = (data: Buffer) =>
  `sha-256=:${createHash('sha256').update(data).digest('base64')}:`

/** A PDF header, then bytes that depend on the seed: `size` bytes, at least 32. */
export function pdf(seed: string, size = 1000): Buffer {
  const header = Buffer.from('%PDF-1.7\n%\u00e2\u00e3\u00cf\u00d3\n', 'latin1')
  const trailer = Buffer.from('\n%%EOF\n')
  return Buffer.concat([
    header,
    randomBytesOf(seed, size - header.length - trailer.length),
    trailer,
  ])
}

/** A PDF of one page that readers accept, with a cross-reference table and `text` in its content. */
export function readablePdf(text: string): Buffer {
  const stream = `BT /F1 18 Tf 40 700 Td (${text}) Tj ET`
  const objects = [
    '<</Type/Catalog/Pages 2 0 R>>',
    '<</Type/Pages/Kids[3 0 R]/Count 1>>',
    '<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>',
    `<</Length ${stream.length}>>\nstream\n${stream}\nendstream`,
    '<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>',
  ]
  let body = '%PDF-1.4\n'
  const offsets = objects.map((object, index) => {
    const offset = body.length
    body += `${index + 1} 0 obj\n${object}\nendobj\n`
    return `${String(offset).padStart(10, '0')} 00000 n \n`
  })
  const table = `xref\n0 ${objects.length + 1}\n0000000000 65535 f \n${offsets.join('')}`
  const end = `trailer\n<</Size ${objects.length + 1}/Root 1 0 R>>\nstartxref\n${body.length}\n%%EOF\n`
  return Buffer.from(body + table + end, 'latin1')
}

function pngChunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data])
  const frame = Buffer.alloc(8)
  frame.writeUInt32BE(data.length, 0)
  frame.writeUInt32BE(crc32(body), 4)
  return Buffer.concat([frame.subarray(0, 4), body, frame.subarray(4)])
}

/** A PNG image of `side` × `side` grey pixels (ISO/IEC 15948). */
export function png(seed: string, side = 16): Buffer {
  const header = Buffer.alloc(13)
  header.writeUInt32BE(side, 0)
  header.writeUInt32BE(side, 4)
  header.writeUInt8(8, 8)
  const pixels = randomBytesOf(seed, side * side)
  const rows = Array.from({ length: side }, (_, row) =>
    Buffer.concat([Buffer.alloc(1), pixels.subarray(row * side, (row + 1) * side)]),
  )
  return Buffer.concat([
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    pngChunk('IHDR', header),
    pngChunk('IDAT', deflateSync(Buffer.concat(rows))),
    pngChunk('IEND', Buffer.alloc(0)),
  ])
}

/** Bytes that begin and end as a JFIF image does. */
export function jpeg(seed: string, size = 800): Buffer {
  const start = Buffer.from('ffd8ffe000104a46494600010100000100010000', 'hex')
  const end = Buffer.from('ffd9', 'hex')
  return Buffer.concat([start, randomBytesOf(seed, size - start.length - end.length), end])
}

/** A DICOM file: preamble, `DICM`, one group length element, then bytes (DICOM PS3.10). */
export function dicom(seed: string, size = 1200): Buffer {
  const element = Buffer.from('02000000554c040000000000', 'hex')
  const head = Buffer.concat([Buffer.alloc(128), Buffer.from('DICM'), element])
  return Buffer.concat([head, randomBytesOf(seed, size - head.length)])
}

interface Entry {
  readonly name: string
  readonly data: Buffer
}

function zipHeader(entry: Entry, signature: number, size: number): Buffer {
  const header = Buffer.alloc(size)
  const at = size === 46 ? 2 : 0
  header.writeUInt32LE(signature, 0)
  header.writeUInt16LE(20, 4 + at)
  header.writeUInt32LE(crc32(entry.data), 14 + at)
  header.writeUInt32LE(entry.data.length, 18 + at)
  header.writeUInt32LE(entry.data.length, 22 + at)
  header.writeUInt16LE(Buffer.byteLength(entry.name), 26 + at)
  return header
}

/** A zip archive whose entries are stored as they are (APPNOTE 4.3). */
export function zip(entries: readonly Entry[]): Buffer {
  const local: Buffer[] = []
  const central: Buffer[] = []
  let offset = 0
  for (const entry of entries) {
    const name = Buffer.from(entry.name)
    const directory = zipHeader(entry, 0x02014b50, 46)
    directory.writeUInt32LE(offset, 42)
    central.push(directory, name)
    local.push(zipHeader(entry, 0x04034b50, 30), name, entry.data)
    offset += 30 + name.length + entry.data.length
  }
  const end = Buffer.alloc(22)
  end.writeUInt32LE(0x06054b50, 0)
  end.writeUInt16LE(entries.length, 8)
  end.writeUInt16LE(entries.length, 10)
  end.writeUInt32LE(Buffer.concat(central).length, 12)
  end.writeUInt32LE(offset, 16)
  return Buffer.concat([...local, ...central, end])
}

const wordType = 'application/vnd.openxmlformats-officedocument.wordprocessingml.document'

/** A word processor's document as far as its container tells (ECMA-376). */
export function docx(seed: string): Buffer {
  const types = `<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Override PartName="/word/document.xml" ContentType="${wordType}.main+xml"/></Types>`
  return zip([
    { name: '[Content_Types].xml', data: Buffer.from(types) },
    { name: 'word/document.xml', data: Buffer.from(`<document>${seed}</document>`) },
  ])
}

export const text = (seed: string) => Buffer.from(`Note ${seed}\nTake one a day.\n`)

export const csv = (seed: string) => Buffer.from(`name,value\n${seed},1\n`)

export const contentTypes = {
  pdf: 'application/pdf',
  png: 'image/png',
  jpeg: 'image/jpeg',
  dicom: 'application/dicom',
  docx: wordType,
  zip: 'application/zip',
  text: 'text/plain',
  csv: 'text/csv',
} as const
