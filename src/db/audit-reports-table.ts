import type { DaySum, EventFilter, ReportStore } from '../audit/ports.js'
import { type CodedEventColumns, codedColumns, toCodedEvent } from './audit-event-columns.js'
import type { Query, Sql } from './database.js'

/**
 * One statement for each column that leads: each has an index that ends in time and id, so that a page is
 * read in its order and no more than a page, however long the log. What else is asked for is a filter.
 */
const leading = {
  file: 'file_id = $3::uuid',
  patient: 'patient_id = $2',
  actor: 'actor_id = $1',
  action: 'action = $4',
  // As its index has it: by a parameter alone it is not known to be none of the many.
  refusal: "outcome = $5 and outcome <> 'success'",
  time: 'true',
} as const

const search = (name: keyof typeof leading): Query => ({
  name: `audit-reports-by-${name}`,
  text: `select ${codedColumns} from audit_events
    where ${leading[name]}
      and ($1::text is null or actor_id = $1)
      and ($2::text is null or patient_id = $2)
      and ($3::uuid is null or file_id = $3::uuid)
      and ($4::text is null or action = $4)
      and ($5::text is null or outcome = $5)
      and at >= $6::timestamptz and at < $7::timestamptz
      and (at, event_id) < ($8::timestamptz, $9::uuid)
    order by at desc, event_id desc limit $10`,
})
const searches = {
  file: search('file'),
  patient: search('patient'),
  actor: search('actor'),
  action: search('action'),
  refusal: search('refusal'),
  time: search('time'),
}
const sumColumns = `to_char(day, 'YYYY-MM-DD') as day, action, outcome, sum(events)::int8 as events`
const sums: Query = {
  name: 'audit-reports-sums',
  text: `select ${sumColumns} from audit_days where day between $1::date and $2::date
    group by day, action, outcome order by day desc, action, outcome`,
}
const sumsOfUser: Query = {
  name: 'audit-reports-sums-of-user',
  text: `select ${sumColumns} from audit_days
    where actor_id = $3 and day between $1::date and $2::date
    group by day, action, outcome order by day desc, action, outcome`,
}

const ALWAYS = new Date('0001-01-01T00:00:00Z')
const NEVER = new Date('9999-12-31T00:00:00Z')
const LAST_ID = 'ffffffff-ffff-ffff-ffff-ffffffffffff'

export function auditReportsTable(sql: Sql): ReportStore {
  return {
    events: async (filter, { limit, after }) => {
      const rows = await sql.rows<CodedEventColumns>(searches[leaderOf(filter)], [
        ...[filter.userId ?? null, filter.patientId ?? null, filter.fileId ?? null],
        ...[filter.action ?? null, filter.outcome ?? null],
        ...[filter.from ?? ALWAYS, filter.to ?? NEVER],
        ...[after?.at ?? NEVER, after?.id ?? LAST_ID, limit],
      ])
      return rows.map(toCodedEvent)
    },
    sums: ({ from, to, userId }) =>
      userId === undefined
        ? sql.rows<DaySum>(sums, [from, to])
        : sql.rows<DaySum>(sumsOfUser, [from, to, userId]),
  }
}

/** The one that leaves the fewest. */
function leaderOf({
  fileId,
  patientId,
  userId,
  action,
  outcome,
}: EventFilter): keyof typeof searches {
  if (fileId !== undefined) return 'file'
  if (patientId !== undefined) return 'patient'
  if (userId !== undefined) return 'actor'
  if (outcome !== undefined && outcome !== 'success') return 'refusal'
  return action === undefined ? 'time' : 'action'
}
