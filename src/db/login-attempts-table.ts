import type { LoginAttemptStore } from '../people/account-ports.js'
import type { Query, Sql } from './database.js'
import { run, touches } from './run.js'

/** In the order of the keys, so that two that share some do not wait for each other. */
const count: Query = {
  name: 'login-attempts-count',
  text: `insert into login_attempts as t (attempt_key, failures, since)
    select k, 1, $3 from unnest($1::text[]) k order by k
    on conflict (attempt_key) do update set
      failures = case when t.since < $2 then 1 else t.failures + 1 end,
      since = case when t.since < $2 then $3 else t.since end
    returning attempt_key as key, failures, since`,
}
const isKnown: Query = {
  name: 'login-attempts-is-known',
  text: 'select 1 from login_networks where network_key = $1',
}
const forget: Query = {
  name: 'login-attempts-forget',
  text: 'delete from login_attempts where attempt_key = any ($1::text[])',
}
const lessen: Query = {
  name: 'login-attempts-lessen',
  text: `update login_attempts set failures = greatest(failures - 1, 0)
    where attempt_key = any ($1::text[])`,
}
const remember: Query = {
  name: 'login-attempts-remember',
  text: `insert into login_networks (network_key, seen_at) values ($1, $2)
    on conflict (network_key) do update set seen_at = excluded.seen_at`,
}
const tidy: readonly Query[] = [
  {
    name: 'login-attempts-tidy',
    text: `delete from login_attempts where since < $1::timestamptz - interval '1 day'`,
  },
  {
    name: 'login-attempts-tidy-tokens',
    text: `delete from ended_tokens where expires_at < $1::timestamptz - interval '1 hour'`,
  },
  {
    name: 'login-attempts-tidy-networks',
    text: `delete from login_networks where seen_at < $1::timestamptz - interval '180 days'`,
  },
]

export function loginAttemptsTable(sql: Sql): LoginAttemptStore {
  return {
    count: (keys, { from, at }) => sql.rows(count, [[...keys], from, at]),
    isKnown: async (networkKey) => await touches(sql, isKnown, [networkKey]),
    pardon: async ({ forgotten, lessened }) => {
      await run(sql, forget, [[...forgotten]])
      await run(sql, lessen, [[...lessened]])
    },
    remember: async (networkKey, at) => {
      await run(sql, remember, [networkKey, at])
    },
    tidy: async (now) => {
      for (const each of tidy) await run(sql, each, [now])
    },
  }
}
