import type { Migration } from './migration.js'

/**
 * What is still to be told elsewhere: a row for each event and destination, in the event's own commit,
 * gone when it is delivered. It names the event, which stays in the log; nothing of it is copied.
 */
export const outbox: Migration = {
  name: '0008-outbox',
  sql: `
create table outbox (
  id bigint generated always as identity primary key,
  destination text not null check (destination in ('webhook', 'sink')),
  resource text not null,
  event_type text not null,
  event_id uuid not null,
  event_at timestamptz not null,
  created_at timestamptz not null default now(),
  attempts integer not null default 0,
  not_before timestamptz,
  dead_at timestamptz,
  last_reason text
);
create index outbox_waiting on outbox (destination, id) where dead_at is null;
create index outbox_failing on outbox (destination, resource, id)
  where dead_at is null and attempts > 0;
create index outbox_dead on outbox (id) where dead_at is not null;
`,
}
