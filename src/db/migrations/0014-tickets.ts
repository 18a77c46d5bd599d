import type { Migration } from './migration.js'

/**
 * Tickets: URLs that stand for one person, file and action for a while. What proves a ticket is a signature
 * under a key of the deployment, so who has only the rows has no URL. Rows are removed when they are of no more
 * use; what was done by them is in the audit log.
 */
export const tickets: Migration = {
  name: '0014-tickets',
  sql: `
create table tickets (
  ticket_id uuid primary key,
  user_id text not null,
  service text,
  roles text[] not null,
  action text not null check (action in ('view', 'download', 'upload')),
  file_id uuid not null,
  -- The file it is for; of an upload the one its bytes become.
  kind text not null check (kind in ('general', 'record', 'document')),
  created_at timestamptz not null,
  -- Until when it can be opened for the first time.
  opens_until timestamptz not null,
  -- Until when it serves whoever opened it, at most; sooner once it was opened.
  serves_until timestamptz not null,
  -- The login it was asked for with, where that can end early: an account of ours.
  login_subject text,
  login_token_id uuid,
  login_epoch integer,
  -- Who opened it: keyed hashes.
  opened_at timestamptz,
  client_hash bytea,
  cookie_hash bytea,
  ended_at timestamptz
);
create index tickets_end on tickets (serves_until);
`,
}
