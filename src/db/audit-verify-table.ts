import { UNSIGNED_WRITER } from '../audit/coded-events.js'
import type { PutBackRow, VerifyStore } from '../audit/ports.js'
import { type CodedSeal } from '../audit/ports.js'
import { type CodedEventColumns, codedColumns, toCodedEvent } from './audit-event-columns.js'
import { sealColumns } from './audit-seals-table.js'
import type { Query, Sql } from './database.js'

/** Each by its index, one writer after another: the list of all would be read from every event. */
const nextWriter: Query = {
  name: 'audit-verify-next-writer',
  text: `select least(
      (select writer_id from audit_events where writer_id > $1::uuid order by writer_id limit 1),
      (select writer_id from audit_seals where writer_id > $1::uuid order by writer_id limit 1)
    ) as "writerId"`,
}
const hasUnsigned: Query = {
  name: 'audit-verify-has-unsigned',
  text: `select '${UNSIGNED_WRITER}'::uuid as "writerId"
    where exists (select from audit_events where writer_id = '${UNSIGNED_WRITER}')
      or exists (select from audit_seals where writer_id = '${UNSIGNED_WRITER}')`,
}
const eventsAfter: Query = {
  name: 'audit-verify-events-after',
  text: `select ${codedColumns} from audit_events
    where writer_id = $1 and writer_number >= $2
      and ($3::uuid is null or writer_number > $2 or event_id > $3::uuid)
    order by writer_number, event_id limit $4`,
}
const sealsOf: Query = {
  name: 'audit-verify-seals-of',
  text: `select ${sealColumns} from audit_seals
    where writer_id = $1 and (first_number, seal_number) > ($2::bigint, $3::bigint)
    order by first_number, seal_number limit $4`,
}
const ended: Query = {
  name: 'audit-verify-ended',
  text: 'select writer_id as "writerId" from audit_writers where ended_at is not null',
}
const firstSigned: Query = {
  name: 'audit-verify-first-signed',
  text: `select min(seal_number) as "number" from audit_seals
    where writer_id <> '${UNSIGNED_WRITER}'`,
}

const drops: Query = {
  name: 'audit-verify-drops',
  text: `select ${codedColumns} from audit_events where action = 'audit.drop' and outcome = 'success'`,
}

/** Of the events of these actions that came to pass, what they say ended or came. */
const done = (...actions: readonly string[]) =>
  `e.outcome = 'success' and e.action in (${actions.map((action) => `'${action}'`).join(', ')})`
const fileActions = (what: string) => [`file.${what}`, `record.${what}`]

/**
 * Rows that stand and that the log says were ended or replaced. Each begins at the events, of which
 * there are few of these kinds. Where an event is no longer kept, nothing is said.
 */
