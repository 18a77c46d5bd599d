import type { Migration } from './migration.js'

/**
 * Objects in buckets: files that are found by a key. A key is a name, and no name is in a row: an object is found by a
 * keyed hash of bucket and key, and what is in a folder by that of bucket and folder. The key itself is in the sealed
 * metadata of the file, a folder's path in a note under the bucket's key.
 */
export const buckets: Migration = {
  name: '0017-buckets',
  sql: `
-- Which kinds there are is said by the code: each is part of what is sealed.
alter table sealed_notes drop constraint if exists sealed_notes_kind_check;
alter table sealed_notes add constraint sealed_notes_kind_check check (kind ~ '^[a-z_]{1,32}$');
alter table tickets drop constraint tickets_kind_check;
alter table tickets add constraint tickets_kind_check
  check (kind in ('general', 'record', 'document', 'object'));

create table bucket_objects (
  file_id uuid primary key references files,
  bucket text not null,
  key_hash bytea not null unique,
  folder_hash bytea not null,
  created_at timestamptz not null
);
create index bucket_objects_folder on bucket_objects (folder_hash, created_at, file_id);

-- The bucket itself is a folder without a row.
create table bucket_folders (
  folder_hash bytea primary key,
  folder_id uuid not null unique,
  bucket text not null,
  parent_hash bytea not null,
  note_id uuid not null references sealed_notes on delete cascade,
  created_at timestamptz not null,
  -- Something went from it: it is to be seen whether anything is left.
  emptied_at timestamptz
);
create index bucket_folders_parent on bucket_folders (parent_hash, created_at, folder_id);
create index bucket_folders_note on bucket_folders (note_id);
create index bucket_folders_emptied on bucket_folders (emptied_at) where emptied_at is not null;

-- Places for objects whose bytes are still to come.
create table bucket_uploads (
  -- Drawn when it is asked for: the file it becomes has it.
  file_id uuid primary key,
  bucket text not null,
  uploader_id text not null references principals,
  -- What was said of it beforehand, its key first, sealed under the uploader's key.
  note_id uuid references sealed_notes on delete set null,
  created_at timestamptz not null,
  -- Until when bytes are taken.
  expires_at timestamptz not null
);
create index bucket_uploads_expiry on bucket_uploads (expires_at);
create index bucket_uploads_note on bucket_uploads (note_id) where note_id is not null;
`,
}
