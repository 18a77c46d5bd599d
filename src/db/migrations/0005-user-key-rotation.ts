import type { Migration } from './migration.js'

/** Versions of user keys that were superseded, the grants they concern, and master keys given up. */
export const userKeyRotation: Migration = {
  name: '0005-user-key-rotation',
  sql: `
alter table user_keys add column superseded_at timestamptz;
create index user_keys_superseded on user_keys (superseded_at) where superseded_at is not null;
create index grants_holder on grants (user_id, grant_id) where revoked_at is null;
create index grants_purpose on grants (file_id) where purpose is not null;
-- Its check value is never written again: a node that still has it in its settings brings it not back.
create table retired_master_keys (
  master_key_id text primary key,
  retired_at timestamptz not null
);
`,
}
