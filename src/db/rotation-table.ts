import type { KeyNode, RotationStore, WrappedUserKey } from '../rotation/ports.js'
import type { Query, Sql } from './database.js'
import { run } from './run.js'

/** Nothing is wrapped any more with a master key that was retired meanwhile (`lockMasterKeys`). */
const hasCheck = (masterKeyId: string): string => `exists (
    select from deployment_keys c where c.key_use = 'check' and c.master_key_id = ${masterKeyId})`

const columns = 'user_id as "userId", version, wrapped, master_key_id as "masterKeyId"'
const after: Query = {
  name: 'rotation-user-keys-after',
  text: `select ${columns} from user_keys where (user_id, version) > ($1::text, $2::integer)
    order by user_id, version limit $3`,
}
const counts: Query = {
  name: 'rotation-user-keys-count',
  text: `select master_key_id as "masterKeyId", count(*)::integer as keys from user_keys
    group by master_key_id order by master_key_id`,
}
const rewrap: Query = {
  name: 'rotation-user-key-rewrap',
  text: `update user_keys set wrapped = $4, master_key_id = $5
    where user_id = $1 and version = $2 and wrapped = $3 and ${hasCheck('$5')} returning user_id`,
}
const rewrapDeployment: Query = {
  name: 'rotation-deployment-key-rewrap',
  text: `update deployment_keys set wrapped = $2, master_key_id = $3
    where key_use = $4 and wrapped = $1 and ${hasCheck('$3')} returning key_use`,
}
const removeCheck: Query = {
  name: 'rotation-check-remove',
  text: `delete from deployment_keys where key_use = 'check' and master_key_id = $1`,
}
const markRetired: Query = {
  name: 'rotation-mark-retired',
  text: `insert into retired_master_keys (master_key_id, retired_at) values ($1, statement_timestamp())
    on conflict (master_key_id) do nothing`,
}
const lock: Query = {
  name: 'rotation-lock',
  text: 'select pg_advisory_xact_lock(8006, 2)',
}
const sawNode: Query = {
  name: 'rotation-node-seen',
  text: `insert into key_nodes (node_id, master_key_ids, seen_at) values ($1, $2, clock_timestamp())
    on conflict (node_id) do update set seen_at = excluded.seen_at`,
}
const forgetNode: Query = {
  name: 'rotation-node-forget',
  text: 'delete from key_nodes where node_id = $1',
}
const forgetSilentNodes: Query = {
  name: 'rotation-nodes-forget',
  text: `delete from key_nodes
    where seen_at <= clock_timestamp() - $1::float8 * interval '1 millisecond'`,
}
const nodes: Query = {
  name: 'rotation-nodes',
  text: `select node_id as "nodeId", master_key_ids as "masterKeyIds" from key_nodes
    where seen_at > clock_timestamp() - $1::float8 * interval '1 millisecond' order by node_id`,
}

export function rotationTable(sql: Sql): RotationStore {
  return {
    userKeysAfter: (last, limit) =>
      sql.rows<WrappedUserKey>(after, [last?.userId ?? '', last?.version ?? 0, limit]),
    countByMasterKey: () => sql.rows<{ masterKeyId: string | null; keys: number }>(counts),
    rewrapUserKey: async (row, wrapped, masterKeyId) => {
      const values = [row.userId, row.version, row.wrapped, wrapped, masterKeyId]
      return (await sql.rows(rewrap, values)).length > 0
    },
    rewrapDeploymentKey: async (row, wrapped, masterKeyId) =>
      (await sql.rows(rewrapDeployment, [row.wrapped, wrapped, masterKeyId, row.use])).length > 0,
    removeCheckValue: (masterKeyId) => run(sql, removeCheck, [masterKeyId]),
    markRetired: (masterKeyId) => run(sql, markRetired, [masterKeyId]),
    lockMasterKeys: () => run(sql, lock, []),
    sawNode: ({ nodeId, masterKeyIds }) => run(sql, sawNode, [nodeId, [...masterKeyIds]]),
    forgetNode: (nodeId) => run(sql, forgetNode, [nodeId]),
    forgetNodesNotSeenWithin: (ms) => run(sql, forgetSilentNodes, [ms]),
    nodesSeenWithin: (ms) => sql.rows<KeyNode>(nodes, [ms]),
  }
}
