import t from 'tap'
import { pdf } from './support/content.js'
import { eventually } from './support/eventually.js'
import { filePath, personOf, visitorOf } from './support/people.js'
import { startServer } from './support/server.js'

// The audit calls of family E.

const server = await startServer()
t.teardown(() => server.close())
const anna = personOf(server, 'anna')
const ben = personOf(server, 'ben')
const auditor = personOf(server, 'olga', { role: 'auditor' })
const admin = personOf(server, 'admin', { role: 'admin' })
const formula = personOf(server, '=1+2,"x"')

interface Event {
  readonly event_id: string
  readonly at: string
  readonly actor_id: string
  readonly action: string
  readonly outcome: string
  readonly file_id: string | null
}

interface Page {
  readonly events: readonly Event[]
  readonly next_cursor: string | null
}

const logs = '/api/v1/audit/logs'
const begun = new Date().toISOString()
const fileId = await anna.file(pdf('one', 2_000))
for (let n = 0; n < 3; n++) await anna.get(filePath(fileId))
await ben.get(filePath(fileId))
await formula.get('/api/files/user')

const page = async (path: string): Promise<Page> => {
  const answer = await auditor.get(path)
  if (answer.status !== 200) throw new Error(`${path}: ${answer.status} ${answer.text}`)
  return JSON.parse(answer.text) as Page
}

await t.test('auditors and administrators read all of it, others nothing', async (t) => {
  for (const who of [auditor, admin]) t.equal((await who.get(logs)).status, 200)
  for (const who of [anna, personOf(server, 'dora', { role: 'clinician' })]) {
    t.match(await who.get(logs), { status: 403, body: { code: 'forbidden' } })
    t.equal((await who.get('/api/v1/audit/stats')).status, 403)
    t.equal((await who.post('/api/v1/audit/verify')).status, 403)
  }
  t.equal((await visitorOf(server).get(logs)).status, 401)
  const { events } = await page(`${logs}?action=audit.logs_read&outcome=denied`)
  t.same(events.map(({ actor_id }) => actor_id).sort(), ['anna', 'dora'], 'refusals are on record')
})

await t.test('filters, all of which have to fit', async (t) => {
  const of = async (query: string) => (await page(`${logs}?${query}`)).events
  t.equal((await of(`resource=${fileId}&user_id=anna&action=file.download`)).length, 3)
  t.match(await of(`resource=${fileId}&outcome=denied`), [{ actor_id: 'ben' }])
  t.equal((await of('user_id=nobody')).length, 0)
  t.equal((await of(`user_id=anna&to=${begun}`)).length, 0, 'before anything')
  t.ok((await of(`user_id=anna&from=${begun}`)).length >= 4)
  const day = begun.slice(0, 10)
  t.ok((await of(`user_id=anna&from=${day}&to=${day}`)).length >= 4, 'a day is all of it')
  t.ok((await of('unknown=x')).length > 0, 'old clients send more')
  for (const wrong of [
    'resource=x',
    'action=file.eat',
    'from=yesterday',
    'outcome=maybe',
    'limit=0',
  ]) {
    t.equal((await auditor.get(`${logs}?${wrong}`)).status, 400, wrong)
  }
})

await t.test('pages stay good while the log grows', async (t) => {
  const seen: string[] = []
  let cursor: string | null = null
  do {
    const next = cursor === null ? '' : `&cursor=${cursor}`
    const found = await page(`${logs}?user_id=anna&limit=2${next}`)
    seen.push(...found.events.map(({ event_id }) => event_id))
    cursor = found.next_cursor
    await ben.get('/api/files/user')
  } while (cursor !== null)
  t.equal(new Set(seen).size, seen.length, 'none twice')
  const { events } = await page(`${logs}?user_id=anna&limit=200`)
  t.same(
    seen,
    events.map(({ event_id }) => event_id),
  )
})

await t.test('as a stream of lines, and as a table', async (t) => {
  const many = 1_100
  await Promise.all(
    Array.from({ length: 11 }, async () => {
      for (let n = 0; n < many / 11; n++) await ben.get('/api/files/user')
    }),
  )
  const lines = await auditor.get(`${logs}?format=ndjson&user_id=ben&action=file.list`)
  t.match(lines.headers['content-type'], /^application\/x-ndjson/)
  const events = lines.text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Event)
  t.ok(events.length >= many, `${events.length} lines`)
  t.equal(new Set(events.map(({ event_id }) => event_id)).size, events.length)
  const times = events.map(({ at }) => at)
  t.same(times, [...times].sort().reverse(), 'newest first')

  const table = await auditor.get(`${logs}?format=csv`)
  t.match(table.headers['content-type'], /^text\/csv/)
  t.match(table.headers['content-disposition'], /^attachment; filename="audit.csv"$/)
  const rows = table.text.split('\r\n')
  t.match(rows[0], /^event_id,at,actor_id,/)
  t.match(table.text, /,"'=1\+2,""x""",/, 'no cell is a formula')
  t.ok(rows.length > many)
  t.equal((await anna.get(`${logs}?format=csv`)).status, 403)
})

await t.test('what one did oneself', async (t) => {
  const answer = await anna.get('/api/v1/audit/my-activity?action=file.download')
  t.equal(answer.status, 200)
  const { events } = JSON.parse(answer.text) as Page
  t.equal(events.length, 3)
  t.ok(events.every(({ actor_id }) => actor_id === 'anna'))
  const others = await anna.get('/api/v1/audit/my-activity?user_id=ben')
  t.ok((JSON.parse(others.text) as Page).events.every(({ actor_id }) => actor_id === 'anna'))
})

await t.test('sums', async (t) => {
  await eventually('sums are written with the seals', async () => {
    const found = await auditor.get('/api/v1/audit/user-stats/anna')
    const sums = JSON.parse(found.text) as { by_action: Record<string, number> }
    return sums.by_action['file.download'] === 3 && sums.by_action['file.upload'] === 1
  })
  t.equal((await anna.get('/api/v1/audit/user-stats/anna')).status, 200, 'one’s own')
  t.equal((await anna.get('/api/v1/audit/user-stats/ben')).status, 403)
  const sums = async () =>
    JSON.parse((await admin.get('/api/v1/audit/stats')).text) as {
      readonly total: number
      readonly by_outcome: Record<string, number>
      readonly days: readonly { readonly day: string }[]
    }
  await eventually('all that was written', async () => (await sums()).total > 1_100)
  const all = await sums()
  t.ok((all.by_outcome['denied'] ?? 0) > 0)
  t.equal(all.days[0]?.day, new Date().toISOString().slice(0, 10))
  t.equal((await admin.get('/api/v1/audit/stats?from=2020-01-01')).status, 400, 'a year at most')
})

await t.test('whether it is what was written', async (t) => {
  const answer = await auditor.post('/api/v1/audit/verify')
  t.equal(answer.status, 200)
  t.match(JSON.parse(answer.text), { clean: true, findings: [], counts: {}, unsealed: Number })
  t.match((await page(`${logs}?action=audit.verify&outcome=success`)).events, [
    { actor_id: 'olga' },
  ])
})
