import type { DaySum, EventFilter, ReportStore } from '../audit/ports.js'
import { type CodedEventColumns, codedColumns, toCodedEvent } from './audit-event-columns.js'
import type { Query, Sql } from './database.js'

/** Events of what leads that are looked at for one page, where something else is asked for besides. */
const LOOK = 2_000

/** What can lead: each has an index that ends in time and id. */
const leading = {
  file: 'file_id = $1::uuid',
  patient: 'patient_id = $1',
  actor: 'actor_id = $1',
  action: 'action = $1',
  // As its index has it: by a parameter alone it is not known to be none of the many.
  refusal: "outcome = $1 and outcome <> 'success'",
  time: '$1::text is null',
} as const
const passed = `at >= $2::timestamptz and at < $3::timestamptz
      and (at, event_id) < ($4::timestamptz, $5::uuid)`

/**
 * One statement for each that leads, so that a page is read in the order of its index and costs no more
 * than a page, however long the log. What else is asked for is a filter.
 */
const search = (name: keyof typeof leading): Query => ({
  name: `audit-reports-by-${name}`,
  text: `select ${codedColumns} from audit_events
    where ${leading[name]} and ${passed}
      and (at, event_id) >= ($6::timestamptz, $7::uuid)
      and ($8::text is null or actor_id = $8)
      and ($9::text is null or action = $9)
      and ($10::text is null or patient_id = $10)
      and ($11::text is null or outcome = $11)
    order by at desc, event_id desc limit $12`,
})
/** The last of those that one page looks at. */
const look = (name: keyof typeof leading): Query => ({
  name: `audit-reports-look-by-${name}`,
  text: `select at, event_id as id from audit_events
    where ${leading[name]} and ${passed}
    order by at desc, event_id desc offset $6 limit 1`,
})
const statements = (name: keyof typeof leading) => ({ search: search(name), look: look(name) })
const leaders = {
  file: statements('file'),
  patient: statements('patient'),
  actor: statements('actor'),
  action: statements('action'),
  refusal: statements('refusal'),
  time: statements('time'),
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
const FIRST_ID = '00000000-0000-0000-0000-000000000000'

export function auditReportsTable(sql: Sql): ReportStore {
  return {
    events: async (filter, { limit, after }) => {
      const { name, value, rest } = leaderOf(filter)
      const { from = ALWAYS, to = NEVER } = filter
      const passed = [value, from, to, after?.at ?? NEVER, after?.id ?? LAST_ID]
      // A filter that hardly anything passes would read all that its leader has.
      const isNarrowed = Object.values(rest).some((wanted) => wanted !== undefined)
      const [edge] = isNarrowed
        ? await sql.rows<{ at: Date; id: string }>(leaders[name].look, [...passed, LOOK - 1])
        : []
      const rows = await sql.rows<CodedEventColumns>(leaders[name].search, [
        ...[...passed, edge?.at ?? ALWAYS, edge?.id ?? FIRST_ID],
        ...[rest.userId ?? null, rest.action ?? null, rest.patientId ?? null, rest.outcome ?? null],
        limit,
      ])
      return { events: rows.map(toCodedEvent), lookedTo: edge }
    },
    sums: ({ from, to, userId }) =>
      userId === undefined
        ? sql.rows<DaySum>(sums, [from, to])
        : sql.rows<DaySum>(sumsOfUser, [from, to, userId]),
  }
}

/** The one that leaves the fewest, and what is asked for besides it and the time. */
function leaderOf({ fileId, patientId, userId, action, outcome }: EventFilter): {
  readonly name: keyof typeof leaders
  readonly value: string | null
  readonly rest: Omit<EventFilter, 'fileId' | 'from' | 'to'>
} {
  if (fileId !== undefined) {
    return { name: 'file', value: fileId, rest: { patientId, userId, action, outcome } }
  }
  if (patientId !== undefined) {
    return { name: 'patient', value: patientId, rest: { userId, action, outcome } }
  }
  if (userId !== undefined) return { name: 'actor', value: userId, rest: { action, outcome } }
  if (outcome !== undefined && outcome !== 'success') {
    return { name: 'refusal', value: outcome, rest: { action } }
  }
  if (action !== undefined) return { name: 'action', value: action, rest: { outcome } }
  return { name: 'time', value: null, rest: { outcome } }
}
