import { type CodedEvent, UNSIGNED_WRITER } from '../audit/coded-events.js'
import type { SealStore, WriterPlace } from '../audit/ports.js'
import { type CodedSeal } from '../audit/ports.js'
import { type CodedEventColumns, codedColumns, toCodedEvent } from './audit-event-columns.js'
import type { Query, Sql } from './database.js'
import { run } from './run.js'

const lock: Query = {
  name: 'audit-seals-lock',
  text: 'select pg_advisory_xact_lock(8006, 3)',
}
/** All of a seal. */
export const sealColumns = `seal_number as "number", previous, writer_id as "writerId",
  first_number as "firstNumber", included, unused, missing, events, total, root, first_at as "firstAt", last_at as "lastAt", sealed_at as "sealedAt",
  is_adopted as "isAdopted", code`
const last: Query = {
  name: 'audit-seals-last',
  text: `select ${sealColumns} from audit_seals order by seal_number desc limit 1`,
}
const find: Query = {
  name: 'audit-seals-find',
  text: `select ${sealColumns} from audit_seals where seal_number = $1`,
}
const after: Query = {
  name: 'audit-seals-after',
  text: `select ${sealColumns} from audit_seals where seal_number > $1 order by seal_number limit $2`,
}
const insert: Query = {
  name: 'audit-seals-insert',
  text: `insert into audit_seals (seal_number, previous, writer_id, first_number, included, unused,
      missing, events, total, root, first_at, last_at, sealed_at, is_adopted, code)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)`,
}
const count: Query = {
  name: 'audit-days-count',
  text: `insert into audit_days (day, actor_id, action, outcome, events)
    select * from unnest($1::date[], $2::text[], $3::text[], $4::text[], $5::bigint[])
    on conflict (day, actor_id, action, outcome)
    do update set events = audit_days.events + excluded.events`,
}
const saw: Query = {
  name: 'audit-writers-saw',
  text: `insert into audit_writers (writer_id, started_at, seen_at, sealed_to, sealed_beyond)
    values ($1, clock_timestamp(), clock_timestamp(), $2, $3)
    on conflict (writer_id) do update set seen_at = excluded.seen_at,
      sealed_to = excluded.sealed_to, sealed_beyond = excluded.sealed_beyond`,
}
const end: Query = {
  name: 'audit-writers-end',
  text: `update audit_writers set ended_at = clock_timestamp()
    where writer_id = $1 and ended_at is null returning writer_id`,
}
const forget: Query = {
  name: 'audit-writers-forget',
  text: 'delete from audit_writers where writer_id = $1',
}
const silent: Query = {
  name: 'audit-writers-silent',
  text: `select writer_id as "writerId", sealed_to as "sealedTo", sealed_beyond as "sealedBeyond"
    from audit_writers where ended_at is null and writer_id <> $2
      and seen_at <= clock_timestamp() - $1::float8 * interval '1 millisecond'
    order by started_at, writer_id`,
}
const ask: Query = {
  name: 'audit-writers-ask',
  text: `update audit_writers set asked = asked + 1,
      asked_at = case when asked > answered then asked_at else clock_timestamp() end
    where ended_at is null and writer_id <> $1
    returning writer_id`,
}
const question: Query = {
  name: 'audit-writers-question',
  text: `select asked as question from audit_writers where writer_id = $1 and asked > answered`,
}
const answer: Query = {
  name: 'audit-writers-answer',
  text: 'update audit_writers set answered = $2 where writer_id = $1',
}
const unanswered: Query = {
  name: 'audit-writers-unanswered',
  text: `select count(*)::integer as writers from audit_writers
    where ended_at is null and writer_id <> $1 and asked > answered
      and asked_at > clock_timestamp() - $2::float8 * interval '1 millisecond'`,
}
const eventsOf: Query = {
  name: 'audit-events-of-writer',
  text: `select ${codedColumns} from audit_events
    where writer_id = $1 and writer_number > $2
      and at <= clock_timestamp() - $4::float8 * interval '1 millisecond'
    order by writer_number limit $3`,
}
const eventsOfSigned: Query = {
  name: 'audit-events-of-signed',
  text: `select ${codedColumns} from audit_events where writer_id = $1 and writer_number > $2
    order by writer_number limit $3`,
}
const present: Query = {
  name: 'audit-events-present',
  text: `select writer_number as "number" from audit_events
    where writer_id = $1 and writer_number = any($2::bigint[])`,
}
const lastUnsigned: Query = {
  name: 'audit-seals-unsigned',
  text: `select included from audit_seals where writer_id = '${UNSIGNED_WRITER}'
    order by first_number desc, seal_number desc limit 1`,
}
const makeMonths: Query = {
  name: 'audit-months-make',
  text: `select audit_make_month((date_trunc('month', now() at time zone 'UTC')
    + n * interval '1 month')::date) from generate_series(0, 2) n`,
}

export function auditSealsTable(sql: Sql): SealStore {
  return {
    lock: () => run(sql, lock, []),
    last: async () => (await sql.rows<CodedSeal>(last))[0],
    find: async (number) => (await sql.rows<CodedSeal>(find, [number]))[0],
    after: (number, limit) => sql.rows<CodedSeal>(after, [number, limit]),
    insert: (seal) => run(sql, insert, valuesOf(seal)),
    count: (days) =>
      run(sql, count, [
        days.map(({ day }) => day),
        days.map(({ actorId }) => actorId),
        days.map(({ action }) => action),
        days.map(({ outcome }) => outcome),
        days.map(({ events }) => events),
      ]),
    saw: ({ writerId, sealedTo, sealedBeyond }) =>
      run(sql, saw, [writerId, sealedTo, sealedBeyond]),
    end: async (writerId) => (await sql.rows(end, [writerId])).length > 0,
    forget: (writerId) => run(sql, forget, [writerId]),
    silent: (ms, except) => sql.rows<WriterPlace>(silent, [ms, except]),
    ask: async (except) => (await sql.rows(ask, [except])).length,
    question: async (writerId) =>
      (await sql.rows<{ question: number }>(question, [writerId]))[0]?.question,
    answer: (writerId, asked) => run(sql, answer, [writerId, asked]),
    unanswered: async (except, withinMs) =>
      (await sql.rows<{ writers: number }>(unanswered, [except, withinMs]))[0]?.writers ?? 0,
    eventsOf: async (writerId, number, limit, minAgeMs): Promise<CodedEvent[]> => {
      const rows =
        minAgeMs === 0
          ? await sql.rows<CodedEventColumns>(eventsOfSigned, [writerId, number, limit])
          : await sql.rows<CodedEventColumns>(eventsOf, [writerId, number, limit, minAgeMs])
      return rows.map(toCodedEvent)
    },
    present: async (writerId, numbers) => {
      const rows = await sql.rows<{ number: number }>(present, [writerId, numbers])
      return rows.map(({ number }) => number)
    },
    unsignedTo: async () => {
      const [seal] = await sql.rows<{ included: string }>(lastUnsigned)
      return Number(/\d+$/.exec(seal?.included ?? '')?.[0] ?? 0)
    },
    makeMonths: () => run(sql, makeMonths, []),
  }
}

function valuesOf(seal: CodedSeal) {
  return [
    ...[seal.number, seal.previous, seal.writerId, seal.firstNumber, seal.included],
    ...[seal.unused, seal.missing],
    ...[seal.events, seal.total, seal.root, seal.firstAt, seal.lastAt, seal.sealedAt],
    ...[seal.isAdopted, seal.code],
  ]
}
