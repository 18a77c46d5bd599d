import { type CodedEvent, type WritingScope } from '../audit/coded-events.js'
import type { AuditStore, EventQuery, LoggedAccess } from '../audit/ports.js'
import { StrongroomError } from '../errors/strongroom-error.js'
import type { GrantBasis } from '../keys/wrapping.js'
import type { OutboxRules } from '../outbox/ports.js'
import { type OptionalColumns, withoutNulls } from './audit-event-columns.js'
import type { Query, Sql, SqlValue } from './database.js'
import { sealedNote } from './grants-table.js'
import { alsoInOutbox } from './outbox-table.js'
import { run } from './run.js'

const insert: Query = {
  name: 'audit-events-insert',
  text: `insert into audit_events (event_id, at, actor_id, on_behalf_of, roles, action, outcome,
      reason, file_id, subject_id, patient_id, grant_id, version, bytes, ip, user_agent, request_id,
      read_session, emergency_id, writer_id, writer_number, settled, mac)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19,
      $20, coalesce($21::bigint, nextval('audit_unsigned_number')), $22, $23)`,
}

/**
 * Requests of one reading are told as the first of them: its time does not move while more arrive,
 * so a cursor stays good. A refusal among them is told apart.
 */
const accesses = (name: string, condition: string): Query => ({
  name,
  text: `select e.event_id as "eventId", e.at, e.actor_id as "actorId",
      e.on_behalf_of as "onBehalfOf", e.roles, e.action, e.outcome, e.reason,
      e.file_id as "fileId", e.subject_id as "subjectId", e.patient_id as "patientId",
      e.grant_id as "grantId", e.version, e.total as bytes, e.ip, e.user_agent as "userAgent",
      e.request_id as "requestId", e.read_session as "readSession", e.requests,
      e.last_at as "lastAt", e.emergency_id as "emergencyId", g.basis, g.purpose, g.purpose_key_version as "purposeKeyVersion"
    from (
      select event_id, at, actor_id, on_behalf_of, roles, action, outcome, reason, file_id,
        subject_id, patient_id, grant_id, version, ip, user_agent, request_id, read_session,
        emergency_id, row_number() over (reading order by at, event_id) as place,
        count(*) over reading as requests,
        max(at) over reading as last_at,
        (sum(bytes) over reading)::int8 as total
      from audit_events
      where ${condition} and at >= $5 and at < $6 and ($7::text[] is null or action = any ($7))
      window reading as (
        partition by coalesce(read_session, event_id), action, outcome, actor_id, file_id)
    ) e left join grants g on g.grant_id = e.grant_id
    where e.place = 1
      and ($2::timestamptz is null or (e.at, e.event_id) < ($2::timestamptz, $3::uuid))
    order by e.at desc, e.event_id desc limit $4`,
})
const ofFile = accesses('audit-events-of-file', 'file_id = $1')
const ofPatient = accesses('audit-events-of-patient', 'patient_id = $1')
const ofBoth = accesses('audit-events-of-both', 'file_id = $1 and patient_id = $8')
const spanOf = (name: string, condition: string): Query => ({
  name,
  text: `select min(at) as first, max(at) as last from audit_events where ${condition}`,
})
const spanOfFile = spanOf('audit-events-span-of-file', 'file_id = $1')
const spanOfPatient = spanOf('audit-events-span-of-patient', 'patient_id = $1')
const ALWAYS = new Date('0001-01-01T00:00:00Z')
const NEVER = new Date('9999-12-31T00:00:00Z')

type AccessColumns = Omit<LoggedAccess, keyof OptionalColumns | 'basis' | 'purpose'> &
  OptionalColumns & {
    readonly basis: GrantBasis | null
    readonly purpose: string | null
    readonly purposeKeyVersion: number | null
  }

/** The statements on events; `append` gives each its place and code by `place`. */
export function auditEventsTable(
  sql: Sql,
  place: WritingScope['place'],
  outbox?: Pick<OutboxRules, 'destinationsOf'>,
): AuditStore {
  return {
    append: async (event) => {
      const values = toValues(place(event))
      const destinations = outbox?.destinationsOf(event) ?? []
      if (destinations.length === 0) await run(sql, insert, values)
      else await run(sql, alsoInOutbox(insert, values.length), [...values, destinations])
    },
    accesses: async (query) => {
      const { after, limit, from = ALWAYS, to = NEVER, actions } = query
      const [statement, first, ...more] = concerned(query)
      const place = [after?.at ?? null, after?.id ?? null, limit, from, to, actions ?? null]
      return (await sql.rows<AccessColumns>(statement, [first, ...place, ...more])).map(toAccess)
    },
    accessSpan: async ({ fileId, patientId }) => {
      const [query, id] = fileId === undefined ? [spanOfPatient, patientId] : [spanOfFile, fileId]
      const [span] = await sql.rows<{ first: Date | null; last: Date }>(query, [id ?? null])
      return span === undefined || span.first === null
        ? undefined
        : { first: span.first, last: span.last }
    },
  }
}

function toValues(event: CodedEvent): SqlValue[] {
  return [
    ...[event.eventId, event.at, event.actorId, event.onBehalfOf ?? null, event.roles],
    ...[event.action, event.outcome, event.reason ?? null, event.fileId ?? null],
    ...[event.subjectId ?? null, event.patientId ?? null, event.grantId ?? null],
    ...[event.version ?? null, event.bytes ?? null, event.ip, event.userAgent, event.requestId],
    ...[event.readSession ?? null, event.emergencyId ?? null, event.writerId],
    ...[event.number === 0 ? null : event.number, event.settled, event.code],
  ]
}

/** The statement and whom it is about; the log as a whole is nobody's to read. */
function concerned({ fileId, patientId }: EventQuery): [Query, string, ...string[]] {
  if (fileId !== undefined && patientId !== undefined) return [ofBoth, fileId, patientId]
  if (fileId !== undefined) return [ofFile, fileId]
  if (patientId !== undefined) return [ofPatient, patientId]
  throw new StrongroomError('internal', { detail: 'An access log is of a file or a patient' })
}

function toAccess({ purposeKeyVersion, ...row }: AccessColumns): LoggedAccess {
  return {
    ...row,
    ...withoutNulls(row),
    basis: row.basis ?? undefined,
    purpose: sealedNote(row.purpose, purposeKeyVersion) ?? undefined,
  }
}
