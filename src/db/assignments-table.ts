import type { AssignmentQuery, AssignmentRow, AssignmentStore } from '../records/ports.js'
import type { Query, Sql, SqlValue } from './database.js'
import { run } from './run.js'

/** From the start, up to but not including the end. */
const stands = (at: string): string => `starts_at <= ${at} and (ends_at is null or ends_at > ${at})`

const standing: Query = {
  name: 'assignments-standing',
  text: `select exists (
      select from assignments where clinician_id = $1 and patient_id = $2 and ${stands('$3')}
    ) as "found"`,
}
/** Each filter is a condition only where it is asked for: what is left is served by an index. */
const list = (query: AssignmentQuery): { query: Query; values: SqlValue[] } => {
  const { clinicianId, patientId, after, limit } = query
  const values: SqlValue[] = []
  const names = ['assignments-list']
  const conditions: string[] = []
  const value = (given: SqlValue) => `$${values.push(given)}`
  const where = (name: string, condition: string) => {
    names.push(name)
    conditions.push(condition)
  }
  if (clinicianId !== undefined) where('clinician', `clinician_id = ${value(clinicianId)}`)
  if (patientId !== undefined) where('patient', `patient_id = ${value(patientId)}`)
  if (after !== undefined) {
    const cursor = `(${value(after.at)}::timestamptz, ${value(after.id)}::uuid)`
    where('after', `(starts_at, assignment_id) < ${cursor}`)
  }
  const text = `select assignment_id as "assignmentId", clinician_id as "clinicianId",
      patient_id as "patientId", starts_at as "startsAt", ends_at as "endsAt",
      created_by as "createdBy"
    from assignments ${conditions.length === 0 ? '' : `where ${conditions.join(' and ')}`}
    order by starts_at desc, assignment_id desc limit ${value(limit)}`
  return { query: { name: names.join('-'), text }, values }
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
    list: (wish) => {
      const { query, values } = list(wish)
      return sql.rows<AssignmentRow>(query, values)
    },
    insert: (row) =>
      run(sql, insert, [
        ...[row.assignmentId, row.clinicianId, row.patientId],
        ...[row.startsAt, row.endsAt, row.createdBy],
      ]),
    end: async (clinicianId, patientId, at) =>
      (await sql.rows(end, [clinicianId, patientId, at])).length,
  }
}