const putBack: readonly (readonly [table: string, query: Query])[] = [
  [
    'grants',
    {
      name: 'audit-replay-grants-revoked',
      text: `select g.grant_id::text as grant, g.file_id::text as file, e.event_id as "eventId", e.at
        from audit_events e join grants g on g.grant_id = e.grant_id
        where ${done('record.revoke')} and g.user_id = e.subject_id and g.revoked_at is null
        limit $1`,
    },
  ],
  [
    'grants',
    {
      name: 'audit-replay-grants-ended',
      text: `select g.grant_id::text as grant, g.file_id::text as file, e.event_id as "eventId", e.at
        from (
          select distinct on (e.file_id, e.subject_id) e.file_id, e.subject_id, e.event_id, e.at
          from audit_events e where ${done('record.revoke')}
          order by e.file_id, e.subject_id, e.at desc
        ) e join grants g on g.file_id = e.file_id and g.user_id = e.subject_id
        where g.revoked_at is null and g.grant_id not in (
            select r.grant_id from audit_events r
            where r.action = 'record.revoke' and r.file_id = g.file_id and r.grant_id is not null)
          and not exists (
            select from audit_events a where a.file_id = g.file_id and a.at > e.at
              and a.outcome = 'success' and a.action in ('record.grant', 'record.team_grant')
              and a.subject_id = g.user_id)
        limit $1`,
    },
  ],
  [
    'grants',
    {
      name: 'audit-replay-grants-replaced',
      text: `select g.grant_id::text as grant, g.file_id::text as file, e.event_id as "eventId", e.at
        from audit_events e
          join grants g on g.file_id = e.file_id and g.user_id = e.subject_id
            and g.grant_id <> e.grant_id and g.basis = 'explicit' and g.revoked_at is null
          join audit_events a on a.file_id = e.file_id and a.action = 'record.grant'
            and a.grant_id = g.grant_id and a.outcome = 'success' and a.at < e.at
        where ${done('record.grant')} limit $1`,
    },
  ],
  [
    'files',
    {
      name: 'audit-replay-files-deleted',
      text: `select f.file_id::text as file, e.event_id as "eventId", e.at
        from (
          select distinct on (e.file_id) e.file_id, e.action, e.event_id, e.at from audit_events e
          where ${done(...fileActions('delete'), ...fileActions('restore'))}
          order by e.file_id, e.at desc
        ) e join files f on f.file_id = e.file_id
        where e.action in ('file.delete', 'record.delete') and f.deleted_at is null limit $1`,
    },
  ],
  [
    'files',
    {
      name: 'audit-replay-files-purged',
      text: `select f.file_id::text as file, e.event_id as "eventId", e.at
        from audit_events e join files f on f.file_id = e.file_id
        where ${done(...fileActions('purge'))} and (f.purged_at is null or exists (
          select from file_versions v where v.file_id = f.file_id)) limit $1`,
    },
  ],
  [
    'files',
    {
      name: 'audit-replay-files-version',
      text: `select f.file_id::text as file, f.version, e.event_id as "eventId", e.at
        from audit_events e join files f on f.file_id = e.file_id
        where ${done(...fileActions('version_add'))} and f.version < e.version limit $1`,
    },
  ],
  [
    'file_versions',
    {
      name: 'audit-replay-versions-shredded',
      text: `select v.file_id::text as file, v.version, e.event_id as "eventId", e.at
        from audit_events e join file_versions v on v.file_id = e.file_id
          and (e.version is null or v.version = e.version)
        where ${done(...fileActions('shred'))} limit $1`,
    },
  ],
  [
    'user_keys',
    {
      name: 'audit-replay-keys-retired',
      text: `select k.user_id as "user", k.version, e.event_id as "eventId", e.at
        from audit_events e join user_keys k on k.user_id = e.subject_id and k.version <= e.bytes
        where ${done('keys.user_retire')} limit $1`,
    },
  ],
  [
    'user_keys',
    {
      name: 'audit-replay-keys-turned',
      text: `select k.user_id as "user", k.version, e.event_id as "eventId", e.at
        from audit_events e join user_keys k on k.user_id = e.subject_id and k.active
          and k.version < e.bytes
        where ${done('keys.user_rotate')} limit $1`,
    },
  ],
  [
    'user_keys',
    {
      name: 'audit-replay-keys-shredded',
      text: `select k.user_id as "user", k.version, e.event_id as "eventId", e.at
        from audit_events e join user_keys k on k.user_id = e.subject_id
        where ${done('person.shred')} limit $1`,
    },
  ],
  [
    'deployment_keys',
    {
      name: 'audit-replay-masters-retired',
      text: `select d.master_key_id as "masterKey", e.event_id as "eventId", e.at
        from audit_events e join deployment_keys d on d.master_key_id = e.subject_id
          and d.key_use = 'check'
        where ${done('keys.retire')} limit $1`,
    },
  ],
  [
    'emergencies',
    {
      name: 'audit-replay-emergencies-ended',
      text: `select m.emergency_id::text as emergency, e.event_id as "eventId", e.at
        from audit_events e join emergencies m on m.emergency_id = e.emergency_id
        where ${done('emergency.end')} and (m.ended_at is null or m.ended_at > e.at) limit $1`,
    },
  ],
  [
    'legal_holds',
    {
      name: 'audit-replay-holds-released',
      text: `select h.hold_id::text as hold, e.event_id as "eventId", e.at
        from audit_events e join legal_holds h on h.hold_id::text = e.subject_id
        where ${done('hold.release')} and h.released_at is null limit $1`,
    },
  ],
  [
    'legal_holds',
    {
      name: 'audit-replay-holds-gone',
      text: `select e.subject_id as hold, e.event_id as "eventId", e.at
        from audit_events e left join legal_holds h on h.hold_id::text = e.subject_id
        where ${done('hold.place')} and (h.hold_id is null or h.released_at is not null)
          and not exists (select from audit_events r
            where r.action = 'hold.release' and r.outcome = 'success' and r.subject_id = e.subject_id)
        limit $1`,
    },
  ],
]

type Found = { readonly eventId: string; readonly at: Date } & Record<
  string,
  string | number | Date
>

export function auditVerifyTable(sql: Sql): VerifyStore {
  return {
    writerAfter: async (last) => {
      const [found] =
        last === undefined
          ? await sql.rows<{ writerId: string }>(hasUnsigned)
          : await sql.rows<{ writerId: string | null }>(nextWriter, [last])
      if (found !== undefined || last !== undefined) return found?.writerId ?? undefined
      const [first] = await sql.rows<{ writerId: string | null }>(nextWriter, [UNSIGNED_WRITER])
      return first?.writerId ?? undefined
    },
    eventsAfter: async (writerId, place, limit) => {
      const values = [writerId, place?.number ?? -1, place?.eventId ?? null, limit]
      return (await sql.rows<CodedEventColumns>(eventsAfter, values)).map(toCodedEvent)
    },
    sealsOf: (writerId, place, limit) =>
      sql.rows<CodedSeal>(sealsOf, [
        ...[writerId, place?.firstNumber ?? -1, place?.number ?? 0, limit],
      ]),
    ended: async () => {
      const rows = await sql.rows<{ writerId: string }>(ended)
      return rows.map(({ writerId }) => writerId)
    },
    firstSigned: async () => {
      const [found] = await sql.rows<{ number: number | null }>(firstSigned)
      return found?.number ?? undefined
    },
    drops: async () => (await sql.rows<CodedEventColumns>(drops)).map(toCodedEvent),
    putBack: async (limit) => {
      const all: PutBackRow[] = []
      for (const [table, query] of putBack) {
        const rows = await sql.rows<Found>(query, [limit])
        all.push(...rows.map(({ eventId, at, ...ids }) => rowOf(table, eventId, at, ids)))
      }
      return all
    },
  }
}

function rowOf(
  table: string,
  eventId: string,
  at: Date,
  ids: Readonly<Record<string, string | number | Date>>,
): PutBackRow {
  const plain = Object.entries(ids).flatMap(([name, value]) =>
    value instanceof Date ? [] : [[name, value] as const],
  )
  return { table, eventId, at, ids: Object.fromEntries(plain) }
}
