import t, { type Test } from 'tap'
import { unsignedWriter } from '../../src/audit/audit-writer.js'
import type { EventFilter } from '../../src/audit/ports.js'
import { alertsTable } from '../../src/db/alerts-table.js'
import { auditEventsTable } from '../../src/db/audit-events-table.js'
import { auditReportsTable } from '../../src/db/audit-reports-table.js'
import type { Database, Query, Sql, SqlValue } from '../../src/db/database.js'
import { createMigratedDatabase } from '../helpers/databases.js'

// What a page of the log costs where the log is long: pages of PostgreSQL that are touched, not time. Every
// statement is the store's own, explained with the values it was asked with.
// EVENTS=10000000 for ten million.

const events = Number(process.env['EVENTS'] ?? 1_000_000)
const months = 24
const people = 5_000

/** Two years of events: people, patients and files in a fixed disorder; some did more than others. */
const fill = `
  select audit_make_month((date_trunc('month', now()) - n * interval '1 month')::date)
    from generate_series(0, ${months}) n;
  insert into audit_events (event_id, at, actor_id, roles, action, outcome, file_id, patient_id, bytes, ip,
      user_agent, request_id, read_session)
    select gen_random_uuid(),
      now() - (n::float8 / ${events}) * interval '${months} months',
      case when n % 50 = 0 then 'busy' else 'person-' || (n * 7919) % ${people} end,
      '{clinician}',
      (array['record.view', 'record.download', 'record.list', 'file.view', 'file.upload'])[1 + n / 7 % 5],
      case when n % 40 = 0 then 'denied' else 'success' end,
      md5('file' || (n * 104729) % ${people * 10})::uuid,
      'patient-' || (n * 15485863) % ${people},
      n, '192.0.2.1', 'test', 'r', md5('session' || n / 3)::uuid
    from generate_series(1::bigint, ${events}) n;
  insert into audit_days (day, actor_id, action, outcome, events)
    select at::date, actor_id, action, outcome, count(*) from audit_events group by 1, 2, 3, 4;`

interface Plan {
  readonly 'Node Type': string
  readonly 'Relation Name'?: string
  readonly 'Actual Rows': number
  readonly 'Shared Hit Blocks': number
  readonly 'Shared Read Blocks': number
  readonly Plans?: readonly Plan[]
}

interface Cost {
  readonly pages: number
  readonly rows: number
  /** Parts of the log that were read from end to end, and are not next to empty. */
  readonly scanned: readonly string[]
}

function nodesOf(plan: Plan): Plan[] {
  return [plan, ...(plan.Plans ?? []).flatMap(nodesOf)]
}

const pagesOf = (plan: Plan) => plan['Shared Hit Blocks'] + plan['Shared Read Blocks']

/** A database that explains each statement it is asked for, and then answers it. */
function explaining(database: Database) {
  const costs: Cost[] = []
  const sql: Sql = {
    rows: async <R extends object>(query: Query, values: readonly SqlValue[] = []) => {
      const text = `explain (analyze, buffers, format json) ${query.text}`
      const [row] = await database.rows<{ 'QUERY PLAN': readonly [{ readonly Plan: Plan }] }>(
        { name: '', text },
        values,
      )
      if (row === undefined) throw new Error('There is no plan')
      const [{ Plan: plan }] = row['QUERY PLAN']
      const scanned = nodesOf(plan).flatMap((node) =>
        node['Node Type'] === 'Seq Scan' &&
        node['Relation Name'] !== undefined &&
        pagesOf(node) > 100
          ? [node['Relation Name']]
          : [],
      )
      costs.push({ pages: pagesOf(plan), rows: plan['Actual Rows'], scanned })
      return await database.rows<R>(query, values)
    },
  }
  return { sql, costs }
}

const perMonth = events / months

