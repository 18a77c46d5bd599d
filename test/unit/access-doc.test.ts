import { readFileSync } from 'node:fs'
import t from 'tap'

// docs/ACCESS.md shows the tables that tests are driven by, and no others.

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')
const page = read('docs/ACCESS.md')

for (const name of ['test/access.csv', 'test/access-documents.csv']) {
  await t.test(`${name} is what docs/ACCESS.md says`, (t) => {
    t.ok(page.includes(`\`\`\`csv\n${read(name)}\`\`\``), 'copy it there')
    t.end()
  })
}

await t.test('no cell is empty', (t) => {
  for (const name of ['test/access.csv', 'test/access-documents.csv']) {
    const lines = read(name)
      .split('\n')
      .filter((line) => line.trim() !== '' && !line.startsWith('#'))
    const rows = lines.map((line) => line.split(',').map((cell) => cell.trim()))
    const columns = rows[0]?.length
    for (const row of rows) {
      t.equal(row.length, columns, row.slice(0, 3).join(' '))
      t.notOk(row.includes(''), row.slice(0, 3).join(' '))
    }
  }
  t.end()
})
