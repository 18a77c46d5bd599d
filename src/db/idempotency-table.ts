import type { IdempotencyRow, IdempotencyState, IdempotencyStore } from '../idempotency/ports.js'
import type { Query, Sql } from './database.js'
import { run } from './run.js'

const claim: Query = {
  name: 'idempotency-claim',
  text: `insert into idempotency_keys as k (caller_id, route, key_hash, claim_id, lease_until)
    values ($1, $2, $3, $4, statement_timestamp() + $5 * interval '1 millisecond')
    on conflict (caller_id, route, key_hash) do update
      set claim_id = excluded.claim_id, lease_until = excluded.lease_until, fingerprint = null,
        resource_id = null, completed_at = null
      where (k.completed_at is null and k.lease_until <= statement_timestamp())
        or k.completed_at <= statement_timestamp() - interval '24 hours'
    returning k.caller_id`,
}
const find: Query = {
  name: 'idempotency-find',
  text: `select fingerprint, resource_id as "resourceId" from idempotency_keys
    where caller_id = $1 and route = $2 and key_hash = $3`,
}
/** Of the claim itself alone: one that was taken over is its successor's. */
const isOwnAndOpen =
  'caller_id = $1 and route = $2 and key_hash = $3 and claim_id = $4 and completed_at is null'
const renew: Query = {
  name: 'idempotency-renew',
  text: `update idempotency_keys
    set lease_until = statement_timestamp() + $5 * interval '1 millisecond' where ${isOwnAndOpen}`,
}
const complete: Query = {
  name: 'idempotency-complete',
  text: `update idempotency_keys set fingerprint = $5, resource_id = $6, completed_at = $7
    where ${isOwnAndOpen} returning caller_id`,
}
const abandon: Query = {
  name: 'idempotency-abandon',
  text: `delete from idempotency_keys where ${isOwnAndOpen}`,
}

interface Answer {
  readonly fingerprint: Buffer | null
  readonly resourceId: string | null
}

/** Leases begin and end by the database's clock: nodes may differ. */
export function idempotencyTable(sql: Sql): IdempotencyStore {
  return {
    begin: async (row, leaseMs) => {
      const claimed = await sql.rows(claim, [...claimOf(row), leaseMs])
      if (claimed.length > 0) return { kind: 'begun' }
      return toState((await sql.rows<Answer>(find, keyOf(row)))[0])
    },
    renew: (row, leaseMs) => run(sql, renew, [...claimOf(row), leaseMs]),
    complete: async (row, fingerprint, resourceId, at) => {
      const done = await sql.rows(complete, [...claimOf(row), fingerprint, resourceId, at])
      return done.length > 0
    },
    abandon: (row) => run(sql, abandon, claimOf(row)),
  }
}

function keyOf({ callerId, route, keyHash }: IdempotencyRow): [string, string, Buffer] {
  return [callerId, route, keyHash]
}

function claimOf(row: IdempotencyRow): [string, string, Buffer, string] {
  return [...keyOf(row), row.claimId]
}

/** A claim given back since is told as under way: the caller tries again. */
function toState(answer: Answer | undefined): IdempotencyState {
  const { fingerprint = null, resourceId = null } = answer ?? {}
  if (fingerprint === null || resourceId === null) return { kind: 'in_progress' }
  return { kind: 'done', fingerprint, resourceId }
}
