import t from 'tap'
import { hasBytes, hasStatus, isProblem } from './support/checks.js'
import { pdf } from './support/content.js'
import { filePart } from './support/multipart.js'
import { filePath, idOf, personOf, uploadPath } from './support/people.js'
import { startServer } from './support/server.js'

// File names as people and attackers write them.

const server = await startServer()
t.teardown(() => server.close())

const anna = personOf(server, 'anna')

/** The name a browser would save under: `filename*` before `filename` (RFC 6266, RFC 8187). */
function savedAs(disposition = ''): string | undefined {
  const extended = /filename\*=UTF-8''([^;]*)/i.exec(disposition)?.[1]
  if (extended !== undefined) return decodeURIComponent(extended)
  return /filename="((?:[^"\\]|\\.)*)"/.exec(disposition)?.[1]?.replaceAll(/\\(.)/g, '$1')
}

const isHeaderText = /^[\x20-\x7e]*$/

const kept: Readonly<Record<string, string>> = {
  plain: 'report.pdf',
  Arabic: 'تقرير الدم.pdf',
  Chinese: '血液检查.pdf',
  emoji: '🩺 heart 👩🏽‍⚕️.pdf',
  umlauts: 'Größe.pdf',
  'a single quote': "o'neil.pdf",
  'percent signs': '100%25 sure %e2.pdf',
  semicolons: 'a; filename=b.pdf',
  'no extension': 'report',
  'a leading dot': '.hidden',
}

for (const [what, filename] of Object.entries(kept)) {
  await t.test(`a name is kept: ${what}`, async (t) => {
    const data = pdf(filename)
    const answer = await anna.upload(data, { filename })
    hasStatus(t, answer, 201)
    t.equal(answer.body.filename, filename)
    const path = filePath(idOf(answer))
    t.equal((await anna.get(`${path}/metadata`)).body.filename, filename)
    for (const [query, kind] of [
      ['', 'attachment'],
      ['?view=true', 'inline'],
    ] as const) {
      const download = await anna.get(path + query)
      hasBytes(t, download, data)
      const disposition = download.headers['content-disposition'] ?? ''
      t.match(disposition, new RegExp(`^${kind}; filename="`))
      t.match(disposition, isHeaderText, 'is visible ASCII')
      t.equal(savedAs(disposition), filename)
    }
  })
}

const hostile: Readonly<Record<string, string>> = {
  'double quotes': 'a"; x="b".pdf',
  'line ends': 'a\r\nSet-Cookie: x=1\r\n\r\n.pdf',
  'a line feed': 'a\nb.pdf',
  NUL: 'a\0b.pdf',
  'a path': '../../etc/passwd.pdf',
  'an absolute path': '/etc/passwd.pdf',
  'a Windows path': 'C:\\Users\\anna\\report.pdf',
  'marks that turn the writing': 'report\u202efdp.exe',
  'control characters': 'a\u0007\u001b[31mb.pdf',
  '1,000 characters': `${'n'.repeat(996)}.pdf`,
  '1,000 emoji': '🩺'.repeat(1000),
  dots: '..',
  blanks: '   ',
}

const forbidden = /[\0-\x1f\x7f/\\\u202a-\u202e\u2066-\u2069]/

for (const [what, filename] of Object.entries(hostile)) {
  await t.test(`a hostile name does no harm: ${what}`, async (t) => {
    const data = pdf(`hostile ${what}`)
    const disposition = `form-data; name="file"; filename="${filename.replaceAll(/["\\]/g, '\\$&')}"`
    const parts = what === 'line ends' || what === 'a line feed' ? { filename } : { disposition }
    const answer = await anna.form(uploadPath, [filePart(data, parts)])
    if (answer.status !== 201) {
      isProblem(t, answer, 400)
      return
    }
    const { filename: stored = '' } = answer.body
    t.not(stored, '')
    t.notMatch(stored, forbidden, JSON.stringify(stored.slice(0, 50)))
    t.ok(Buffer.byteLength(stored) <= 255, `${Buffer.byteLength(stored)} bytes`)
    const download = await anna.get(filePath(idOf(answer)))
    hasBytes(t, download, data)
    t.match(download.headers['content-disposition'], isHeaderText)
    t.equal(savedAs(download.headers['content-disposition']), stored)
    t.equal(download.headers['set-cookie'], undefined)
  })
}

await t.test('a name may come as filename* (RFC 8187) or as raw UTF-8', async (t) => {
  const disposition = `form-data; name="file"; filename*=UTF-8''%D8%AA%D9%82.pdf`
  const answer = await anna.form(uploadPath, [filePart(pdf('extended'), { disposition })])
  hasStatus(t, answer, 201)
  t.equal(answer.body.filename, 'تق.pdf')
})

await t.test('a name that is not UTF-8 does no harm', async (t) => {
  const disposition = Buffer.from('form-data; name="file"; filename="gr\xf6\xdfe.pdf"', 'latin1')
  const answer = await anna.form(uploadPath, [filePart(pdf('latin1'), { disposition })])
  t.ok([201, 400].includes(answer.status), String(answer.status))
})

await t.test('a part without a name gets one', async (t) => {
  const disposition = 'form-data; name="file"; filename=""'
  const answer = await anna.form(uploadPath, [filePart(pdf('nameless'), { disposition })])
  if (answer.status === 201) t.not(answer.body.filename, '')
  else isProblem(t, answer, 400)
})

await t.test('a hostile name in a change of metadata is treated alike', async (t) => {
  const path = `${filePath(await anna.file(pdf('renamed')))}/metadata`
  for (const filename of Object.values(hostile)) {
    const answer = await anna.patch(path, { filename })
    if (answer.status === 200) t.notMatch(answer.body.filename, forbidden)
    else isProblem(t, answer, 400)
  }
  const arabic = 'تقرير.pdf'
  t.equal((await anna.patch(path, { filename: arabic })).body.filename, arabic)
})
