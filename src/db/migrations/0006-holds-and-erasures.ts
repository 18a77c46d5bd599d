import type { Migration } from './migration.js'

/**
 * Legal holds, erasures, and the key that signs for the deployment. Key texts and what is sealed are
 * kept out of the planner's statistics, which would hold copies of them: changing a column to its own
 * type drops those that are there.
 */
export const holdsAndErasures: Migration = {
  name: '0006-holds-and-erasures',
  sql: `
alter table principals add column shredded_at timestamptz;

create table legal_holds (
  hold_id uuid primary key,
  file_id uuid references files,
  person_id text references principals,
  reference text not null,
  placed_by text not null,
  placed_at timestamptz not null,
  released_by text,
  released_at timestamptz,
  check ((file_id is null) <> (person_id is null)),
  check ((released_by is null) = (released_at is null))
);
create index legal_holds_file on legal_holds (file_id) where released_at is null;
create index legal_holds_person on legal_holds (person_id) where released_at is null;

create table erasures (
  erasure_id uuid primary key,
  kind text not null check (kind in ('file', 'version', 'person')),
  file_id uuid,
  version integer,
  person_id text,
  requested_by text not null,
  requested_at timestamptz not null,
  master_key_ids text[] not null,
  user_keys bigint not null,
  file_keys bigint not null,
  files bigint not null,
  versions bigint not null,
  records_kept bigint not null,
  old_copies text check (old_copies in ('removed', 'left')),
  finished_at timestamptz,
  backups_expire_at timestamptz,
  check ((finished_at is null) = (old_copies is null)),
  check ((finished_at is null) = (backups_expire_at is null))
);
create table erasure_blobs (
  sealed_id uuid primary key,
  erasure_id uuid not null references erasures
);
create index erasure_blobs_erasure on erasure_blobs (erasure_id);

alter table deployment_keys drop constraint deployment_keys_key_use_check;
alter table deployment_keys add constraint deployment_keys_key_use_check
  check (key_use in ('index-key', 'check', 'signing-key'));
create unique index deployment_keys_signing_key on deployment_keys (key_use)
  where key_use = 'signing-key';
create table signing_keys (
  key_id text primary key,
  public_key text not null,
  made_at timestamptz not null default now()
);

alter table user_keys alter column wrapped type text, alter column wrapped set statistics 0;
alter table wrapped_file_keys alter column wrapped type text, alter column wrapped set statistics 0;
alter table deployment_keys alter column wrapped type text, alter column wrapped set statistics 0;
alter table grants alter column purpose type text, alter column purpose set statistics 0;
alter table file_versions alter column metadata type bytea, alter column metadata set statistics 0;
`,
}
