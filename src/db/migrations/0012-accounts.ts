import type { Migration } from './migration.js'

/**
 * Accounts of those who have no identity provider, and what they may do in buckets. What an account says of a
 * person (e-mail, name, roles, password hash, second factor) is in a note sealed under their own key: a row
 * alone lets nobody in, and a copy of the database has no hash to guess at.
 */
export const accounts: Migration = {
  name: '0012-accounts',
  sql: `
create table sealed_notes (
  note_id uuid primary key,
  kind text not null check (kind in ('account', 'permission', 'document')),
  user_id text not null references principals,
  sealed text not null,
  user_key_version integer not null
);
create index sealed_notes_user on sealed_notes (user_id, note_id);
-- Not read by the planner: a sealed text says nothing about others.
alter table sealed_notes alter column sealed set statistics 0;

create table accounts (
  user_id text primary key references principals,
  account_id uuid generated always as (right(user_id, 36)::uuid) stored,
  email_hash bytea not null unique,
  note_id uuid not null references sealed_notes,
  -- Tokens of an earlier one have ended.
  token_epoch integer not null default 1,
  -- Time step of the last code that was used (RFC 6238): each is good once.
  totp_step bigint,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  last_login_at timestamptz
);
create index accounts_time on accounts (created_at desc, account_id desc);
create index accounts_note on accounts (note_id);

create table ended_tokens (
  token_id uuid primary key,
  expires_at timestamptz not null
);
create index ended_tokens_expiry on ended_tokens (expires_at);

create table login_attempts (
  attempt_key text primary key,
  failures integer not null,
  since timestamptz not null
);
create index login_attempts_since on login_attempts (since);
-- Where an account was logged in to before, by keyed hashes of both.
create table login_networks (
  network_key text primary key,
  seen_at timestamptz not null
);

create table permissions (
  permission_id uuid primary key,
  user_id text not null references principals,
  bucket text not null,
  prefix_hash bytea not null,
  note_id uuid not null references sealed_notes,
  can_read boolean not null,
  can_write boolean not null,
  can_delete boolean not null,
  can_list boolean not null,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  unique (user_id, bucket, prefix_hash)
);
create index permissions_time on permissions (created_at desc, permission_id desc);
create index permissions_note on permissions (note_id);
`,
}
