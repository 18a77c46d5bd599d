import type { DeploymentKeyRow, KeyStore } from '../keys/ports.js'
import type { Query, Sql } from './database.js'

const all: Query = {
  name: 'deployment-keys-all',
  text: `select key_use as "use", master_key_id as "masterKeyId", wrapped from deployment_keys
    order by key_use, master_key_id`,
}
const insert: Query = {
  name: 'deployment-keys-insert',
  text: `insert into deployment_keys (key_use, master_key_id, wrapped) select $1, $2, $3
    where not ($1 = 'check' and exists (
      select from retired_master_keys r where r.master_key_id = $2))
    on conflict do nothing returning key_use`,
}

export function deploymentKeysTable(
  sql: Sql,
): Pick<KeyStore, 'deploymentKeys' | 'insertDeploymentKey'> {
  return {
    deploymentKeys: () => sql.rows<DeploymentKeyRow>(all),
    insertDeploymentKey: async ({ use, masterKeyId, wrapped }) =>
      (await sql.rows(insert, [use, masterKeyId, wrapped])).length > 0,
  }
}
