import type { UserKeyRow } from '../keys/ports.js'
import type { HeldKeyRow, NoteRow, UserKeyRotationStore } from '../rotation/ports.js'
import type { Query, Sql } from './database.js'
import { run } from './run.js'

/** Before every UUID there is. */
const FIRST_UUID = '00000000-0000-0000-0000-000000000000'

const lockPerson: Query = {
  name: 'user-key-rotation-lock',
  text: 'select principal_id from principals where principal_id = $1 for no key update',
}
const active: Query = {
  name: 'user-key-rotation-active',
  text: 'select version from user_keys where user_id = $1 and active',
}
const supersede: Query = {
  name: 'user-key-rotation-supersede',
  text: `update user_keys set active = false, superseded_at = statement_timestamp()
    where user_id = $1 and active`,
}
const insertNext: Query = {
  name: 'user-key-rotation-insert',
  text: `insert into user_keys (user_id, version, wrapped, master_key_id) values ($1, $2, $3, $4)`,
}
const heldKeys: Query = {
  name: 'user-key-rotation-held',
  text: `select w.grant_id as "grantId", w.sealed_id as "sealedId",
      w.user_key_version as "userKeyVersion", w.wrapped, g.basis, g.expires_at as "expiresAt"
    from grants g join wrapped_file_keys w on w.grant_id = g.grant_id
    where g.user_id = $1 and g.revoked_at is null and g.grant_id >= $2::uuid
      and (w.grant_id, w.sealed_id) > ($2::uuid, $3::uuid)
    order by w.grant_id, w.sealed_id limit $4`,
}
const countHeld: Query = {
  name: 'user-key-rotation-count',
  text: `select count(*)::integer as keys from grants g
    join wrapped_file_keys w on w.grant_id = g.grant_id
    where g.user_id = $1 and g.revoked_at is null`,
}
const notes: Query = {
  name: 'user-key-rotation-notes',
  text: `select note_id as "noteId", about, sealed, user_key_version as "userKeyVersion" from (
      select g.grant_id as note_id, g.grant_id::text as about, g.purpose as sealed,
        g.purpose_key_version as user_key_version
      from files f join grants g on g.file_id = f.file_id
      where f.owner_id = $1 and g.purpose is not null
      union all
      select n.note_id, 'emergency:' || n.note_id, n.sealed, n.user_key_version
      from emergency_notes n where n.patient_id = $1
      union all
      select n.note_id, n.kind || ':' || n.note_id, n.sealed, n.user_key_version
      from sealed_notes n where n.user_id = $1
    ) notes where note_id > $2::uuid order by note_id limit $3`,
}
const rewrap: Query = {
  name: 'user-key-rotation-rewrap',
  text: `update wrapped_file_keys w set user_key_version = $1, wrapped = n.wrapped
    from unnest($2::uuid[], $3::uuid[], $4::text[], $5::text[]) n(grant_id, sealed_id, was, wrapped)
    where w.grant_id = n.grant_id and w.sealed_id = n.sealed_id and w.wrapped = n.was
    returning w.grant_id`,
}
const reseal: Query = {
  name: 'user-key-rotation-reseal',
  text: `with n as (
      select * from unnest($2::uuid[], $3::text[], $4::text[]) n(note_id, was, sealed)
    ), purposes as (
      update grants g set purpose_key_version = $1, purpose = n.sealed
      from n where g.grant_id = n.note_id and g.purpose = n.was
      returning n.note_id
    ), emergencies as (
      update emergency_notes e set user_key_version = $1, sealed = n.sealed
      from n where e.note_id = n.note_id and e.sealed = n.was
      returning n.note_id
    ), others as (
      update sealed_notes s set user_key_version = $1, sealed = n.sealed
      from n where s.note_id = n.note_id and s.sealed = n.was
      returning n.note_id
    )
    select note_id from purposes union all select note_id from emergencies
    union all select note_id from others`,
}
/** Nothing is wrapped or sealed with version `k` any more. */
const IS_SPENT = `not exists (
      select from grants g join wrapped_file_keys w on w.grant_id = g.grant_id
      where g.user_id = k.user_id and w.user_key_version = k.version)
    and not exists (
      select from files f join grants g on g.file_id = f.file_id
      where f.owner_id = k.user_id and g.purpose is not null and g.purpose_key_version = k.version)
    and not exists (
      select from emergency_notes n
      where n.patient_id = k.user_id and n.user_key_version = k.version)
    and not exists (
      select from sealed_notes n
      where n.user_id = k.user_id and n.user_key_version = k.version)`

const behind: Query = {
  name: 'user-key-rotation-behind',
  text: `select distinct k.user_id as "userId" from user_keys k
    where k.superseded_at <= statement_timestamp() - $1::float8 * interval '1 millisecond'
      and not (${IS_SPENT})
    order by k.user_id limit $2`,
}
const lockSuperseded: Query = {
  name: 'user-key-rotation-superseded',
  text: `select k.user_id as "userId", k.version from user_keys k
    where k.superseded_at <= statement_timestamp() - $1::float8 * interval '1 millisecond'
      and ${IS_SPENT}
    order by k.superseded_at, k.user_id, k.version limit $2 for update of k skip locked`,
}
const remove: Query = {
  name: 'user-key-rotation-remove',
  text: `delete from user_keys k where k.user_id = $1 and k.version = $2 and not k.active
      and ${IS_SPENT}
    returning k.user_id`,
}

export function userKeyRotationTable(sql: Sql): UserKeyRotationStore {
  return {
    lockUserKeys: async (userId) => {
      await run(sql, lockPerson, [userId])
      return (await sql.rows<{ version: number }>(active, [userId]))[0]?.version
    },
    insertNextUserKey: async ({ userId, version, wrapped }, masterKeyId) => {
      await run(sql, supersede, [userId])
      await run(sql, insertNext, [userId, version, wrapped, masterKeyId])
    },
    heldKeysAfter: (userId, after, limit) => {
      const { grantId = FIRST_UUID, sealedId = FIRST_UUID } = after ?? {}
      return sql.rows<HeldKeyRow>(heldKeys, [userId, grantId, sealedId, limit])
    },
    countHeldKeys: async (userId) =>
      (await sql.rows<{ keys: number }>(countHeld, [userId]))[0]?.keys ?? 0,
    notesAfter: (userId, after, limit) =>
      sql.rows<NoteRow>(notes, [userId, after ?? FIRST_UUID, limit]),
    rewrapHeldKeys: async (version, rows) => {
      const columns = [
        ...[rows.map(({ grantId }) => grantId), rows.map(({ sealedId }) => sealedId)],
        ...[rows.map(({ was }) => was), rows.map(({ wrapped }) => wrapped)],
      ]
      return (await sql.rows(rewrap, [version, ...columns])).length
    },
    resealNotes: async (version, rows) => {
      const columns = [
        rows.map(({ noteId }) => noteId),
        ...[rows.map(({ was }) => was), rows.map(({ sealed }) => sealed)],
      ]
      return (await sql.rows(reseal, [version, ...columns])).length
    },
    peopleBehind: async (sinceMs, limit) => {
      const found = await sql.rows<{ userId: string }>(behind, [sinceMs, limit])
      return found.map(({ userId }) => userId)
    },
    lockSupersededUserKeys: (sinceMs, limit) =>
      sql.rows<Omit<UserKeyRow, 'wrapped'>>(lockSuperseded, [sinceMs, limit]),
    removeUserKey: async ({ userId, version }) =>
      (await sql.rows(remove, [userId, version])).length > 0,
  }
}
