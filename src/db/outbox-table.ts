import type {
  Destination,
  ListedMessage,
  MessageFilter,
  OutboxCount,
  OutboxStore,
  StoredEvent,
  WaitingMessage,
} from '../outbox/ports.js'
import type { Query, Sql, SqlValue } from './database.js'
import { run } from './run.js'

/** A statement that inserts an event, with what the outbox tells of it: its last value is the destinations. */
export function alsoInOutbox(insertEvent: Query, values: number): Query {
  return {
    name: `${insertEvent.name}-outbox`,
    text: `with event as (${insertEvent.text}
        returning event_id, at, action, coalesce(file_id::text, patient_id, subject_id, actor_id) as resource)
      insert into outbox (destination, resource, event_type, event_id, event_at)
      select d, resource, action, event_id, at from event cross join unnest($${values + 1}::text[]) d`,
  }
}

const EVENT = `e.event_id as "eventId", e.at, e.actor_id as "actorId",
  e.on_behalf_of as "onBehalfOf", e.roles, e.action, e.outcome, e.reason, e.file_id as "fileId",
  e.subject_id as "subjectId", e.patient_id as "patientId", e.grant_id as "grantId", e.version,
  e.bytes, e.ip, e.user_agent as "userAgent", e.request_id as "requestId",
  e.read_session as "readSession", e.emergency_id as "emergencyId", e.writer_id as "writerId",
  e.writer_number as "writerNumber", e.settled, e.mac`

/** Few messages first, then the event of each, which the limit keeps a look at one index. */
const withEvents = (few: string) => `select m.id, m.resource, m.created_at as "createdAt",
    m.attempts, ${EVENT}
  from (${few}) m
  left join lateral (
    select * from audit_events where at = m.event_at and event_id = m.event_id limit 1) e on true
  order by m.id`

const due: Query = {
  name: 'outbox-due',
  text: withEvents(`select * from outbox o
    where destination = $1 and dead_at is null and (not_before is null or not_before <= $2)
      and resource <> all($3::text[])
      and not exists (
        select 1 from outbox before
        where before.destination = $1 and before.resource = o.resource and before.id < o.id
          and before.dead_at is null and before.attempts > 0 and before.not_before > $2)
    order by id limit $4`),
}
const oldest: Query = {
  name: 'outbox-oldest',
  text: withEvents(
    'select * from outbox where destination = $1 and dead_at is null order by id limit 1',
  ),
}
const delivered: Query = {
  name: 'outbox-delivered',
  text: 'delete from outbox where id = any($1::int8[])',
}
const failed: Query = {
  name: 'outbox-failed',
  text: `update outbox set attempts = attempts + 1, not_before = $2, last_reason = $3
    where id = $1 and dead_at is null`,
}
const died: Query = {
  name: 'outbox-died',
  text: `update outbox set attempts = attempts + 1, dead_at = $2, last_reason = $3
    where id = $1 and dead_at is null`,
}
const allDied: Query = {
  name: 'outbox-all-died',
  text: `update outbox set dead_at = $3, last_reason = $4
    where destination = $1 and dead_at is null and created_at <= $2`,
}
const hasten: Query = {
  name: 'outbox-hasten',
  text: `update outbox set not_before = null
    where destination = $1 and dead_at is null and attempts > 0 and not_before is not null`,
}
const count: Query = {
  name: 'outbox-count',
  text: `select destination, count(*) filter (where dead_at is null) as waiting,
      count(*) filter (where dead_at is not null) as dead,
      min(created_at) filter (where dead_at is null) as oldest
    from outbox group by destination order by destination`,
}
/** $1 destination, $2 ids, $3 whether those that wait, too. */
const chosen = `($1::text is null or destination = $1)
  and ($2::int8[] is null or id = any($2::int8[])) and ($3 or dead_at is not null)`
const list: Query = {
  name: 'outbox-list',
  text: `select id, destination, resource, event_type as "eventType", event_id as "eventId",
      created_at as "createdAt", attempts, not_before as "notBefore", dead_at as "deadAt",
      last_reason as "lastReason"
    from outbox where ${chosen} order by id limit $4`,
}
const replay: Query = {
  name: 'outbox-replay',
  text: `with changed as (
      update outbox set attempts = 0, not_before = null, dead_at = null, created_at = now()
      where ${chosen} returning destination)
    select destination, count(*) as n from changed group by destination order by destination`,
}
const drop: Query = {
  name: 'outbox-drop',
  text: `with changed as (delete from outbox where ${chosen} returning destination)
    select destination, count(*) as n from changed group by destination order by destination`,
}

/** Of an event: null where it has nothing. */
type Optional =
  | 'onBehalfOf'
  | 'reason'
  | 'fileId'
  | 'subjectId'
  | 'patientId'
  | 'grantId'
  | 'version'
  | 'bytes'
  | 'readSession'
  | 'emergencyId'

type EventColumns = Omit<StoredEvent, Optional> & {
  readonly [K in Optional]: NonNullable<StoredEvent[K]> | null
}
type DueRow = Omit<WaitingMessage, 'event'> & (EventColumns | { readonly eventId: null })

export function outboxTable(sql: Sql): OutboxStore {
  const changes = async (statement: Query, filter: MessageFilter) => {
    const rows = await sql.rows<{ destination: Destination; n: number }>(statement, choice(filter))
    return new Map(rows.map(({ destination, n }) => [destination, n]))
  }
  return {
    due: async (destination, { now, limit, except }) =>
      (await sql.rows<DueRow>(due, [destination, now, except, limit])).map(toMessage),
    oldest: async (destination) =>
      (await sql.rows<DueRow>(oldest, [destination])).map(toMessage)[0],
    delivered: (ids) => run(sql, delivered, [ids]),
    failed: (id, notBefore, reason) => run(sql, failed, [id, notBefore, reason]),
    died: (id, now, reason) => run(sql, died, [id, now, reason]),
    allDied: (destination, madeBefore, now, reason) =>
      run(sql, allDied, [destination, madeBefore, now, reason]),
    hasten: (destination) => run(sql, hasten, [destination]),
    count: () => sql.rows<OutboxCount>(count),
    list: (filter, limit) => sql.rows<ListedMessage>(list, [...choice(filter), limit]),
    replay: (filter) => changes(replay, filter),
    drop: (filter) => changes(drop, filter),
  }
}

function choice({ destination, ids, waitingToo }: MessageFilter): SqlValue[] {
  return [destination ?? null, ids ?? null, waitingToo]
}

function toMessage(row: DueRow): WaitingMessage {
  const { id, resource, createdAt, attempts, ...event } = row
  const message = { id, resource, createdAt, attempts }
  return { ...message, event: event.eventId === null ? undefined : toEvent(event) }
}

function toEvent(row: EventColumns): StoredEvent {
  return {
    ...row,
    onBehalfOf: row.onBehalfOf ?? undefined,
    reason: row.reason ?? undefined,
    fileId: row.fileId ?? undefined,
    subjectId: row.subjectId ?? undefined,
    patientId: row.patientId ?? undefined,
    grantId: row.grantId ?? undefined,
    version: row.version ?? undefined,
    bytes: row.bytes ?? undefined,
    readSession: row.readSession ?? undefined,
    emergencyId: row.emergencyId ?? undefined,
  }
}
