import type { IdempotencyRow, IdempotencyState, IdempotencyStore } from '../idempotency/ports.js'
import type { Query, Sql } from './database.js'
import { run } from './run.js'

const claim: Query = {
  name: 'idempotency-claim',
  text: `insert into idempotency_keys as k (caller_id, route, key_hash, lease_until)
    values ($1, $2, $3, $4)
    on conflict (caller_id, route, key_hash) do update
      set lease_until = excluded.lease_until, fingerprint = null, resource_id = null,
        completed_at = null
      where (k.completed_at is null and k.lease_until <= statement_timestamp())
        or k.completed_at <= statement_timestamp() - interval '24 hours'
    returning k.caller_id`,
}
const renew: Query = {
  name: 'idempotency-renew',
  text: `update idempotency_keys set lease_until = $4
    where caller_id = $1 and route = $2 and key_hash = $3 and completed_at is null`,
}
const find: Query = {
  name: 'idempotency-find',
  text: `select fingerprint, resource_id as "resourceId" from idempotency_keys
    where caller_id = $1 and route = $2 and key_hash = $3`,
}
/** The first answer stands, should a claim have been taken over while its holder still worked. */
const complete: Query = {
  name: 'idempotency-complete',
  text: `insert into idempotency_keys as k
      (caller_id, route, key_hash, lease_until, fingerprint, resource_id, completed_at)
    values ($1, $2, $3, $6, $4, $5, $6)
    on conflict (caller_id, route, key_hash) do update
      set fingerprint = excluded.fingerprint, resource_id = excluded.resource_id,
        completed_at = excluded.completed_at
      where k.completed_at is null`,
}
const abandon: Query = {
  name: 'idempotency-abandon',
  text: `delete from idempotency_keys
    where caller_id = $1 and route = $2 and key_hash = $3 and completed_at is null`,
}

interface Answer {
  readonly fingerprint: Buffer | null
  readonly resourceId: string | null
}

/** Leases are measured by the database's clock. */
export function idempotencyTable(sql: Sql): IdempotencyStore {
  return {
    begin: async (row, leaseUntil) => {
      const claimed = await sql.rows(claim, [...keyOf(row), leaseUntil])
      if (claimed.length > 0) return { kind: 'begun' }
      return toState((await sql.rows<Answer>(find, keyOf(row)))[0])
    },
    renew: (row, leaseUntil) => run(sql, renew, [...keyOf(row), leaseUntil]),
    complete: (row, fingerprint, resourceId, at) =>
      run(sql, complete, [...keyOf(row), fingerprint, resourceId, at]),
    abandon: (row) => run(sql, abandon, keyOf(row)),
  }
}

function keyOf({ callerId, route, keyHash }: IdempotencyRow): [string, string, Buffer] {
  return [callerId, route, keyHash]
}

/** A claim given back since is told as under way: the caller tries again. */
function toState(answer: Answer | undefined): IdempotencyState {
  const { fingerprint = null, resourceId = null } = answer ?? {}
  if (fingerprint === null || resourceId === null) return { kind: 'in_progress' }
  return { kind: 'done', fingerprint, resourceId }
}
