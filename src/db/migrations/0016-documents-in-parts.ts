import type { Migration } from './migration.js'

/**
 * Documents that come in parts. Each part is a file of its own that waits, sealed under its own key, until the
 * whole is sealed from all of them; a row here says which part of what it is.
 */
export const documentsInParts: Migration = {
  name: '0016-documents-in-parts',
  sql: `
alter table documents add column in_parts boolean not null default false;
alter table tickets add column part_number integer check (part_number > 0);

create table document_parts (
  document_id uuid not null references documents,
  part_number integer not null check (part_number > 0),
  file_id uuid not null unique references files,
  size bigint not null,
  created_at timestamptz not null,
  primary key (document_id, part_number)
);
create index documents_left_over on documents (updated_at) where in_parts and state = 'failed';
`,
}
