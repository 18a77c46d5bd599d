import { readFile, stat } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import t from 'tap'

// docs/COMPLIANCE.md says where each point is built and what shows it: every place it names is there.

const root = fileURLToPath(new URL('../../', import.meta.url))
const text = await readFile(`${root}docs/COMPLIANCE.md`, 'utf8')

/** A title and what stands under it. */
const sections = text
  .split(/^## /m)
  .slice(1)
  .map((section) => ({ title: section.split('\n')[0] ?? '', section }))
/** Cells of the rows of a section, without its head. */
const rowsOf = (section: string) =>
  section
    .split('\n')
    .filter((line) => line.startsWith('| '))
    .slice(2)
    .map((line) =>
      line
        .slice(2, -1)
        .split(' | ')
        .map((cell) => cell.trim()),
    )

await t.test('every safeguard has its section', (t) => {
  const wanted = ['164.312(a)', '164.312(b)', '164.312(c)', '164.312(d)', '164.312(e)', '164.528']
  for (const point of [...wanted, 'IHE BALP']) {
    t.ok(
      sections.some(({ title }) => title.startsWith(point)),
      point,
    )
  }
  t.end()
})

await t.test('every file and link it names is there', async (t) => {
  const named = [...text.matchAll(/`((?:src|test|docs)\/[^`\s]*)`/g)].map(([, path = '']) => path)
  const linked = [...text.matchAll(/\]\(([^)]+)\)/g)].map(([, path = '']) => `docs/${path}`)
  t.ok(named.length > 40, `${named.length} places`)
  for (const path of new Set([...named, ...linked])) {
    await t.resolves(stat(`${root}${path}`), path)
  }
})

await t.test('what is built is shown by a test, or said not to be', (t) => {
  let shown = 0
  for (const { title, section } of sections) {
    for (const [point = '', built = '', by = ''] of rowsOf(section)) {
      if (!/`src\//.test(built)) continue
      t.match(by, /`test\//, `${title}: ${point}`)
      shown += 1
    }
  }
  t.ok(shown >= 14, `${shown} points`)
  t.end()
})
