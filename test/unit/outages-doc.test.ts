import { readFileSync } from 'node:fs'
import t from 'tap'
import { outageLines } from '../helpers/outages.js'

// docs/OPERATIONS.md shows the table that the outage tests run.

void t.test('the table of outages is what the tests run', (t) => {
  const page = readFileSync(new URL('../../docs/OPERATIONS.md', import.meta.url), 'utf8')
  const at = page.indexOf('| fault | upload |')
  const shown = page
    .slice(at)
    .split('\n')
    .slice(2, 2 + outageLines().length)
  t.same(shown, outageLines(), 'copy it there')
  t.end()
})
