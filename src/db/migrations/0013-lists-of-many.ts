import type { Migration } from './migration.js'

/**
 * Lists whose cost does not grow with what they leave out: a page of records is read from the grants of
 * its reader, in its order, and so grants know when their file was made and which type of record it is.
 * Neither ever changes. A trigger fills them, so that a node of the version before leaves none out.
 * And the writers of the audit log can be asked whether they have sealed what they wrote.
 */
export const listsOfMany: Migration = {
  name: '0013-lists-of-many',
  sql: `
alter table grants add column file_created_at timestamptz, add column record_type_id text;
update grants g set file_created_at = f.created_at, record_type_id = f.record_type_id
  from files f where f.file_id = g.file_id;
create function grants_know_their_file() returns trigger language plpgsql as $$
begin
  select f.created_at, f.record_type_id into new.file_created_at, new.record_type_id
    from files f where f.file_id = new.file_id;
  return new;
end $$;
create trigger grants_know_their_file before insert on grants
  for each row execute function grants_know_their_file();
create index grants_records on grants (user_id, file_created_at desc, file_id desc)
  where revoked_at is null and record_type_id is not null;
create index grants_records_of_type
  on grants (user_id, record_type_id, file_created_at desc, file_id desc)
  where revoked_at is null and record_type_id is not null;

-- Revoked ones too: what a patient took back from a clinician is not given again.
create index grants_file_user on grants (file_id, user_id);

create index files_live on files (owner_id, created_at desc, file_id desc)
  where kind = 'general' and deleted_at is null and purged_at is null;
create index files_deleted on files (owner_id, created_at desc, file_id desc)
  where kind = 'general' and deleted_at is not null and purged_at is null;

create index assignments_start on assignments (starts_at desc, assignment_id desc);
create index assignments_clinician_start
  on assignments (clinician_id, starts_at desc, assignment_id desc);
create index assignments_patient_start
  on assignments (patient_id, starts_at desc, assignment_id desc);
drop index assignments_patient;

-- Whoever verifies the log asks, and each writer answers once what it wrote before is sealed.
-- asked_at is of the first question that has no answer.
alter table audit_writers add column asked integer not null default 0,
  add column answered integer not null default 0, add column asked_at timestamptz;
`,
}
