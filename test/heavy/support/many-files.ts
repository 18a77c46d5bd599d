import type { Database } from '../../../src/db/database.js'

// A deployment's files made by SQL alone, in a fixed disorder; nothing of them can be opened. Of each twenty
// files ten are general ones and ten are records. One owner has a tenth of all files, one clinician is given
// a tenth of all of them: as many more as there are more files. Everybody else has about as much as before.

/** General files of one owner, records of one patient, patients of one clinician; about. */
const EACH = 100

/** The owner of a tenth of all files. */
export const BIG_OWNER = 'owner-big'
/** The clinician to whom a tenth of all files is open: records of many patients. */
export const BIG_CLINICIAN = 'clinician-big'
export const OWNER = 'owner-3'
export const PATIENT = 'patient-3'
export const CLINICIAN = 'clinician-3'

export const fileIdOf = (n: number) => `md5('file' || ${n})::uuid`

/** Files `from` to `to`, and what belongs to them. */
function fill(from: number, to: number): string {
  const files = `generate_series(${from}::bigint, ${to}) n`
  return `
  set session_replication_role = replica;
  set synchronous_commit = off;
  insert into principals (principal_id)
    select '${BIG_OWNER}' union all select '${BIG_CLINICIAN}'
    union all select kind || '-' || g from generate_series(${Math.floor(from / EACH)}, ${Math.floor(to / EACH)}) g,
      (values ('owner'), ('patient'), ('clinician')) k(kind)
    on conflict do nothing;
  insert into files (file_id, kind, owner_id, uploader_id, record_id, record_type_id, version, fingerprint,
      created_at, updated_at, deleted_at, deleted_by, purge_after)
    select md5('file' || n)::uuid,
      case when n % 2 = 0 then 'general' else 'record' end,
      case when n % 10 = 0 then '${BIG_OWNER}' when n % 2 = 0 then 'owner-' || n / ${EACH}
        else 'patient-' || n / ${EACH} end,
      'uploader',
      case when n % 2 = 1 then md5('record' || n)::uuid end,
      case when n % 2 = 1 then (array['laboratory-report', 'radiology-report', 'discharge-letter',
        'prescription', 'progress-note'])[1 + n / 7 % 5] end,
      1 + (n % 10 = 4)::integer, decode(md5('print' || n), 'hex'),
      timestamptz '2026-01-01' + (n * 7919 % 1000003) * interval '30 seconds',
      timestamptz '2026-01-01' + (n * 7919 % 1000003) * interval '30 seconds',
      case when n % 50 = 20 then timestamptz '2026-06-01' end, case when n % 50 = 20 then 'somebody' end,
      case when n % 50 = 20 then timestamptz '2026-07-01' + n * interval '1 second' end
    from ${files};
  insert into file_versions (file_id, version, sealed_id, sealed_length, segment_size_log2, content_type, size,
      metadata, created_by, created_at)
    select md5('file' || n)::uuid, v, md5('sealed' || n || '-' || v)::uuid, 2000, 18, 'application/pdf', 1000,
      decode(repeat(md5('metadata' || n), 10), 'hex'), 'uploader', timestamptz '2026-01-01'
    from ${files}, generate_series(1, 1 + (n % 10 = 4)::integer) v;
  insert into grants (grant_id, file_id, user_id, basis, can_download, can_share, granted_by, granted_at,
      file_created_at, record_type_id)
    select g.*, f.created_at, f.record_type_id from (
    select md5('own' || file_id)::uuid grant_id, file_id, owner_id, 'own', true, true, 'somebody', created_at
      from files f join ${files} on f.file_id = md5('file' || n)::uuid
    union all select md5('team' || n)::uuid, md5('file' || n)::uuid, 'clinician-' || n / ${EACH}, 'assignment',
      true, false, 'somebody', timestamptz '2026-01-01' from ${files} where n % 10 in (1, 3)
    union all select md5('big' || n)::uuid, md5('file' || n)::uuid, '${BIG_CLINICIAN}', 'assignment',
      true, false, 'somebody', timestamptz '2026-01-01' from ${files} where n % 10 = 1
    ) g join files f on f.file_id = g.file_id;
  insert into wrapped_file_keys (grant_id, sealed_id, user_key_version, wrapped)
    select g.grant_id, v.sealed_id, 1, repeat('k', 100)
    from ${files} join grants g on g.file_id = md5('file' || n)::uuid
      join file_versions v on v.file_id = g.file_id;
  insert into assignments (assignment_id, clinician_id, patient_id, starts_at, created_by)
    select md5('assignment' || n)::uuid,
      case when n % 10 = 1 then '${BIG_CLINICIAN}' else 'clinician-' || n / ${EACH} end,
      'patient-' || n / ${EACH}, timestamptz '2026-01-01' + n * interval '1 second', 'somebody'
    from ${files} where n % 5 = 1;
  insert into idempotency_keys (caller_id, route, key_hash, claim_id, lease_until, fingerprint, resource_id,
      completed_at)
    select 'owner-' || n / ${EACH}, 'upload', decode(md5('key' || n), 'hex'), md5('claim' || n)::uuid, now(),
      decode(md5('print' || n), 'hex'), n::text, now()
    from ${files} where n % 2 = 0;
  insert into jobs (job_id, kind, payload, run_after)
    select md5('job' || n)::uuid, 'destroy-bytes', '{}', now() + (n % 3 - 1) * interval '1 day'
    from ${files} where n % 20 = 0;
  insert into upload_intents (sealed_id, created_at)
    select md5('intent' || n)::uuid, now() from ${files} where n % 1000 = 0;
  set session_replication_role = origin;`
}

/** Makes files until there are so many. */
export async function makeFiles(database: Database, from: number, to: number): Promise<void> {
  await database.script(fill(from, to))
  await database.script('analyze')
  for (const table of ['files', 'file_versions', 'grants', 'wrapped_file_keys', 'assignments']) {
    await database.script(`vacuum ${table}`)
  }
}
