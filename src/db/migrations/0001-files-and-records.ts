import type { Migration } from './migration.js'

/** Everything of step 1: people and keys, files and versions, grants, records, assignments, audit. */
export const filesAndRecords: Migration = {
  name: '0001-files-and-records',
  sql: `
create table principals (
  principal_id text primary key,
  kind text not null default 'person' check (kind in ('person', 'space')),
  created_at timestamptz not null default now()
);
create table user_keys (
  user_id text not null references principals,
  version integer not null,
  wrapped text not null,
  active boolean not null default true,
  created_at timestamptz not null default now(),
  primary key (user_id, version)
);
create unique index user_keys_active on user_keys (user_id) where active;
create table deployment_keys (
  key_use text not null check (key_use in ('index-key', 'check')),
  master_key_id text not null,
  wrapped text not null,
  primary key (key_use, master_key_id)
);
create unique index deployment_keys_index_key on deployment_keys (key_use) where key_use = 'index-key';

create table record_types (
  type_id text primary key,
  name text not null,
  allowed_types text[] not null default '{}',
  max_bytes bigint,
  retention_days integer,
  sensitive boolean not null default false
);
insert into record_types (type_id, name, sensitive) values
  ('laboratory-report', 'Laboratory report', false),
  ('radiology-image', 'Radiology image', false),
  ('radiology-report', 'Radiology report', false),
  ('discharge-letter', 'Discharge letter', false),
  ('referral-letter', 'Referral letter', false),
  ('prescription', 'Prescription', false),
  ('operation-note', 'Operation note', false),
  ('pathology-report', 'Pathology report', false),
  ('vaccination-record', 'Vaccination record', false),
  ('consent-form', 'Consent form', false),
  ('progress-note', 'Progress note', false),
  ('psychotherapy-note', 'Psychotherapy note', true),
  ('genetic-report', 'Genetic report', true);

create table files (
  file_id uuid primary key,
  kind text not null check (kind in ('general', 'record')),
  owner_id text not null references principals,
  uploader_id text not null,
  record_id uuid unique,
  record_type_id text references record_types,
  version integer not null,
  fingerprint bytea,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  deleted_at timestamptz,
  deleted_by text,
  purge_after timestamptz,
  purged_at timestamptz,
  check ((kind = 'record') = (record_id is not null and record_type_id is not null))
);
-- Records are not unique: who cannot open the one there is must not learn of it.
create unique index files_live_fingerprint on files (owner_id, fingerprint)
  where kind = 'general' and deleted_at is null;
create index files_record_fingerprint on files (owner_id, fingerprint)
  where kind = 'record' and deleted_at is null;
create index files_owner on files (owner_id, kind, created_at desc, file_id desc);
create index files_record_type on files (record_type_id) where record_type_id is not null;
create index files_purge on files (purge_after) where purge_after is not null and purged_at is null;

create table file_versions (
  file_id uuid not null references files,
  version integer not null,
  sealed_id uuid not null unique,
  sealed_length bigint not null,
  segment_size_log2 smallint not null,
  content_type text not null,
  size bigint not null,
  metadata bytea not null,
  created_by text not null,
  created_at timestamptz not null,
  primary key (file_id, version)
);
create table grants (
  grant_id uuid primary key,
  file_id uuid not null references files,
  user_id text not null references principals,
  basis text not null check (basis in ('own', 'assignment', 'explicit')),
  can_download boolean not null,
  can_share boolean not null,
  expires_at timestamptz,
  purpose text,
  purpose_key_version integer,
  granted_by text not null,
  granted_at timestamptz not null,
  revoked_at timestamptz,
  revoked_by text
);
create unique index grants_standing on grants (file_id, user_id, basis) where revoked_at is null;
create index grants_user on grants (user_id, file_id) where revoked_at is null;
create table wrapped_file_keys (
  grant_id uuid not null references grants,
  sealed_id uuid not null references file_versions (sealed_id) on delete cascade,
  user_key_version integer not null,
  wrapped text not null,
  primary key (grant_id, sealed_id)
);
create index wrapped_file_keys_sealed on wrapped_file_keys (sealed_id);
create table upload_intents (
  sealed_id uuid primary key,
  created_at timestamptz not null
);

create table assignments (
  assignment_id uuid primary key,
  clinician_id text not null,
  patient_id text not null,
  starts_at timestamptz not null,
  ends_at timestamptz,
  created_by text not null,
  created_at timestamptz not null default now()
);
create index assignments_pair on assignments (clinician_id, patient_id);
create index assignments_patient on assignments (patient_id);

create table idempotency_keys (
  caller_id text not null,
  route text not null,
  key_hash bytea not null,
  claim_id uuid not null,
  lease_until timestamptz not null,
  fingerprint bytea,
  resource_id text,
  completed_at timestamptz,
  primary key (caller_id, route, key_hash)
);

create table audit_events (
  seq bigint generated always as identity primary key,
  event_id uuid not null unique,
  at timestamptz not null,
  actor_id text not null,
  on_behalf_of text,
  roles text[] not null,
  action text not null,
  outcome text not null check (outcome in ('success', 'denied', 'failed')),
  reason text,
  file_id uuid,
  subject_id text,
  patient_id text,
  grant_id uuid,
  version integer,
  bytes bigint,
  ip text not null,
  user_agent text not null,
  request_id text not null,
  read_session uuid
);
create index audit_events_file on audit_events (file_id, at desc, event_id desc);
create index audit_events_patient on audit_events (patient_id, at desc, event_id desc);

create table jobs (
  job_id uuid primary key,
  kind text not null,
  payload jsonb not null,
  run_after timestamptz not null,
  attempts integer not null default 0,
  lease_until timestamptz,
  failed_reason text
);
create index jobs_due on jobs (run_after);
`,
}
