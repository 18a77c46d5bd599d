import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { pdf } from './support/content.js'
import { eventually } from './support/eventually.js'
import { personOf } from './support/people.js'
import { startServer } from './support/server.js'

// The commands on months of the audit log, beside a running service. That a month is dropped takes six
// years: test/integration/audit-retention.test.ts has some.

const server = await startServer()
t.teardown(() => server.close())
const month = new Date().toISOString().slice(0, 7)
const file = join(server.dataDir, 'month.gz')

interface State {
  readonly month: string
  readonly events: number
  readonly here: boolean
  readonly past_retention: boolean
  readonly exported_at: string | null
}

await t.test('the months there are', async (t) => {
  await personOf(server, 'ann').file(pdf('one'))
  await eventually('a seal', async () => {
    const { out } = await server.command('audit', 'months', '--json')
    const months = JSON.parse(out) as readonly State[]
    return months.some((each) => each.month === month && each.events > 0)
  })
  const { code, out, err } = await server.command('audit', 'months')
  t.equal(code, 0, err)
  t.match(out, new RegExp(`^${month}: \\d+ events, here, never exported$`, 'm'))
  t.notMatch(out, /may be dropped/)
})

await t.test('what is not over is not exported, what is young not dropped', async (t) => {
  const exporting = await server.command('audit', 'export', month, '--out', file)
  t.match(exporting, { code: 1, err: /not over.*conflict/ })
  await t.rejects(stat(file), { code: 'ENOENT' })
  const dropping = await server.command('audit', 'drop', month, '--export', file, '--yes')
  t.match(dropping, { code: 1, err: /6 years/ })
  t.match(await server.command('audit', 'drop', month, '--export', file), { code: 2, err: /--yes/ })
  t.match(await server.command('audit', 'drop', '2018-13', '--export', file, '--yes'), { code: 2 })
  t.match(await server.command('audit', 'export', month), { code: 2, err: /--out/ })
  const none = await server.command('audit', 'export', '2017-01', '--out', file)
  t.match(none, { code: 1, err: /not_found/ })
  const key = await server.command('audit', 'check-export', file, '--key', file)
  t.match(key, { code: 1, err: /cannot be read/ })
})
