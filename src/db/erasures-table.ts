import type { ErasureCounts, ErasureRow, ErasureStore } from '../erasure/ports.js'
import type { Query, Sql } from './database.js'
import { isHeld } from './files-table.js'
import { run } from './run.js'

const COLUMNS = `erasure_id as "erasureId", kind, file_id as "fileId", version,
  person_id as "personId", requested_by as "requestedBy", requested_at as "requestedAt",
  master_key_ids as "masterKeyIds", user_keys as "userKeys", file_keys as "fileKeys", files,
  versions, records_kept as "recordsKept", finished_at as "finishedAt", old_copies as "oldCopies",
  backups_expire_at as "backupsExpireAt"`

const stands = (grant: string, at = 'statement_timestamp()') => `${grant}.revoked_at is null
      and (${grant}.expires_at is null or ${grant}.expires_at > ${at})`
/** The grant `g` keeps a file for others: not a space's on a person's document, nor one on what nobody confirmed. */
const counts = `files.awaits_until is null
      and not (files.kind = 'document' and starts_with(g.user_id, 'space|'))`
/** Somebody but `person` can open the row of `files`. */
const isOpenToOthers = (person: string, at?: string) => `exists (
    select from grants g where g.file_id = files.file_id and ${stands('g', at)}
      and g.user_id is distinct from ${person} and ${counts})`
/** `person` can open the row of `files`. */
const isOpenTo = (person: string) => `exists (
    select from grants g where g.file_id = files.file_id and ${stands('g')}
      and g.user_id = ${person})`
/** The same as `isOpenToOthers`, of those alone who have the key: no hope, where a hold depends on it. */
const isKeptByOthers = (person: string) => `exists (
    select from grants g join wrapped_file_keys w on w.grant_id = g.grant_id
    where g.file_id = files.file_id and ${stands('g')} and g.user_id <> ${person}
      and ${counts})`
const isOwnerErased = `exists (select from principals p
    where p.principal_id = files.owner_id and p.shredded_at is not null)`

const isOpen: Query = {
  name: 'erasures-is-open',
  text: `select 1 from files where file_id = $1 and ${isOpenToOthers('null', '$2')}`,
}

const insert: Query = {
  name: 'erasures-insert',
  text: `insert into erasures (erasure_id, kind, file_id, version, person_id, requested_by,
      requested_at, master_key_ids, user_keys, file_keys, files, versions, records_kept)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`,
}
const find: Query = {
  name: 'erasures-find',
  text: `select ${COLUMNS} from erasures where erasure_id = $1`,
}
const addFile: Query = {
  name: 'erasures-add-file',
  text: `update erasures set files = files + 1, versions = versions + $2 where erasure_id = $1`,
}
/** What was removed stays so, whoever comes later with less. */
const finish: Query = {
  name: 'erasures-finish',
  text: `update erasures set finished_at = $2, old_copies = $3, backups_expire_at = $4
    where erasure_id = $1 and (finished_at is null or (old_copies = 'left' and $3 = 'removed'))`,
}
const addBlobs: Query = {
  name: 'erasure-blobs-add',
  text: `insert into erasure_blobs (sealed_id, erasure_id)
    select sealed_id, $1::uuid from unnest($2::uuid[]) sealed_id`,
}
/** As src/files/reseal.ts writes its jobs. They come to nothing, where the bytes are gone by then. */
const adoptBlobs: Query = {
  name: 'erasure-blobs-adopt',
  text: `insert into erasure_blobs (sealed_id, erasure_id)
    select (payload->>'sealedId')::uuid, $1::uuid from jobs
    where kind = 'destroy-bytes' and payload->>'fileId' = $2
      and ($3::integer is null or payload->>'version' = $3::integer::text)
    on conflict (sealed_id) do nothing`,
}
const blobs: Query = {
  name: 'erasure-blobs-of',
  text: `select sealed_id as "sealedId" from erasure_blobs where erasure_id = $1
    order by sealed_id limit $2`,
}
const removeBlob: Query = {
  name: 'erasure-blobs-remove',
  text: 'delete from erasure_blobs where sealed_id = $1',
}

