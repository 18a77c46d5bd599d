import { readFileSync } from 'node:fs'
import t from 'tap'
import { auditActions } from '../../../src/audit/audit-events.js'

const page = readFileSync(new URL('../../../docs/AUDIT-EVENTS.md', import.meta.url), 'utf8')

/** First cells of table rows, where they hold an action; with what the page says of it. */
const rows = [...page.matchAll(/^\| `([a-z_]+\.[a-z_]+)` \| (.*) \|$/gm)]

await t.test(
  'every action has one row in docs/AUDIT-EVENTS.md, and every row is an action',
  (t) => {
    const described = rows.map(([, action]) => action)
    t.same([...described].sort(), [...auditActions].sort())
    t.end()
  },
)

await t.test('every row says when the event is written', (t) => {
  t.ok(rows.length > 0)
  for (const [, action, meaning] of rows) t.ok((meaning ?? '').length > 10, String(action))
  t.end()
})

await t.test('every field of an event is described', (t) => {
  const migration = readFileSync(
    new URL('../../../src/db/migrations/0007-sealed-audit.ts', import.meta.url),
    'utf8',
  )
  const [, table = ''] =
    /create table audit_events \(([\s\S]*?)\n\) partition/.exec(migration) ?? []
  const columns = [...table.matchAll(/^ {2}([a-z_]+) /gm)].map(([, name]) => name ?? '')
  t.ok(columns.length > 10, `${columns.length} columns`)
  for (const name of columns) t.match(page, `\`${name}\``)
  t.end()
})
