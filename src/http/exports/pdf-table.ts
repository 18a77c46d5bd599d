import type PDFDocument from 'pdfkit'

export interface PdfColumn {
  readonly title: string
  /** Points, of the 770 that a page has. */
  readonly width: number
}

export interface PdfTable {
  readonly title: string
  /** Lines under the title. */
  readonly facts: readonly string[]
  readonly columns: readonly PdfColumn[]
  readonly rows: AsyncIterable<readonly string[]>
  /** Said in place of a table without rows. */
  readonly empty: string
}

const MARGIN = 36
const SIZE = 7
const GAP = 4
/** Where the number of the page stands, from the bottom. */
const FOOT = 28

/**
 * A table over as many pages as it needs, its head on each, streamed: what is written is not kept. Text is in
 * the fonts every reader has, which know Latin alone: other characters are told by their code points.
 */
export async function* pdfTable(table: PdfTable): AsyncGenerator<Buffer> {
  const { default: Document } = await import('pdfkit')
  const doc = new Document({
    size: 'A4',
    layout: 'landscape',
    margin: MARGIN,
    info: { Title: table.title, Producer: 'Strongroom' },
  })
  const page = pageOf(doc, table.columns)
  doc.font('Helvetica-Bold').fontSize(14).text(latin(table.title))
  doc.font('Helvetica').fontSize(9)
  for (const fact of table.facts) doc.text(latin(fact))
  doc.moveDown()
  page.begin(doc.y)
  let isEmpty = true
  for await (const row of table.rows) {
    isEmpty = false
    page.add(row.map(latin))
    yield* writtenBy(doc)
  }
  if (isEmpty) page.say(table.empty)
  doc.end()
  yield* writtenBy(doc)
}

function* writtenBy(doc: InstanceType<typeof PDFDocument>): Generator<Buffer> {
  for (;;) {
    const piece: unknown = doc.read()
    if (!Buffer.isBuffer(piece)) return
    yield piece
  }
}

function pageOf(doc: InstanceType<typeof PDFDocument>, columns: readonly PdfColumn[]) {
  let y = 0
  let number = 0
  const lineOf = (cells: readonly string[], font: string) => {
    doc.font(font).fontSize(SIZE)
    const heights = cells.map((cell, n) =>
      doc.heightOfString(cell, { width: (columns[n]?.width ?? 0) - GAP }),
    )
    const height = Math.max(...heights, SIZE)
    let x = MARGIN
    cells.forEach((cell, n) => {
      const width = columns[n]?.width ?? 0
      doc.text(cell, x, y, { width: width - GAP, height: height + 1 })
      x += width
    })
    y += height + 3
  }
  const heightOf = (cells: readonly string[]) => {
    doc.font('Courier').fontSize(SIZE)
    return Math.max(
      ...cells.map((cell, n) =>
        doc.heightOfString(cell, { width: (columns[n]?.width ?? 0) - GAP }),
      ),
    )
  }
  const begin = (at: number) => {
    number += 1
    doc.page.margins.bottom = 0
    doc.font('Helvetica').fontSize(SIZE)
    doc.text(`${number}`, MARGIN, doc.page.height - FOOT, {
      width: doc.page.width - 2 * MARGIN,
      align: 'right',
      lineBreak: false,
    })
    y = at
    lineOf(
      columns.map(({ title }) => title),
      'Helvetica-Bold',
    )
  }
  return {
    begin,
    add: (cells: readonly string[]) => {
      if (y + heightOf(cells) > doc.page.height - MARGIN - FOOT / 2) {
        doc.addPage()
        begin(MARGIN)
      }
      lineOf(cells, 'Courier')
    },
    say: (text: string) => {
      doc.font('Helvetica').fontSize(9).text(text, MARGIN, y)
    },
  }
}

/** Characters of the standard fonts that are the same in Unicode; others by their code points. */
function latin(text: string): string {
  return text.replace(/[^\x20-\x7e\xa1-\xac\xae-\xff]/gu, (character) => {
    const point = character.codePointAt(0) ?? 0
    return `\\u{${point.toString(16)}}`
  })
}
