import t from 'tap'
import { raiseAlerts } from '../../src/alerts/raise-alerts.js'
import { unsignedWriter } from '../../src/audit/audit-writer.js'
import { transactions } from '../../src/db/stores.js'
import { ownAssignments } from '../../src/records/own-assignments.js'
import { createMigratedDatabase, engines } from '../helpers/databases.js'

// A hundred and fifty clinicians read what was shared with them; all but the last two treat the patient.

const fill = `
  insert into principals (principal_id) select 'patient' union select 'doctor-' || lpad(n::text, 3, '0')
    from generate_series(1, 150) n;
  insert into files (file_id, kind, owner_id, uploader_id, record_id, record_type_id, version, created_at,
      updated_at)
    values ('5f1c1f0e-1111-4222-8333-000000000001', 'record', 'patient', 'doctor-001', gen_random_uuid(),
      (select min(type_id) from record_types), 1, now(), now());
  insert into grants (grant_id, file_id, user_id, basis, can_download, can_share, granted_by, granted_at)
    select md5('grant' || n)::uuid, '5f1c1f0e-1111-4222-8333-000000000001',
      'doctor-' || lpad(n::text, 3, '0'), 'explicit', true, false, 'patient', now()
    from generate_series(1, 150) n;
  insert into assignments (assignment_id, clinician_id, patient_id, starts_at, created_by)
    select gen_random_uuid(), 'doctor-' || lpad(n::text, 3, '0'), 'patient', now() - interval '1 day', 'admin'
    from generate_series(1, 148) n;
  insert into audit_events (event_id, at, actor_id, roles, action, outcome, file_id, patient_id, grant_id,
      bytes, ip, user_agent, request_id)
    select gen_random_uuid(), now(), 'doctor-' || lpad(n::text, 3, '0'), '{clinician}', 'record.view',
      'success', '5f1c1f0e-1111-4222-8333-000000000001', 'patient', md5('grant' || n)::uuid, 1,
      '192.0.2.1', 'test', 'r' from generate_series(1, 150) n;`

for (const engine of engines) {
  await t.test(engine, async (t) => {
    const place = await createMigratedDatabase(engine)
    const database = await place.open()
    t.teardown(async () => {
      await database.close()
      await place.drop()
    })
    await database.script(fill)
    const db = transactions(database, unsignedWriter)
    const thresholds = { refusals: 0, records: 0, outsideAssignment: true }
    const own = ownAssignments(db)
    let asked = 0
    const assignments: typeof own = {
      isAssigned: (clinicianId, patientId) => {
        asked += 1
        return own.isAssigned(clinicianId, patientId)
      },
    }
    const look = raiseAlerts({ db, assignments, thresholds })
    const told = async () => {
      const { events } = await db.stores.reports.events({ action: 'alert.raised' }, { limit: 10 })
      return events.map(({ subjectId }) => subjectId).sort()
    }
    await look({ signal: AbortSignal.timeout(60_000) })
    t.same(await told(), ['doctor-149', 'doctor-150'], 'those behind a hundred others, too')
    t.equal(asked, 150)
    await look({ signal: AbortSignal.timeout(60_000) })
    t.same(await told(), ['doctor-149', 'doctor-150'], 'once')
    t.equal(asked, 150, 'nobody is asked about again')
    await t.rejects(look({ signal: AbortSignal.abort() }), { name: 'AbortError' })
  })
}
