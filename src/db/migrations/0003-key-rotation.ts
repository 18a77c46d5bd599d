import type { Migration } from './migration.js'

/** Which master key wraps a user key (null: not looked at yet), and which keys each node runs with. */
export const keyRotation: Migration = {
  name: '0003-key-rotation',
  sql: `
alter table user_keys add column master_key_id text;
create index user_keys_master_key on user_keys (master_key_id);
create table key_nodes (
  node_id uuid primary key,
  master_key_ids text[] not null,
  seen_at timestamptz not null
);
`,
}
