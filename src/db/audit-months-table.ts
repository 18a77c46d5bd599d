import type { AuditMonthStore, MonthExport, MonthFacts, MonthSum } from '../audit/ports.js'
import { type CodedEventColumns, codedColumns, toCodedEvent } from './audit-event-columns.js'
import type { Query, Sql } from './database.js'
import { run } from './run.js'

const parts: Query = {
  name: 'audit-months-parts',
  text: `select replace(substr(c.relname, length('audit_events_') + 1), '_', '-') as month
    from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent = 'audit_events'::regclass and c.relname ~ '^audit_events_[0-9]{4}_[0-9]{2}$'
    order by 1`,
}
const sums: Query = {
  name: 'audit-months-sums',
  text: `select to_char(day, 'YYYY-MM') as month, sum(events)::int8 as events from audit_days
    group by 1 order by 1`,
}
const exportColumns = 'month, events, digest, exported_at as "exportedAt"'
const exportsOfAll: Query = {
  name: 'audit-months-exports',
  text: `select ${exportColumns} from audit_months order by month`,
}
const exported: Query = {
  name: 'audit-months-exported',
  text: `select ${exportColumns} from audit_months where month = $1`,
}
const recordExport: Query = {
  name: 'audit-months-record-export',
  text: `insert into audit_months (month, events, digest, exported_at) values ($1, $2, $3, $4)
    on conflict (month) do update set events = excluded.events, digest = excluded.digest,
      exported_at = excluded.exported_at`,
}
const IN_MONTH = 'e.at >= $1 and e.at < $2'
const facts: Query = {
  name: 'audit-months-facts',
  text: `select
      (select count(*) from audit_events e where ${IN_MONTH})::int8 as events,
      (select coalesce(sum(s.events), 0) from audit_seals s
        where s.first_at >= $1 and s.last_at < $2)::int8 as sealed,
      (select count(*) from audit_seals s where s.events > 0
        and ((s.first_at < $1 and s.last_at >= $1) or (s.first_at < $2 and s.last_at >= $2))
      )::int8 as straddling,
      exists (select from legal_holds h where h.released_at is null and exists (
        select from audit_events e where ${IN_MONTH} and (e.file_id = h.file_id
          or h.person_id in (e.actor_id, e.patient_id, e.subject_id, e.on_behalf_of)
          or e.file_id in (select f.file_id from files f where f.owner_id = h.person_id))
      )) as "isHeld",
      exists (select from outbox o where o.event_at >= $1 and o.event_at < $2) as "isInOutbox"`,
}
const eventsIn: Query = {
  name: 'audit-months-events',
  text: `select ${codedColumns} from audit_events
    where at >= $1 and at < $2 and (at, event_id) > ($3::timestamptz, $4::uuid)
    order by at, event_id limit $5`,
}

const BEFORE_ALL = {
  at: new Date('0001-01-01T00:00:00Z'),
  id: '00000000-0000-0000-0000-000000000000',
}

export function auditMonthsTable(sql: Sql): AuditMonthStore {
  return {
    parts: async () => (await sql.rows<{ month: string }>(parts)).map(({ month }) => month),
    sums: () => sql.rows<MonthSum>(sums),
    exports: () => sql.rows<MonthExport>(exportsOfAll),
    exported: async (month) => (await sql.rows<MonthExport>(exported, [month]))[0],
    recordExport: ({ month, events, digest, exportedAt }) =>
      run(sql, recordExport, [month, events, digest, exportedAt]),
    facts: async ({ start, end }) => {
      const [found] = await sql.rows<MonthFacts>(facts, [start, end])
      if (found === undefined) throw new Error('A select without from has one row')
      return found
    },
    eventsIn: async ({ start, end }, after, limit) => {
      const { at, id } = after ?? BEFORE_ALL
      const rows = await sql.rows<CodedEventColumns>(eventsIn, [start, end, at, id, limit])
      return rows.map(toCodedEvent)
    },
  }
}
