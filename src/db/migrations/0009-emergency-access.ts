import type { Migration } from './migration.js'

/**
 * Emergency access: who may read one patient's records without a grant, and until when. No key is wrapped
 * for it. Its terms are in a note sealed under the patient's key: a row alone opens nothing.
 */
export const emergencyAccess: Migration = {
  name: '0009-emergency-access',
  sql: `
create table emergencies (
  emergency_id uuid primary key,
  clinician_id text not null,
  patient_id text not null references principals,
  reason_code text not null,
  sensitive_types text[] not null,
  requested_at timestamptz not null,
  ends_at timestamptz not null,
  ended_at timestamptz,
  ended_by text,
  reviewed_at timestamptz,
  reviewed_by text,
  finding text check (finding in ('justified', 'unjustified')),
  check ((reviewed_at is null) = (finding is null)),
  check (reviewed_at is null or ended_at is not null)
);
create unique index emergencies_going on emergencies (clinician_id) where ended_at is null;
create index emergencies_ends on emergencies (ends_at) where ended_at is null;
create index emergencies_pair on emergencies (clinician_id, patient_id, requested_at desc);
create index emergencies_patient on emergencies (patient_id, requested_at desc);
create index emergencies_time on emergencies (requested_at desc, emergency_id desc);
create index emergencies_unreviewed on emergencies (requested_at desc, emergency_id desc)
  where reviewed_at is null;

create table emergency_notes (
  note_id uuid primary key,
  emergency_id uuid not null references emergencies,
  kind text not null check (kind in ('terms', 'review')),
  patient_id text not null references principals,
  sealed text not null,
  user_key_version integer not null,
  unique (emergency_id, kind)
);
create index emergency_notes_patient on emergency_notes (patient_id, note_id);
-- Not read by the planner: a sealed text says nothing about others.
alter table emergency_notes alter column sealed set statistics 0;

create table emergency_reads (
  emergency_id uuid not null references emergencies,
  file_id uuid not null references files,
  primary key (emergency_id, file_id)
);
`,
}
