import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gunzipSync, inflateRawSync, inflateSync } from 'node:zlib'

// Finds a word in bytes however it may be written there.

/** A way of writing, and what to look for. */
export interface Needle {
  readonly encoding: string
  readonly bytes: Buffer
}

/** What is the same of the base64 of `word` wherever it begins: at 0, 1 or 2 modulo 3. */
function base64Needles(word: string): string[] {
  return [0, 1, 2].map((offset) => {
    const bytes = Buffer.concat([Buffer.alloc(offset), Buffer.from(word)])
    const text = bytes.toString('base64')
    const whole = Math.floor(bytes.length / 3) * 4
    return text.slice(offset === 0 ? 0 : 4, whole)
  })
}

const swapped = (bytes: Buffer) => Buffer.from(bytes).swap16()

const percentEncoded = (word: string) =>
  [...Buffer.from(word)].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('')

/** Every way of writing that is looked for. `word` is of lower case ASCII letters and digits. */
export function needlesOf(word: string): Needle[] {
  const utf16 = Buffer.from(word, 'utf16le')
  const texts: [string, string][] = [
    ['raw', word],
    ['upper case', word.toUpperCase()],
    ['hex', Buffer.from(word).toString('hex')],
    ['upper case hex', Buffer.from(word).toString('hex').toUpperCase()],
    ['percent-encoded', percentEncoded(word)],
    ['percent-encoded in upper case', percentEncoded(word).toUpperCase()],
    ...base64Needles(word).map((text): [string, string] => ['base64', text]),
    ...base64Needles(word).map((text): [string, string] => [
      'base64url',
      text.replaceAll('+', '-').replaceAll('/', '_'),
    ]),
    ...base64Needles(word).map((text): [string, string] => [
      'hex of base64',
      Buffer.from(text).toString('hex'),
    ]),
  ]
  return [
    ...texts.map(([encoding, text]) => ({ encoding, bytes: Buffer.from(text) })),
    { encoding: 'UTF-16LE', bytes: utf16 },
    { encoding: 'UTF-16BE', bytes: swapped(utf16) },
  ]
}

export interface Find {
  readonly where: string
  readonly encoding: string
  readonly context: string
}

function searchPlain(where: string, bytes: Buffer, needles: readonly Needle[]): Find[] {
  return needles.flatMap((needle) => {
    const at = bytes.indexOf(needle.bytes)
    if (at < 0) return []
    const context = bytes.toString('latin1', Math.max(0, at - 60), at + needle.bytes.length + 60)
    return [{ where, encoding: needle.encoding, context: JSON.stringify(context) }]
  })
}

const limit = { maxOutputLength: 16 << 20 }

function unpacked(unpack: () => Buffer): Buffer[] {
  try {
    return [unpack()]
  } catch {
    return []
  }
}

function positionsOf(bytes: Buffer, magic: Buffer): number[] {
  const positions: number[] = []
  for (let at = bytes.indexOf(magic); at >= 0; at = bytes.indexOf(magic, at + 1)) positions.push(at)
  return positions
}

const zlibMagics = ['7801', '785e', '789c', '78da'].map((hex) => Buffer.from(hex, 'hex'))

/** What can be unpacked from within `bytes`: gzip, zlib and entries of zip archives. */
function unpackAll(bytes: Buffer): Buffer[] {
  const gzip = positionsOf(bytes, Buffer.from('1f8b08', 'hex')).flatMap((at) =>
    unpacked(() => gunzipSync(bytes.subarray(at), limit)),
  )
  const zlib = zlibMagics
    .flatMap((magic) => positionsOf(bytes, magic))
    .flatMap((at) => unpacked(() => inflateSync(bytes.subarray(at), limit)))
  const zip = positionsOf(bytes, Buffer.from('504b0304', 'hex')).flatMap((at) => {
    if (at + 30 > bytes.length) return []
    const data = at + 30 + bytes.readUInt16LE(at + 26) + bytes.readUInt16LE(at + 28)
    return unpacked(() => inflateRawSync(bytes.subarray(data), limit))
  })
  return [...gzip, ...zlib, ...zip]
}

/** Where `bytes` hold one of the needles, as they are or unpacked. */
export function search(where: string, bytes: Buffer, needles: readonly Needle[]): Find[] {
  return [
    ...searchPlain(where, bytes, needles),
    ...unpackAll(bytes).flatMap((inner) => searchPlain(`${where} (unpacked)`, inner, needles)),
  ]
}

/** Searches every file under `folder`, and the paths of all. */
export async function searchFolder(folder: string, needles: readonly Needle[]): Promise<Find[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const finds: Find[] = []
  for (const entry of entries) {
    const path = join(entry.parentPath, entry.name)
    finds.push(...searchPlain(`the path ${path}`, Buffer.from(path), needles))
    if (entry.isFile()) finds.push(...search(path, await readFile(path), needles))
  }
  return finds
}