const lockPerson: Query = {
  name: 'erasures-lock-person',
  text: `select shredded_at as "shreddedAt" from principals where principal_id = $1 for update`,
}
const findPerson: Query = {
  name: 'erasures-find-person',
  text: 'select shredded_at as "shreddedAt" from principals where principal_id = $1',
}
const personHeld: Query = {
  name: 'erasures-person-held',
  text: `select 1 where exists (
      select from legal_holds where released_at is null and person_id = $1
    ) or exists (
      select from legal_holds h join files f on f.file_id = h.file_id
      where h.released_at is null and f.owner_id = $1 and f.purged_at is null
    ) or exists (
      select from files where owner_id <> $1 and purged_at is null and ${isHeld}
        and ${isOpenTo('$1')} and not ${isKeptByOthers('$1')})`,
}
const lockHeldFiles: Query = {
  name: 'erasures-lock-held-files',
  text: `select file_id from files where purged_at is null and ${isHeld} and ${isOpenTo('$1')}
    order by file_id for update`,
}
/** Owners too, in one order: whoever shreds one of them waits, and sees what became of it. */
const lockHolders: Query = {
  name: 'erasures-lock-holders',
  text: `select principal_id from principals where principal_id in (
      select owner_id from files where file_id = $1 or owner_id = $2
      union select g.user_id from grants g join files f on f.file_id = g.file_id
        where (f.file_id = $1 or f.owner_id = $2) and g.revoked_at is null)
    order by principal_id for no key update`,
}
const countClosed: Query = {
  name: 'erasures-count-closed',
  text: `select count(*)::int8 as closed from files
    where owner_id <> $1 and purged_at is null and not ${isOwnerErased}
      and ${isOpenTo('$1')} and not ${isOpenToOthers('$1')}`,
}
const countPerson: Query = {
  name: 'erasures-count-person',
  text: `with gone as (
      select file_id from files
      where (owner_id = $1 or (${isOwnerErased} and ${isOpenTo('$1')})) and purged_at is null
        and not ${isOpenToOthers('$1')}
    )
    select (select count(*) from user_keys where user_id = $1)::int8 as "userKeys",
      (select count(*) from wrapped_file_keys w join grants g on g.grant_id = w.grant_id
        where g.user_id = $1)::int8 as "fileKeys",
      (select count(*) from gone)::int8 as files,
      (select count(*) from file_versions v join gone on gone.file_id = v.file_id)::int8
        as versions,
      (select count(*) from files where owner_id = $1 and purged_at is null
        and ${isOpenToOthers('$1')})::int8 as "recordsKept"`,
}
const countFile: Query = {
  name: 'erasures-count-file',
  text: `select 0::int8 as "userKeys", 0::int8 as "recordsKept",
      (case when $2::integer is null then 1 else 0 end)::int8 as files,
      count(distinct v.sealed_id)::int8 as versions, count(w.sealed_id)::int8 as "fileKeys"
    from file_versions v left join wrapped_file_keys w on w.sealed_id = v.sealed_id
    where v.file_id = $1 and ($2::integer is null or v.version = $2)`,
}
const mastersOfPerson: Query = {
  name: 'erasures-masters-of-person',
  text: `select distinct master_key_id as "masterKeyId" from user_keys where user_id = $1`,
}
const mastersOfFile: Query = {
  name: 'erasures-masters-of-file',
  text: `select distinct k.master_key_id as "masterKeyId"
    from file_versions v
    join wrapped_file_keys w on w.sealed_id = v.sealed_id
    join grants g on g.grant_id = w.grant_id
    join user_keys k on k.user_id = g.user_id and k.version = w.user_key_version
    where v.file_id = $1 and ($2::integer is null or v.version = $2)`,
}
const mark: Query = {
  name: 'erasures-mark-person',
  text: 'update principals set shredded_at = $2 where principal_id = $1',
}
const destroyUserKeys: Query = {
  name: 'erasures-user-keys',
  text: 'delete from user_keys where user_id = $1',
}
const endGrants: Query = {
  name: 'erasures-end-grants',
  text: `update grants set revoked_by = $2, revoked_at = $3
    where user_id = $1 and revoked_at is null`,
}
const destroyPurposes: Query = {
  name: 'erasures-purposes',
  text: `with notes as (delete from emergency_notes where patient_id = $1),
      account as (delete from accounts where user_id = $1 returning note_id),
      permitted as (delete from permissions where user_id = $1 returning note_id),
      gone as (delete from sealed_notes where user_id = $1
        or note_id in (select note_id from permitted))
    update grants g set purpose = null, purpose_key_version = null from files f
    where f.file_id = g.file_id and f.owner_id = $1 and g.purpose is not null`,
}
const destroyFileKeys: Query = {
  name: 'erasures-file-keys',
  text: `delete from wrapped_file_keys where (grant_id, sealed_id) in (
      select w.grant_id, w.sealed_id from wrapped_file_keys w
      join grants g on g.grant_id = w.grant_id where g.user_id = $1 limit $2)`,
}
const hasFileKeys: Query = {
  name: 'erasures-has-file-keys',
  text: `select 1 where exists (select from wrapped_file_keys w
      join grants g on g.grant_id = w.grant_id where g.user_id = $1)`,
}
const openByNobody: Query = {
  name: 'erasures-open-by-nobody',
  text: `select file_id as "fileId" from files
    where (owner_id = $1 or (${isOwnerErased}
        and exists (select from grants g where g.file_id = files.file_id and g.user_id = $1)))
      and purged_at is null and not ${isHeld} and not ${isOpenToOthers('null', '$3')}
    order by file_id limit $2`,
}
/** One statement: nothing is half shredded. Wrapped keys go with the versions (on delete cascade). */
const shredFile: Query = {
  name: 'erasures-shred-file',
  text: `with shredded as (
      update files set fingerprint = null, purged_at = $3, deleted_at = coalesce(deleted_at, $3),
        deleted_by = coalesce(deleted_by, $2), purge_after = coalesce(purge_after, $3)
      where file_id = $1 and purged_at is null returning file_id
    ), ended as (
      update grants g set revoked_by = $2, revoked_at = $3 from shredded
      where g.file_id = shredded.file_id and g.revoked_at is null
    ), objects as (
      delete from bucket_objects o using shredded where o.file_id = shredded.file_id
      returning o.folder_hash
    ), folders as (
      update bucket_folders b set emptied_at = $3 from objects
      where b.folder_hash = objects.folder_hash
    )
    delete from file_versions v using shredded where v.file_id = shredded.file_id
    returning v.sealed_id as "sealedId"`,
}
const shredVersion: Query = {
  name: 'erasures-shred-version',
  text: `delete from file_versions where file_id = $1 and version = $2
    returning sealed_id as "sealedId"`,
}

