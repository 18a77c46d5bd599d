import type { AlertStore, Opened, Refused, SharedReading } from '../alerts/ports.js'
import type { Query, Sql } from './database.js'

/** Whoever was refused without being known: told apart by address alone. */
const NOBODY = "'-'"

/** No alert of this rule in the span about `subject`, or, where that is null, from `ip`. */
const isUntold = (rule: string, since: string, condition: string) => `not exists (
      select from audit_events a
      where a.action = 'alert.raised' and a.reason = '${rule}' and a.at >= ${since}
        and ${condition})`

/** A summary stands for as many as it says. */
const refused: Query = {
  name: 'alerts-refused',
  text: `select nullif(actor_id, ${NOBODY}) as "actorId", ip, count from (
      select actor_id, case when actor_id = ${NOBODY} then ip end as ip,
        sum(case when action = 'auth.refused_summary' then coalesce(bytes, 1) else 1 end)::int8
          as count
      from audit_events where at >= $1 and outcome = 'denied'
      group by 1, 2
    ) r
    where count >= $2 and ${isUntold(
      'many_refusals',
      '$1',
      `(a.subject_id = r.actor_id
          or (r.actor_id = ${NOBODY} and a.subject_id is null and a.ip = r.ip))`,
    )}
    order by count desc limit $3`,
}
/** Who opened it: the person, where a service acted for them. */
const READER = 'coalesce(e.on_behalf_of, e.actor_id)'
const opened: Query = {
  name: 'alerts-opened',
  text: `select actor_id as "actorId", count from (
      select ${READER} as actor_id, count(distinct e.file_id)::int8 as count from audit_events e
      where e.at >= $1 and e.outcome = 'success'
        and e.action in ('record.view', 'record.download') and ${READER} <> e.patient_id
      group by 1
    ) r
    where count >= $2 and ${isUntold('many_records', '$1', 'a.subject_id = r.actor_id')}
    order by count desc limit $3`,
}
/** In person: of whom a service acts for it is not known whether they are a clinician. */
const sharedReadings: Query = {
  name: 'alerts-shared-readings',
  text: `select * from (
      select distinct on (e.actor_id, e.patient_id) e.actor_id as "actorId",
        e.patient_id as "patientId", e.file_id as "fileId"
      from audit_events e join grants g on g.grant_id = e.grant_id
      where e.at >= $1 and e.outcome = 'success' and e.action in ('record.view', 'record.download')
        and e.on_behalf_of is null and 'clinician' = any (e.roles) and e.actor_id <> e.patient_id and g.basis = 'explicit'
      order by e.actor_id, e.patient_id, e.at
    ) r
    where ${isUntold(
      'outside_assignment',
      '$2',
      'a.subject_id = r."actorId" and a.patient_id = r."patientId"',
    )} and ($4::text is null or ("actorId", "patientId") > ($4::text, $5::text))
    order by "actorId", "patientId" limit $3`,
}

export function alertsTable(sql: Sql): AlertStore {
  return {
    refused: (atLeast, { from, limit }) => sql.rows<Refused>(refused, [from, atLeast, limit]),
    opened: (atLeast, { from, limit }) => sql.rows<Opened>(opened, [from, atLeast, limit]),
    sharedReadings: ({ from, toldSince, limit, after }) =>
      sql.rows<SharedReading>(sharedReadings, [
        ...[from, toldSince, limit],
        ...[after?.actorId ?? null, after?.patientId ?? null],
      ]),
  }
}
