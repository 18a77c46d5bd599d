import t from 'tap'
import { isStrongroomError } from '../../../src/errors/strongroom-error.js'
import { sniffLength, sniffType } from '../../../src/files/sniff-type.js'

const docx = 'application/vnd.openxmlformats-officedocument.wordprocessingml.document'
const allowed = [
  ...['application/pdf', 'image/png', 'image/jpeg', 'text/plain', 'text/csv', docx],
  'application/dicom',
]
const pdf = Buffer.from('%PDF-1.7\n%\u00e2\u00e3\n1 0 obj\n<<>>\nendobj\n')
const png = Buffer.from('89504e470d0a1a0a0000000d4948445200000001000000010806000000', 'hex')
const jpeg = Buffer.from('ffd8ffe000104a46494600010100000100010000', 'hex')
const exe = Buffer.concat([Buffer.from('MZ\x90\0\x03\0\0\0', 'latin1'), Buffer.alloc(200)])
const dicom = Buffer.concat([Buffer.alloc(128), Buffer.from('DICM'), Buffer.alloc(64)])

/** A local file header of a zip, stored, and its data. */
function zipEntry(name: string, data: string): Buffer {
  const header = Buffer.alloc(30)
  header.writeUInt32LE(0x04034b50, 0)
  header.writeUInt16LE(20, 4)
  header.writeUInt32LE(data.length, 18)
  header.writeUInt32LE(data.length, 22)
  header.writeUInt16LE(name.length, 26)
  return Buffer.concat([header, Buffer.from(name), Buffer.from(data)])
}

const word = Buffer.concat([
  zipEntry('[Content_Types].xml', `<Override ContentType="${docx}.main+xml"/>`),
  zipEntry('word/document.xml', '<w/>'),
])
const zip = zipEntry('notes.bin', 'x')

async function sniff(head: Buffer | string, declared: string, types = allowed): Promise<string> {
  return await sniffType(Buffer.from(head), declared, types).catch((error: unknown) =>
    isStrongroomError(error) ? error.code : String(error),
  )
}

const table: readonly (readonly [
  Buffer | string,
  declared: string,
  answer: string,
  what: string,
])[] = [
  [pdf, 'application/pdf', 'application/pdf', 'a PDF'],
  [pdf, 'application/x-pdf', 'application/pdf', 'by an old name'],
  [pdf, 'application/octet-stream', 'application/pdf', 'declared as nothing in particular'],
  [pdf, '', 'application/pdf', 'not declared'],
  [pdf, 'image/png', 'type_mismatch', 'a PDF declared an image'],
  [pdf, 'text/plain', 'type_mismatch', 'a PDF declared text'],
  [png, 'image/png', 'image/png', 'a PNG'],
  [png, 'image/jpeg', 'type_mismatch', 'a PNG declared a JPEG'],
  [jpeg, 'image/jpg', 'image/jpeg', 'a JPEG by a wrong name'],
  [dicom, 'application/dicom', 'application/dicom', 'DICOM, after its preamble'],
  [exe, 'application/pdf', 'type_not_allowed', 'a program declared a PDF'],
  [exe, 'application/octet-stream', 'type_not_allowed', 'a program'],
  ['plain words', 'application/pdf', 'type_mismatch', 'text declared a PDF'],
  ['plain words', 'text/plain', 'text/plain', 'text'],
  ['plain words', 'application/octet-stream', 'text/plain', 'text not declared'],
  ['a,b\n1,2\n', 'text/csv', 'text/csv', 'CSV'],
  ['a,b\n1,2\n', 'application/csv', 'text/csv', 'CSV by another name'],
  ['تقرير 😀\n', 'text/plain', 'text/plain', 'text in UTF-8'],
  ['\ufefftext', 'text/plain', 'text/plain', 'with a byte order mark'],
  ['', 'text/plain', 'text/plain', 'an empty text'],
  ['', 'application/pdf', 'type_mismatch', 'an empty PDF'],
  [Buffer.from([0x61, 0xff, 0x62]), 'text/plain', 'type_not_allowed', 'what is no UTF-8'],
  ['a\0b', 'text/plain', 'type_not_allowed', 'NUL in text'],
  ['<!DOCTYPE html><p>', 'text/plain', 'type_not_allowed', 'HTML as text'],
  ['<html>', 'text/html', 'type_not_allowed', 'HTML as itself'],
  ['\n <ScRipT>alert(1)</script>', 'text/plain', 'type_not_allowed', 'a script as text'],
  ['<svg xmlns="http://www.w3.org/2000/svg"/>', 'text/plain', 'type_not_allowed', 'SVG as text'],
  ['<svg onload=x>', 'image/svg+xml', 'type_not_allowed', 'SVG'],
  ['<?xml version="1.0"?><svg/>', 'image/png', 'type_not_allowed', 'SVG as an image'],
  [word, docx, docx, 'a Word document'],
  [zip, docx, docx, 'a zip that starts with another entry, as some writers make them'],
  [zip, 'application/zip', 'type_not_allowed', 'a zip'],
  [word, 'application/pdf', 'type_mismatch', 'a Word document declared a PDF'],
  ['words', 'constructor', 'type_mismatch', 'a declaration that is no type'],
  ['words', '__proto__', 'type_mismatch', 'nor this'],
]

for (const [head, declared, answer, what] of table) {
  await t.test(what, async (t) => {
    t.equal(await sniff(head, declared), answer)
  })
}

await t.test('a character cut at the end of what is looked at is no fault', async (t) => {
  for (const mark of ['é', 'ع', '€', '😀', 'x']) {
    for (let shift = 0; shift < 4; shift += 1) {
      const text = Buffer.from('a'.repeat(shift) + mark.repeat(sniffLength))
      t.equal(
        await sniff(text.subarray(0, sniffLength), 'text/plain'),
        'text/plain',
        `${mark} ${shift}`,
      )
    }
  }
  const short = Buffer.from('€').subarray(0, 2)
  t.equal(await sniff(short, 'text/plain'), 'type_not_allowed', 'it is one where the file ends')
  const broken = Buffer.alloc(sniffLength, 0x80)
  t.equal(await sniff(broken, 'text/plain'), 'type_not_allowed', 'nor are loose ends characters')
})

await t.test('every beginning of a file is judged, not stumbled over', async (t) => {
  for (const whole of [pdf, png, jpeg, exe, dicom, word, zip]) {
    for (let length = 0; length <= whole.length; length += 7) {
      const answer = await sniff(whole.subarray(0, length), 'application/pdf')
      t.match(answer, /^(type_not_allowed|type_mismatch|application\/pdf)$/)
    }
  }
})
