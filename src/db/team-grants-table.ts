import type { TeamGrantStore } from '../records/ports.js'
import type { Query, Sql } from './database.js'

/** Who was erased is given nothing, and what was theirs cannot be given by their grants. */
const notErased = (id: string) =>
  `not exists (select from principals p where p.principal_id = ${id} and p.shredded_at is not null)`

/**
 * A revoked assignment grant counts: what a patient took back is not given again. `offset 0` has each record
 * looked up by itself: never all that the clinician was ever given, to be compared with a patient's few.
 */
const missing: Query = {
  name: 'team-grants-missing',
  text: `select f.file_id as "fileId"
    from files f join record_types t on t.type_id = f.record_type_id
    where f.owner_id = $2 and f.kind = 'record' and f.deleted_at is null and f.awaits_until is null
      and not t.sensitive
      and ${notErased('$1')} and ${notErased('$2')}
      and not exists (
        select from grants g where g.file_id = f.file_id and g.user_id = $1
          and (g.basis = 'assignment'
            or (g.revoked_at is null
              and (g.expires_at is null or g.expires_at > statement_timestamp())))
        offset 0)
    order by f.created_at desc, f.file_id desc limit $3`,
}
const assigned: Query = {
  name: 'team-grants-assigned',
  text: `select distinct clinician_id as "clinicianId" from assignments
    where patient_id = $1 and starts_at <= $2 and (ends_at is null or ends_at > $2)
      and ${notErased('clinician_id')}
    order by clinician_id`,
}

export function teamGrantsTable(sql: Sql): TeamGrantStore {
  return {
    missingTeamGrants: async (clinicianId, patientId, limit) => {
      const found = await sql.rows<{ fileId: string }>(missing, [clinicianId, patientId, limit])
      return found.map(({ fileId }) => fileId)
    },
    assignedClinicians: async (patientId, at) => {
      const found = await sql.rows<{ clinicianId: string }>(assigned, [patientId, at])
      return found.map(({ clinicianId }) => clinicianId)
    },
  }
}
