import t from 'tap'
import { cleanFileName } from '../../../src/files/file-name.js'
import { contentDisposition } from '../../../src/http/bytes/content-disposition.js'

await t.test('a plain name, and the true one in UTF-8', (t) => {
  t.equal(
    contentDisposition('inline', 'scan 1.pdf'),
    `inline; filename="scan 1.pdf"; filename*=UTF-8''scan%201.pdf`,
  )
  t.equal(
    contentDisposition('attachment', 'ö👩\u200d⚕.pdf'),
    'attachment; filename="____.pdf"; ' +
      `filename*=UTF-8''%C3%B6%F0%9F%91%A9%E2%80%8D%E2%9A%95.pdf`,
  )
  t.end()
})

const names = [
  'a"b\\c%41.txt',
  `it's (1)*.txt`,
  'x"; filename="evil.exe',
  'تقرير.pdf',
  '😀'.repeat(60),
  'a\r\nset-cookie: x=1',
  'a\ud800b',
  '\udc00',
  '\0\u007f\u0080',
]

await t.test('no name breaks the header or is lost', (t) => {
  for (const name of names) {
    const header = contentDisposition('attachment', name)
    const form = /^attachment; filename="([^"\\%]*)"; filename\*=UTF-8''([\w!#$&+.^`|~%-]*)$/
    const [, plain = '', extended = ''] = form.exec(header) ?? []
    t.match(plain, /^[\x20-\x7e]+$/, JSON.stringify(name))
    t.equal(decodeURIComponent(extended), name.replace(/\p{Cs}/gu, '\ufffd'))
  }
  t.end()
})

await t.test('what a clean name holds always has UTF-8', (t) => {
  for (const name of names) {
    t.doesNotThrow(() => encodeURIComponent(cleanFileName(name)), JSON.stringify(name))
  }
  t.end()
})