await t.test(`${events} events`, { timeout: 1_100_000 }, async (t) => {
  const place = await createMigratedDatabase('postgres')
  const database = await place.open({ statementTimeoutMs: 900_000, transactionTimeoutMs: 900_000 })
  t.teardown(async () => {
    await database.close()
    await place.drop()
  })
  await database.script(fill)
  await database.script('vacuum analyze audit_events')
  await database.script('vacuum analyze audit_days')
  const ages = await database.rows<{ at: Date }>({
    name: 'audit-plans-ages',
    text: `select now() - n * interval '${months - 1} months' / 2 as at from generate_series(0, 2) n`,
  })

  await t.test('pages of the log, from its end and from the deep', async (t) => {
    const [first] = await database.rows<{ file: string }>({
      name: 'audit-plans-file',
      text: 'select file_id::text as file from audit_events limit 1',
    })
    const filters: Readonly<Record<string, EventFilter>> = {
      everything: {},
      'one person': { userId: 'person-17' },
      'a busy person': { userId: 'busy' },
      'one patient': { patientId: 'patient-23' },
      'one file': { fileId: first?.file },
      'one action': { action: 'record.view' },
      'what was refused': { outcome: 'denied' },
      'what failed: nothing did': { outcome: 'failed' },
      'a person and what they did': { userId: 'busy', action: 'file.upload' },
      'a person and what they never did': { userId: 'busy', action: 'file.purge' },
      'a person and what was refused, of which there is none': {
        userId: 'busy',
        outcome: 'failed',
      },
      'an action and what was refused': { action: 'record.view', outcome: 'denied' },
      'an action that was never refused': { action: 'file.purge', outcome: 'denied' },
      'a patient and what was refused': { patientId: 'patient-23', outcome: 'denied' },
      'a span of time': { from: ages[2]?.at, to: ages[1]?.at },
    }
    for (const [what, filter] of Object.entries(filters)) {
      for (const { at } of ages) {
        const { sql, costs } = explaining(database)
        const after = { at, id: 'ffffffff-ffff-ffff-ffff-ffffffffffff' }
        await auditReportsTable(sql).events(filter, { limit: 51, after })
        isCheap(t, costs, `${what}, before ${at.toISOString().slice(0, 7)}`, 2_500)
      }
    }
  })

  await t.test('sums', async (t) => {
    const { sql, costs } = explaining(database)
    const day = (at: Date | undefined) => (at ?? new Date()).toISOString().slice(0, 10)
    const span = { from: day(new Date(Date.now() - 30 * 86_400_000)), to: day(new Date()) }
    await auditReportsTable(sql).sums({ ...span, userId: 'person-17' })
    isCheap(t, costs, 'of one person in thirty days', 200)
  })

  await t.test('the access log of a patient, a month of it', async (t) => {
    const { place: numbered } = unsignedWriter.begin()
    for (const { at } of ages) {
      const { sql, costs } = explaining(database)
      const to = new Date(at.getTime() + 1)
      const from = new Date(to.getTime() - 28 * 86_400_000)
      const table = auditEventsTable(sql, numbered)
      await table.accesses({ patientId: 'patient-23', from, to, limit: 200 })
      isCheap(t, costs, `before ${at.toISOString().slice(0, 7)}`, 1_500)
    }
    const { sql, costs } = explaining(database)
    await auditEventsTable(sql, numbered).accessSpan({ patientId: 'patient-23' })
    isCheap(t, costs, 'from when to when it is', 500)
  })

  await t.test('alerts look at an hour', async (t) => {
    const { sql, costs } = explaining(database)
    const alerts = alertsTable(sql)
    const from = new Date(Date.now() - 3_600_000)
    const span = { from, limit: 100, toldSince: new Date(Date.now() - 86_400_000) }
    await alerts.refused(50, span)
    await alerts.opened(100, span)
    await alerts.sharedReadings(span)
    isCheap(t, costs, 'an hour', 1_000)
  })
  t.comment(`total: ${JSON.stringify({ events, months, perMonth: Math.round(perMonth) })}`)
})

function isCheap(t: Test, costs: readonly Cost[], what: string, most: number): void {
  t.ok(costs.length > 0, what)
  for (const { pages, rows, scanned } of costs) {
    t.same(scanned, [], `${what}: no part of the log is read from end to end`)
    t.ok(pages <= most, `${what}: ${pages} pages for ${rows} rows`)
  }
}
