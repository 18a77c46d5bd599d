import type { DeploymentKeyRow, KeyStore, SigningKeyRow } from '../keys/ports.js'
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
/** Both or none: that there once was such a key is known from the second row. */
const insertSigning: Query = {
  name: 'deployment-keys-insert-signing',
  text: `with made as (
      insert into deployment_keys (key_use, master_key_id, wrapped)
      select 'signing-key', $1, $2 where not exists (select from signing_keys)
      on conflict do nothing returning key_use
    )
    insert into signing_keys (key_id, public_key) select $3, $4 from made returning key_id`,
}
const signing: Query = {
  name: 'signing-keys-find',
  text: 'select key_id as "keyId", public_key as "publicKey" from signing_keys',
}

export function deploymentKeysTable(
  sql: Sql,
): Pick<KeyStore, 'deploymentKeys' | 'insertDeploymentKey' | 'insertSigningKey' | 'signingKey'> {
  return {
    deploymentKeys: () => sql.rows<DeploymentKeyRow>(all),
    insertDeploymentKey: async ({ use, masterKeyId, wrapped }) =>
      (await sql.rows(insert, [use, masterKeyId, wrapped])).length > 0,
    insertSigningKey: async ({ masterKeyId, wrapped }, { keyId, publicKey }) =>
      (await sql.rows(insertSigning, [masterKeyId, wrapped, keyId, publicKey])).length > 0,
    signingKey: async () => (await sql.rows<SigningKeyRow>(signing))[0],
  }
}