const none: ErasureCounts = { userKeys: 0, fileKeys: 0, files: 0, versions: 0, recordsKept: 0 }

export function erasuresTable(sql: Sql): ErasureStore {
  return { ...facts(sql), ...reading(sql), ...destroying(sql) }
}

function facts(
  sql: Sql,
): Pick<
  ErasureStore,
  'insert' | 'find' | 'addFile' | 'addBlobs' | 'adoptBlobs' | 'blobs' | 'removeBlob' | 'finish'
> {
  return {
    insert: (row) =>
      run(sql, insert, [
        ...[row.erasureId, row.kind, row.fileId, row.version, row.personId, row.requestedBy],
        ...[row.requestedAt, row.masterKeyIds, row.userKeys, row.fileKeys, row.files],
        ...[row.versions, row.recordsKept],
      ]),
    find: async (erasureId) => (await sql.rows<ErasureRow>(find, [erasureId]))[0],
    addFile: (erasureId, versions) => run(sql, addFile, [erasureId, versions]),
    addBlobs: (erasureId, sealedIds) => run(sql, addBlobs, [erasureId, sealedIds]),
    adoptBlobs: (erasureId, fileId, version) => run(sql, adoptBlobs, [erasureId, fileId, version]),
    blobs: (erasureId, limit) => sealedIdsOf(sql, blobs, [erasureId, limit]),
    removeBlob: (sealedId) => run(sql, removeBlob, [sealedId]),
    finish: (erasureId, { finishedAt, oldCopies, backupsExpireAt }) =>
      run(sql, finish, [erasureId, finishedAt, oldCopies, backupsExpireAt]),
  }
}

