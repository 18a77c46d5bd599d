import type { EmergencyRow, EmergencyStore, NotedEmergency } from '../emergency/ports.js'
import { StrongroomError } from '../errors/strongroom-error.js'
import type { Query, Sql } from './database.js'
import { keysTurned } from './grants-table.js'
import { run } from './run.js'

const COLUMNS = `e.emergency_id as "emergencyId", e.clinician_id as "clinicianId",
  e.patient_id as "patientId", e.reason_code as "reasonCode",
  e.sensitive_types as "sensitiveTypes", e.requested_at as "requestedAt", e.ends_at as "endsAt",
  e.ended_at as "endedAt", e.ended_by as "endedBy", e.reviewed_at as "reviewedAt",
  e.reviewed_by as "reviewedBy", e.finding`
const NOTED = `select ${COLUMNS}, t.note_id as "termsId", t.sealed as "termsSealed",
    t.user_key_version as "termsKeyVersion", r.note_id as "reviewId", r.sealed as "reviewSealed",
    r.user_key_version as "reviewKeyVersion",
    (select count(*) from emergency_reads x where x.emergency_id = e.emergency_id)::integer as records
  from emergencies e
    left join emergency_notes t on t.emergency_id = e.emergency_id and t.kind = 'terms'
    left join emergency_notes r on r.emergency_id = e.emergency_id and r.kind = 'review'`
const isGoing = (now: string) => `e.ended_at is null and e.ends_at > ${now}`

const insert: Query = {
  name: 'emergencies-insert',
  text: `insert into emergencies (emergency_id, clinician_id, patient_id, reason_code,
      sensitive_types, requested_at, ends_at)
    values ($1, $2, $3, $4, $5, $6, $7)
    on conflict (clinician_id) where ended_at is null do nothing returning emergency_id`,
}
/** The locks wait for whoever erases the patient or retires that key, and see what became of it. */
const insertNote: Query = {
  name: 'emergency-notes-insert',
  text: `with patient as (
      select principal_id from principals where principal_id = $4 and shredded_at is null
      for key share
    ), key as (
      select version from user_keys where user_id = $4 and version = $6 for key share
    )
    insert into emergency_notes (note_id, emergency_id, kind, patient_id, sealed, user_key_version)
    select $1::uuid, $2::uuid, $3, patient.principal_id, $5, key.version from patient, key
    returning note_id`,
}
const isErased: Query = {
  name: 'emergencies-is-erased',
  text: 'select 1 from principals where principal_id = $1 and shredded_at is not null',
}
const find: Query = { name: 'emergencies-find', text: `${NOTED} where e.emergency_id = $1` }
const lock: Query = {
  name: 'emergencies-lock',
  text: `select ${COLUMNS} from emergencies e where e.emergency_id = $1 for no key update`,
}
const latest: Query = {
  name: 'emergencies-latest',
  text: `${NOTED} where e.clinician_id = $1 and e.patient_id = $2
    order by e.requested_at desc, e.emergency_id desc limit 1`,
}
const going: Query = {
  name: 'emergencies-going',
  text: `select ${COLUMNS} from emergencies e where e.clinician_id = $1 and e.ended_at is null
    for no key update`,
}
const list: Query = {
  name: 'emergencies-list',
  text: `${NOTED}
    where ($1::text is null or e.clinician_id = $1 or e.patient_id = $1)
      and ($2::text is null or e.patient_id = $2)
      and case $3
        when 'open' then ${isGoing('$4::timestamptz')}
        when 'to_review' then e.reviewed_at is null and not (${isGoing('$4::timestamptz')})
        when 'pending' then e.reviewed_at is null
        when 'reviewed' then e.reviewed_at is not null
        else true end
      and ($5::timestamptz is null
        or (e.requested_at, e.emergency_id) < ($5::timestamptz, $6::uuid))
    order by e.requested_at desc, e.emergency_id desc limit $7`,
}
const lapsed: Query = {
  name: 'emergencies-lapsed',
  text: `select emergency_id as "emergencyId" from emergencies
    where ended_at is null and ends_at <= $1 order by ends_at limit $2`,
}
const end: Query = {
  name: 'emergencies-end',
  text: `update emergencies set ended_by = $2, ended_at = $3
    where emergency_id = $1 and ended_at is null`,
}
const review: Query = {
  name: 'emergencies-review',
  text: `update emergencies set reviewed_by = $2, reviewed_at = $3, finding = $4
    where emergency_id = $1`,
}
const hasRecords: Query = {
  name: 'emergencies-has-records',
  text: `select 1 from files where owner_id = $1 and kind = 'record' and deleted_at is null
    and awaits_until is null limit 1`,
}
const lockGoing: Query = {
  name: 'emergency-reads-lock',
  text: `select e.emergency_id from emergencies e
    where e.emergency_id = $1 and ${isGoing('$2')} for no key update`,
}
const countOthers: Query = {
  name: 'emergency-reads-others',
  text: `select count(*)::integer as others from emergency_reads
    where emergency_id = $1 and file_id <> $2`,
}
const addRead: Query = {
  name: 'emergency-reads-add',
  text: `insert into emergency_reads (emergency_id, file_id) values ($1, $2) on conflict do nothing`,
}

