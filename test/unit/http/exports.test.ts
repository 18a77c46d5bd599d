import { inflateSync } from 'node:zlib'
import t from 'tap'
import { csvLine, csvTable } from '../../../src/http/exports/csv.js'
import { type PdfTable, pdfTable } from '../../../src/http/exports/pdf-table.js'

await t.test('cells of CSV', (t) => {
  t.equal(csvLine(['a', 1, null, ['x', 'y'], true]), 'a,1,,x y,true\r\n')
  t.equal(csvLine(['a"b', 'c,d', 'e\nf']), '"a""b","c,d","e\nf"\r\n')
  const dangerous = ['=1+1', '+1', '-1', '@a', '\ta', '\ra']
  for (const text of dangerous) t.match(csvLine([text]), /^"?'/, JSON.stringify(text))
  t.equal(csvLine([-1]), '-1\r\n', 'a number is none')
  t.end()
})

await t.test('a table of CSV', async (t) => {
  const entries = async function* () {
    yield await Promise.resolve({ a: 1, b: 'two', c: 'not asked for' })
  }
  const lines: string[] = []
  for await (const line of csvTable(['a', 'b'], entries())) lines.push(line)
  t.same(lines, ['a,b\r\n', '1,two\r\n'])
})

async function* rowsOf(rows: readonly (readonly string[])[]) {
  for (const row of rows) yield await Promise.resolve(row)
}

async function made(rows: PdfTable['rows']): Promise<{ pieces: number; pdf: Buffer }> {
  const pieces: Buffer[] = []
  const columns = [
    { title: 'Who', width: 200 },
    { title: 'Why', width: 300 },
  ]
  const table = { title: 'Title', facts: ['Patient ann'], columns, rows, empty: 'None at all.' }
  for await (const piece of pdfTable(table)) pieces.push(piece)
  return { pieces: pieces.length, pdf: Buffer.concat(pieces) }
}

/** What a PDF says on its pages: the strings of its content streams. */
function textOf(pdf: Buffer): string {
  const raw = pdf.toString('latin1')
  const streams = [...raw.matchAll(/\/Filter \/FlateDecode\s*>>\s*stream\n/g)].flatMap((match) => {
    const start = match.index + match[0].length
    const end = raw.indexOf('\nendstream', start)
    return [inflateSync(pdf.subarray(start, end)).toString('latin1')]
  })
  return streams
    .flatMap((stream) => [...stream.matchAll(/\[(.*?)\] TJ/g)])
    .map(([, strings = '']) =>
      [...strings.matchAll(/<([0-9a-f]+)>/g)]
        .map(([, hex = '']) => Buffer.from(hex, 'hex').toString('latin1'))
        .join(''),
    )
    .join('\n')
}

await t.test('a table of PDF', async (t) => {
  const { pdf } = await made(rowsOf([['dr-lee', 'Second opinion \u00e9\u6f22\u{1f600}\u0007']]))
  t.equal(pdf.subarray(0, 5).toString(), '%PDF-')
  t.match(pdf.toString('latin1').trimEnd(), /%%EOF$/)
  const text = textOf(pdf)
  for (const part of ['Title', 'Patient ann', 'Who', 'Why', 'dr-lee']) t.match(text, part)
  t.match(
    text.replaceAll('\n', ''),
    /Second opinion \u00e9\\u\{6f22\}\\u\{1f600\}\\u\{7\}/,
    'what the font does not know is told by its code point',
  )
})

await t.test('over pages, each with its head, and as it is written', async (t) => {
  const rows = Array.from({ length: 200 }, (_, n) => [`person ${n}`, 'because of that '.repeat(9)])
  const { pdf, pieces } = await made(rowsOf(rows))
  const text = textOf(pdf)
  const pages = [...text.matchAll(/^Who$/gm)].length
  t.ok(pages > 5, `${pages} pages`)
  t.equal(pages, [...pdf.toString('latin1').matchAll(/\/Type \/Page\n/g)].length)
  for (let n = 0; n < 200; n++) {
    if (!new RegExp(`^person ${n}$`, 'm').test(text)) t.fail(`person ${n} is not there`)
  }
  t.ok(pieces > pages, `${pieces} pieces`)
})

await t.test('without a row, and where the rows break off', async (t) => {
  t.match(textOf((await made(rowsOf([]))).pdf), /None at all\./)
  const broken = async function* () {
    yield await Promise.resolve(['a', 'b'])
    throw new Error('broken off')
  }
  await t.rejects(made(broken()), { message: 'broken off' })
})