function reading(
  sql: Sql,
): Pick<
  ErasureStore,
  | 'lockPerson'
  | 'findPerson'
  | 'isPersonHeld'
  | 'lockHolders'
  | 'lockHeldFiles'
  | 'countClosed'
  | 'countsOfPerson'
  | 'countsOfFile'
  | 'masterKeysOfPerson'
  | 'masterKeysOfFile'
  | 'openByNobody'
  | 'isOpen'
> {
  const masters = async (query: Query, values: readonly (string | number | null)[]) =>
    (await sql.rows<{ masterKeyId: string | null }>(query, values)).map(
      ({ masterKeyId }) => masterKeyId,
    )
  return {
    lockPerson: async (personId) =>
      (await sql.rows<{ shreddedAt: Date | null }>(lockPerson, [personId]))[0],
    findPerson: async (personId) =>
      (await sql.rows<{ shreddedAt: Date | null }>(findPerson, [personId]))[0],
    lockHolders: ({ fileId, personId }) => run(sql, lockHolders, [fileId, personId]),
    lockHeldFiles: (personId) => run(sql, lockHeldFiles, [personId]),
    countClosed: async (personId) =>
      (await sql.rows<{ closed: number }>(countClosed, [personId]))[0]?.closed ?? 0,
    isPersonHeld: async (personId) => (await sql.rows(personHeld, [personId])).length > 0,
    countsOfPerson: async (personId) =>
      (await sql.rows<ErasureCounts>(countPerson, [personId]))[0] ?? none,
    countsOfFile: async (fileId, version) =>
      (await sql.rows<ErasureCounts>(countFile, [fileId, version]))[0] ?? none,
    masterKeysOfPerson: (personId) => masters(mastersOfPerson, [personId]),
    masterKeysOfFile: (fileId, version) => masters(mastersOfFile, [fileId, version]),
    isOpen: async (fileId, now) => (await sql.rows(isOpen, [fileId, now])).length > 0,
    openByNobody: async (personId, limit, now) =>
      (await sql.rows<{ fileId: string }>(openByNobody, [personId, limit, now])).map(
        ({ fileId }) => fileId,
      ),
  }
}

function destroying(
  sql: Sql,
): Pick<
  ErasureStore,
  | 'markShredded'
  | 'destroyUserKeys'
  | 'endGrantsOf'
  | 'destroyPurposes'
  | 'hasFileKeys'
  | 'destroyFileKeys'
  | 'shredFile'
  | 'shredVersion'
> {
  return {
    markShredded: (personId, at) => run(sql, mark, [personId, at]),
    destroyUserKeys: (personId) => run(sql, destroyUserKeys, [personId]),
    endGrantsOf: (personId, by, at) => run(sql, endGrants, [personId, by, at]),
    destroyPurposes: (personId) => run(sql, destroyPurposes, [personId]),
    hasFileKeys: async (personId) => (await sql.rows(hasFileKeys, [personId])).length > 0,
    destroyFileKeys: (personId, limit) => run(sql, destroyFileKeys, [personId, limit]),
    shredFile: (fileId, by, at) => sealedIdsOf(sql, shredFile, [fileId, by, at]),
    shredVersion: (fileId, version) => sealedIdsOf(sql, shredVersion, [fileId, version]),
  }
}

async function sealedIdsOf(
  sql: Sql,
  query: Query,
  values: readonly (string | number | Date)[],
): Promise<string[]> {
  const rows = await sql.rows<{ sealedId: string }>(query, values)
  return rows.map(({ sealedId }) => sealedId)
}
