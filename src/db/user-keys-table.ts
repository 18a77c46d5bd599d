import type { KeyStore, UserKeyRow } from '../keys/ports.js'
import type { Query, Sql } from './database.js'

const active: Query = {
  name: 'user-keys-active',
  text: `select user_id as "userId", version, wrapped from user_keys
    where user_id = $1 and active`,
}
const find: Query = {
  name: 'user-keys-find',
  text: `select user_id as "userId", version, wrapped from user_keys
    where user_id = $1 and version = $2`,
}
/** Only under a master key that was not retired meanwhile: whoever retires it waits for this. */
const insertFirst: Query = {
  name: 'user-keys-insert-first',
  text: `with known as (
      insert into principals (principal_id) values ($1) on conflict (principal_id) do nothing
    ), standing as (
      select master_key_id from deployment_keys
      where key_use = 'check' and master_key_id = $4 for key share
    )
    insert into user_keys (user_id, version, wrapped, master_key_id)
    select $1, $2, $3, s.master_key_id from standing s
    on conflict do nothing returning user_id`,
}
const any: Query = {
  name: 'user-keys-any',
  text: 'select exists (select from user_keys) as "found"',
}

export function userKeysTable(
  sql: Sql,
): Pick<KeyStore, 'activeUserKey' | 'userKey' | 'insertFirstUserKey' | 'hasSealedData'> {
  return {
    activeUserKey: async (userId) => (await sql.rows<UserKeyRow>(active, [userId]))[0],
    userKey: async (userId, version) => (await sql.rows<UserKeyRow>(find, [userId, version]))[0],
    insertFirstUserKey: async ({ userId, version, wrapped }, masterKeyId) =>
      (await sql.rows(insertFirst, [userId, version, wrapped, masterKeyId])).length > 0,
    hasSealedData: async () => (await sql.rows<{ found: boolean }>(any))[0]?.found ?? false,
  }
}
