import t from 'tap'
import { cleanFileName } from '../../../src/files/file-name.js'

const table: readonly (readonly [given: string | undefined, kept: string, what: string])[] = [
  ['scan.pdf', 'scan.pdf', 'as it is'],
  ['تقرير المختبر.pdf', 'تقرير المختبر.pdf', 'Arabic'],
  ['👩\u200d⚕️ report.pdf', '👩\u200d⚕️ report.pdf', 'an emoji of several, joined'],
  ['می\u200cخواهم.txt', 'می\u200cخواهم.txt', 'a non-joiner, which Persian needs'],
  ['report\u202efdp.exe', 'reportfdp.exe', 'a right-to-left override'],
  ['a\u2066b\u2069\u200e\u200f\u061cc.txt', 'abc.txt', 'isolates and marks'],
  ['a\0b\r\nc\u001b[31m\u007f.pdf', 'abc[31m.pdf', 'control characters'],
  ['a\u2028b\u2029c', 'abc', 'line and paragraph separators'],
  ['\ufeffbom\u00ad.txt', 'bom.txt', 'invisible characters'],
  ['a\ud800b\udc00.txt', 'ab.txt', 'halves of surrogate pairs'],
  ['../../etc/passwd', 'passwd', 'a path'],
  ['C:\\Users\\me\\scan.pdf', 'scan.pdf', "another system's path"],
  ['folder/', 'document', 'a folder'],
  ['e\u0301te\u0301.txt', 'été.txt', 'composed'],
  ['e\u202e\u0301.txt', 'é.txt', 'composed over what was taken out'],
  ['  spaced  .pdf ', 'spaced  .pdf', 'spaces around'],
  ['.profile', '.profile', 'a dot before'],
  ['.', 'document', 'a dot'],
  ['..', 'document', 'two'],
  ['. .', 'document', 'dots and a space'],
  ['.\u200d.', 'document', 'dots, joined'],
  ['\u200d\u200c', 'document', 'joiners alone'],
  ['\0\u202e', 'document', 'nothing seen'],
  ['', 'document', 'nothing'],
  [undefined, 'document', 'no name'],
  ['a"b;c%d.txt', 'a"b;c%d.txt', 'marks that headers must escape'],
]

for (const [given, kept, what] of table) {
  await t.test(what, (t) => {
    t.equal(cleanFileName(given), kept)
    t.equal(cleanFileName(kept), kept, 'once is enough')
    t.end()
  })
}

await t.test('255 bytes of UTF-8 at most, extension and characters whole', (t) => {
  t.equal(cleanFileName('a'.repeat(255)), 'a'.repeat(255))
  t.equal(cleanFileName(`${'a'.repeat(1000)}.pdf`), `${'a'.repeat(251)}.pdf`)
  t.equal(cleanFileName(`${'ع'.repeat(1000)}.pdf`), `${'ع'.repeat(125)}.pdf`)
  t.equal(cleanFileName(`${'😀'.repeat(1000)}.pdf`), `${'😀'.repeat(62)}.pdf`)
  t.equal(cleanFileName('😀'.repeat(1000)), '😀'.repeat(63))
  t.equal(cleanFileName(`a.${'b'.repeat(1000)}`), `a.${'b'.repeat(253)}`, 'that is no extension')
  t.end()
})
