import { StrongroomError } from '../errors/strongroom-error.js'
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
/**
 * Only under a master key that was not retired meanwhile, and for no one whose keys were destroyed:
 * the locks wait for whoever retires the one or erases the other, and see it.
 */
const insertFirst: Query = {
  name: 'user-keys-insert-first',
  text: `with made as (
      insert into principals (principal_id, kind)
        values ($1, case when starts_with($1, 'space|') then 'space' else 'person' end)
        on conflict (principal_id) do nothing
      returning principal_id
    ), known as (
      select principal_id from principals where principal_id = $1 and shredded_at is null
      for key share
    ), standing as (
      select master_key_id from deployment_keys
      where key_use = 'check' and master_key_id = $4 for key share
    )
    insert into user_keys (user_id, version, wrapped, master_key_id)
    select p.principal_id, $2::integer, $3, s.master_key_id
    from (select principal_id from made union all select principal_id from known) p, standing s
    on conflict do nothing returning user_id`,
}
const state: Query = {
  name: 'user-keys-state',
  text: `select p.shredded_at is not null as "isErased",
      exists (select from user_keys k where k.user_id = p.principal_id) as "hasKey"
    from principals p where p.principal_id = $1`,
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
    insertFirstUserKey: async ({ userId, version, wrapped }, masterKeyId) => {
      const insert = async () =>
        (await sql.rows(insertFirst, [userId, version, wrapped, masterKeyId])).length > 0
      if (await insert()) return true
      const [now] = await sql.rows<{ isErased: boolean; hasKey: boolean }>(state, [userId])
      if (now?.isErased === true) throw new StrongroomError('person_erased')
      // Where there is no key either, another made them known at that instant, without one.
      return now?.hasKey === true ? false : await insert()
    },
    hasSealedData: async () => (await sql.rows<{ found: boolean }>(any))[0]?.found ?? false,
  }
}