interface NoteColumns {
  readonly termsId: string | null
  readonly termsSealed: string | null
  readonly termsKeyVersion: number | null
  readonly reviewId: string | null
  readonly reviewSealed: string | null
  readonly reviewKeyVersion: number | null
}

type NotedColumns = Omit<NotedEmergency, 'terms' | 'review'> & NoteColumns

export function emergenciesTable(sql: Sql): EmergencyStore {
  const noted = async (query: Query, values: Parameters<Sql['rows']>[1]) =>
    (await sql.rows<NotedColumns>(query, values)).map(toNoted)
  return {
    insert: async (row) => {
      const values = [
        ...[row.emergencyId, row.clinicianId, row.patientId, row.reasonCode],
        ...[row.sensitiveTypes, row.requestedAt, row.endsAt],
      ]
      return (await sql.rows(insert, values)).length > 0
    },
    insertNote: async ({ emergencyId, patientId }, kind, { noteId, sealed, userKeyVersion }) => {
      const values = [noteId, emergencyId, kind, patientId, sealed, userKeyVersion]
      if ((await sql.rows(insertNote, values)).length > 0) return
      const erased = (await sql.rows(isErased, [patientId])).length > 0
      throw erased ? new StrongroomError('person_erased') : keysTurned()
    },
    find: async (emergencyId) => (await noted(find, [emergencyId]))[0],
    lock: async (emergencyId) => (await sql.rows<EmergencyRow>(lock, [emergencyId]))[0],
    latest: async (clinicianId, patientId) => (await noted(latest, [clinicianId, patientId]))[0],
    going: async (clinicianId) => (await sql.rows<EmergencyRow>(going, [clinicianId]))[0],
    list: ({ status, concerning, patientId, now, limit, after }) =>
      noted(list, [
        ...[concerning ?? null, patientId ?? null, status, now],
        ...[after?.at ?? null, after?.id ?? null, limit],
      ]),
    lapsed: async (now, limit) =>
      (await sql.rows<{ emergencyId: string }>(lapsed, [now, limit])).map(
        ({ emergencyId }) => emergencyId,
      ),
    end: (emergencyId, by, at) => run(sql, end, [emergencyId, by, at]),
    review: (emergencyId, by, at, finding) => run(sql, review, [emergencyId, by, at, finding]),
    hasRecords: async (patientId) => (await sql.rows(hasRecords, [patientId])).length > 0,
    spend: async ({ emergencyId, maxRecords }, fileId, at) => {
      if ((await sql.rows(lockGoing, [emergencyId, at])).length === 0) return 'over'
      const [row] = await sql.rows<{ others: number }>(countOthers, [emergencyId, fileId])
      if ((row?.others ?? 0) >= maxRecords) return 'spent'
      await run(sql, addRead, [emergencyId, fileId])
      return 'open'
    },
  }
}

function toNoted(row: NotedColumns): NotedEmergency {
  const { termsId, termsSealed, termsKeyVersion, ...rest } = row
  const { reviewId, reviewSealed, reviewKeyVersion, ...emergency } = rest
  return {
    ...emergency,
    terms: noteOf(termsId, termsSealed, termsKeyVersion),
    review: noteOf(reviewId, reviewSealed, reviewKeyVersion),
  }
}

function noteOf(noteId: string | null, sealed: string | null, version: number | null) {
  const isThere = noteId !== null && sealed !== null && version !== null
  return isThere ? { noteId, sealed, userKeyVersion: version } : null
}
