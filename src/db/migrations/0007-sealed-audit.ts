import type { Migration } from './migration.js'

/**
 * The audit log by months, each event under the number its writer gave it, and the seals over them.
 * Events from before this are numbered as no writer's (the nil UUID). Nobody changes or removes an event:
 * triggers refuse it to everyone but the owner of the tables, who has to drop them first.
 */
export const sealedAudit: Migration = {
  name: '0007-sealed-audit',
  sql: `
alter table audit_events rename to audit_events_before;
alter table audit_events_before rename constraint audit_events_pkey to audit_events_before_pkey;
drop index audit_events_file;
drop index audit_events_patient;

create sequence audit_unsigned_number;
create table audit_events (
  event_id uuid not null,
  at timestamptz not null,
  actor_id text not null,
  on_behalf_of text,
  roles text[] not null,
  action text not null,
  outcome text not null check (outcome in ('success', 'denied', 'failed')),
  reason text,
  file_id uuid,
  subject_id text,
  patient_id text,
  grant_id uuid,
  version integer,
  bytes bigint,
  ip text not null,
  user_agent text not null,
  request_id text not null,
  read_session uuid,
  emergency_id uuid,
  writer_id uuid not null default '00000000-0000-0000-0000-000000000000',
  writer_number bigint not null default nextval('audit_unsigned_number'),
  settled bigint not null default 0,
  mac bytea not null default ''
) partition by range (at);
create index audit_events_at on audit_events (at desc, event_id desc);
create index audit_events_file on audit_events (file_id, at desc, event_id desc)
  where file_id is not null;
create index audit_events_patient on audit_events (patient_id, at desc, event_id desc)
  where patient_id is not null;
create index audit_events_actor on audit_events (actor_id, at desc, event_id desc);
create index audit_events_action on audit_events (action, at desc, event_id desc);
create index audit_events_writer on audit_events (writer_id, writer_number);

create function audit_is_append_only() returns trigger language plpgsql as $$
begin
  raise exception 'The audit log is append-only' using errcode = 'insufficient_privilege';
end $$;
create trigger audit_events_kept before update or delete on audit_events
  for each row execute function audit_is_append_only();
create trigger audit_events_kept_whole before truncate on audit_events
  for each statement execute function audit_is_append_only();

-- Months are made ahead of time; what a leaping clock puts elsewhere goes into the last one.
create table audit_events_other partition of audit_events default;
create trigger audit_events_kept_whole before truncate on audit_events_other
  for each statement execute function audit_is_append_only();
create function audit_make_month(month date) returns boolean
  language plpgsql security definer set search_path = public, pg_temp as $$
declare
  first date := date_trunc('month', month)::date;
  next date := (date_trunc('month', month) + interval '1 month')::date;
  name text := 'audit_events_' || to_char(first, 'YYYY_MM');
begin
  if to_regclass(name) is not null then return false; end if;
  execute format(
    'create table %I partition of audit_events for values from (%L) to (%L)',
    name, first::text || ' 00:00:00+00', next::text || ' 00:00:00+00');
  execute format(
    'create trigger audit_events_kept_whole before truncate on %I
      for each statement execute function audit_is_append_only()', name);
  return true;
exception
  -- A leaping clock was there before: what it dated so, and what follows, stays where that is.
  when check_violation then return false;
end $$;

create table audit_seals (
  seal_number bigint primary key,
  previous bytea not null,
  writer_id uuid not null,
  first_number bigint not null,
  included text not null,
  unused text not null,
  missing text not null,
  events bigint not null,
  total bigint not null,
  root bytea not null,
  first_at timestamptz not null,
  last_at timestamptz not null,
  sealed_at timestamptz not null,
  is_adopted boolean not null,
  code bytea not null
);
create index audit_seals_writer on audit_seals (writer_id, first_number, seal_number);
create trigger audit_seals_kept before update or delete on audit_seals
  for each row execute function audit_is_append_only();
create trigger audit_seals_kept_whole before truncate on audit_seals
  for each statement execute function audit_is_append_only();
-- Who writes, and up to where that is sealed: for whoever seals what a dead process left.
create table audit_writers (
  writer_id uuid primary key,
  started_at timestamptz not null,
  seen_at timestamptz not null,
  ended_at timestamptz,
  sealed_to bigint not null default 0,
  sealed_beyond text not null default ''
);
create index audit_writers_going on audit_writers (seen_at) where ended_at is null;
-- Sums for statistics, written with each seal.
create table audit_days (
  day date not null,
  actor_id text not null,
  action text not null,
  outcome text not null,
  events bigint not null,
  primary key (day, actor_id, action, outcome)
);
create index audit_days_actor on audit_days (actor_id, day);

select audit_make_month(month::date) from generate_series(
  (select date_trunc('month', coalesce(min(at), now())) from audit_events_before),
  date_trunc('month', now()) + interval '2 months', interval '1 month') month;
insert into audit_events (event_id, at, actor_id, on_behalf_of, roles, action, outcome, reason,
    file_id, subject_id, patient_id, grant_id, version, bytes, ip, user_agent, request_id,
    read_session, writer_number)
  select event_id, at, actor_id, on_behalf_of, roles, action, outcome, reason, file_id, subject_id,
    patient_id, grant_id, version, bytes, ip, user_agent, request_id, read_session, seq
  from audit_events_before order by seq;
select setval('audit_unsigned_number', max(seq)) from audit_events_before having max(seq) is not null;
drop table audit_events_before;
`,
}
