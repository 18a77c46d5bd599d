import { fileTypeFromBuffer } from 'file-type'
import { StrongroomError } from '../errors/strongroom-error.js'

/** Bytes of the beginning that are looked at. */
export const sniffLength = 16_384

const zipBased = new Set([
  'application/vnd.openxmlformats-officedocument.wordprocessingml.document',
  'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet',
  'application/vnd.oasis.opendocument.text',
])
const sameThing: Readonly<Record<string, string>> = {
  'image/jpg': 'image/jpeg',
  'image/pjpeg': 'image/jpeg',
  'image/x-png': 'image/png',
  'application/x-pdf': 'application/pdf',
  'application/x-zip-compressed': 'application/zip',
  'image/heif': 'image/heic',
  'image/heif-sequence': 'image/heic',
  'image/heic-sequence': 'image/heic',
  'application/csv': 'text/csv',
}
/** Declarations that say nothing. */
const anything = new Set(['', 'application/octet-stream', 'binary/octet-stream'])
const markup =
  /<(?:!doctype\s+html|html|head|body|script|svg|iframe|object|embed|style|link|meta|\?xml)[\s>/?]/iu

/**
 * What a file really is, from its first bytes and what the client declared.
 * @param head the file's first bytes, `sniffLength` of them where it has as many
 * @throws StrongroomError `type_mismatch` where the content contradicts the declaration,
 * `type_not_allowed` where it is not of a type in `allowed`
 */
export async function sniffType(
  head: Buffer,
  declared: string,
  allowed: readonly string[],
): Promise<string> {
  const wanted = sameThing[declared] ?? declared
  const found = await contentType(head, wanted)
  if (!allowed.includes(found)) throw new StrongroomError('type_not_allowed')
  if (!anything.has(wanted) && wanted !== found) throw new StrongroomError('type_mismatch')
  return found
}

async function contentType(head: Buffer, wanted: string): Promise<string> {
  const type = (await fileTypeFromBuffer(head))?.mime
  if (type === undefined || type === 'application/xml') return textType(head, wanted)
  const found = sameThing[type] ?? type
  return found === 'application/zip' && zipBased.has(wanted) ? wanted : found
}

/** Text has no magic: what reads as UTF-8 without control characters and is no markup. */
function textType(head: Buffer, wanted: string): string {
  const text = decode(head)
  if (text === undefined || markup.test(text)) return 'application/octet-stream'
  return wanted === 'text/csv' ? 'text/csv' : 'text/plain'
}

function decode(head: Buffer): string | undefined {
  // The last character may be cut: up to three bytes of it are left out.
  const whole = head.length < sniffLength ? head : head.subarray(0, lastBoundary(head))
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(whole)
    return /[\u0000-\u0008\u000b\u000e-\u001a\u001c-\u001f\u007f]/u.test(text) ? undefined : text
  } catch {
    return undefined
  }
}

function lastBoundary(bytes: Buffer): number {
  let at = bytes.length
  while (at > bytes.length - 4 && ((bytes[at - 1] ?? 0) & 0xc0) === 0x80) at -= 1
  return Math.max(at - 1, 0)
}
