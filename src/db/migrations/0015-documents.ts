import type { Migration } from './migration.js'

/**
 * Documents: files that are asked for first and come later, by a URL of their own. A row stands for what was asked
 * for; the file itself, a medical record or a document of a person and a space, is a row of `files` once its bytes
 * are there. Until they are confirmed that one awaits, and nobody but who confirms finds it.
 */
export const documents: Migration = {
  name: '0015-documents',
  sql: `
alter table files drop constraint files_kind_check;
alter table files add constraint files_kind_check check (kind in ('general', 'record', 'document'));
alter table files add column awaits_until timestamptz;
create index files_awaiting on files (awaits_until)
  where awaits_until is not null and deleted_at is null;

insert into record_types (type_id, name, sensitive)
  values ('clinical-document', 'Clinical document', false) on conflict (type_id) do nothing;

create table documents (
  -- Drawn when it is asked for: the file it becomes has it.
  file_id uuid primary key,
  family text not null check (family in ('docs', 'presign')),
  kind text not null check (kind in ('record', 'document')),
  -- Opaque: says nothing of a person or a name.
  key text not null unique,
  owner_id text not null references principals,
  uploader_id text not null references principals,
  space_id text references principals,
  record_type_id text references record_types,
  clinic_hash bytea,
  state text not null check (state in ('Awaiting', 'uploading', 'Completed', 'failed')),
  -- What was said of it beforehand, sealed under the owner's key.
  note_id uuid references sealed_notes on delete set null,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  -- Until when bytes are taken.
  expires_at timestamptz not null,
  check ((kind = 'record') = (record_type_id is not null)),
  check ((kind = 'document') = (space_id is not null))
);
create index documents_owner on documents (owner_id, created_at desc, file_id desc);
create index documents_clinic on documents (owner_id, clinic_hash, created_at desc, file_id desc)
  where clinic_hash is not null;
create index documents_open on documents (expires_at) where state = 'Awaiting';
create index documents_note on documents (note_id) where note_id is not null;
`,
}
