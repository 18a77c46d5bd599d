import t from 'tap'
import { auditLog } from '../../src/audit/audit-log.js'
import { auditReports } from '../../src/audit/audit-reports.js'
import { unsignedWriter } from '../../src/audit/audit-writer.js'
import type { EventCursor, EventFilter } from '../../src/audit/ports.js'
import { auditReportsTable } from '../../src/db/audit-reports-table.js'
import { transactions } from '../../src/db/stores.js'
import { createMigratedDatabase, engines } from '../helpers/databases.js'

// A busy person of five thousand readings, who uploaded three times: first, in the middle, and last.

const EVENTS = 5_001
const fill = `
  insert into audit_events (event_id, at, actor_id, roles, action, outcome, bytes, ip, user_agent, request_id)
    select gen_random_uuid(), now() - (${EVENTS} - n) * interval '1 millisecond', 'busy', '{clinician}',
      case when n in (1, 2501, ${EVENTS}) then 'file.upload' else 'file.view' end, 'success', n,
      '192.0.2.1', 'test', 'r'
    from generate_series(1, ${EVENTS}) n;`

for (const engine of engines) {
  await t.test(engine, async (t) => {
    const place = await createMigratedDatabase(engine)
    const database = await place.open()
    t.teardown(async () => {
      await database.close()
      await place.drop()
    })
    await database.script(fill)

    await t.test('what hardly goes together is looked for a stretch at a time', async (t) => {
      const reports = auditReportsTable(database)
      const page = { limit: 10 }
      const first = await reports.events({ userId: 'busy', action: 'file.upload' }, page)
      t.same(bytesOf(first.events), [EVENTS])
      t.equal(first.lookedTo?.at instanceof Date, true, 'and says how far that was')
      const second = await reports.events(
        { userId: 'busy', action: 'file.upload' },
        { ...page, after: first.lookedTo },
      )
      t.same(bytesOf(second.events), [2501])
      const third = await reports.events(
        { userId: 'busy', action: 'file.upload' },
        { ...page, after: second.lookedTo },
      )
      t.same(bytesOf(third.events), [1])
      t.equal(third.lookedTo, undefined, 'that is all')
      const none = await reports.events({ userId: 'busy', outcome: 'denied' }, page)
      t.same(none.events, [])
      t.ok(none.lookedTo, 'none in this stretch')
      t.equal(
        (await reports.events({ userId: 'busy' }, page)).lookedTo,
        undefined,
        'one alone has an index',
      )
    })

    await t.test('going on from page to page finds each of them once', async (t) => {
      const db = transactions(database, unsignedWriter)
      const audit = auditLog(db)
      const reports = auditReports({ audit, db, mayRead: () => ({ allow: true }) })
      const actor = {
        ...{
          userId: 'auditor',
          roles: ['auditor'],
          ip: '192.0.2.2',
          userAgent: 'test',
          requestId: 'r',
        },
      }
      const uploads: EventFilter = { userId: 'busy', action: 'file.upload' }
      for (const limit of [1, 2, 50]) {
        const found: (number | undefined)[] = []
        let after: EventCursor | undefined
        let pages = 0
        do {
          const { events, next } = await reports.logs(actor, uploads, { limit, after })
          t.ok(events.length <= limit)
          found.push(...bytesOf(events))
          after = next
          pages += 1
        } while (after !== undefined)
        t.same(found, [EVENTS, 2501, 1], `${limit} at a time, ${pages} pages`)
      }
      const streamed: { readonly bytes?: number | undefined }[] = []
      for await (const event of await reports.stream(actor, uploads)) streamed.push(event)
      t.same(bytesOf(streamed), [EVENTS, 2501, 1], 'an export is whole')
    })
  })
}

function bytesOf(events: readonly { readonly bytes?: number | undefined }[]) {
  return events.map(({ bytes }) => bytes)
}
