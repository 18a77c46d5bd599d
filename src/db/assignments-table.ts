import type { AssignmentRow, AssignmentStore } from '../records/ports.js'
import type { Query, Sql } from './database.js'
import { run } from './run.js'

/** From the start, up to but not including the end. */
const stands = (at: string): string => `starts_at <= ${at} and (ends_at is null or ends_at > ${at})`

const standing: Query = {
  name: 'assignments-standing',
  text: `select exists (
      select from assignments where clinician_id = $1 and patient_id = $2 and ${stands('$3')}
    ) as "found"`,
}
const list: Query = {
  name: 'assignments-list',
  text: `select assignment_id as "assignmentId", clinician_id as "clinicianId",
      patient_id as "patientId", starts_at as "startsAt", ends_at as "endsAt",
      created_by as "createdBy"
    from assignments
    where ($1::text is null or clinician_id = $1) and ($2::text is null or patient_id = $2)
      and ($3::timestamptz is null or (starts_at, assignment_id) < ($3::timestamptz, $4::uuid))
    order by starts_at desc, assignment_id desc limit $5`,
}
const insert: Query = {
  name: 'assignments-insert',
  text: `insert into assignments (assignment_id, clinician_id, patient_id, starts_at, ends_at,
      created_by)
    values ($1, $2, $3, $4, $5, $6)`,
}
const end: Query = {
  name: 'assignments-end',
  text: `update assignments set ends_at = $3
    where clinician_id = $1 and patient_id = $2 and ${stands('$3')}
    returning assignment_id`,
}

/** Lists newest start first; a cursor is the start and id of the last one seen. */
export function assignmentsTable(sql: Sql): AssignmentStore {
  return {
    isAssigned: async (clinicianId, patientId, at) => {
      const [row] = await sql.rows<{ found: boolean }>(standing, [clinicianId, patientId, at])
      return row?.found ?? false
    },
    list: ({ clinicianId, patientId, after, limit }) =>
      sql.rows<AssignmentRow>(list, [
        ...[clinicianId ?? null, patientId ?? null],
        ...[after?.at ?? null, after?.id ?? null, limit],
      ]),
    insert: (row) =>
      run(sql, insert, [
        ...[row.assignmentId, row.clinicianId, row.patientId],
        ...[row.startsAt, row.endsAt, row.createdBy],
      ]),
    end: async (clinicianId, patientId, at) =>
      (await sql.rows(end, [clinicianId, patientId, at])).length,
  }
}
