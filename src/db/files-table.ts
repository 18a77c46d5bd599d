import { StrongroomError } from '../errors/strongroom-error.js'
import type { FileRow, FileStore } from '../files/ports.js'
import type { Query, Sql } from './database.js'
import { fileEntries } from './file-entries.js'
import { fileVersionsTable } from './file-versions-table.js'
import { grantsTable } from './grants-table.js'
import { run, touches } from './run.js'
import { violatedReference } from './sql-errors.js'
import { uploadIntentsTable } from './upload-intents-table.js'

const COLUMNS = `file_id as "fileId", kind, owner_id as "ownerId", uploader_id as "uploaderId",
  record_id as "recordId", record_type_id as "recordTypeId", version, created_at as "createdAt",
  updated_at as "updatedAt", deleted_at as "deletedAt", purge_after as "purgeAfter"`

/** `f` may bear the fingerprint `value`: no other live general file of its owner does. */
const isFree = (value: string): string => `(f.kind <> 'general' or not exists (
    select from files o
    where o.owner_id = f.owner_id and o.fingerprint = ${value} and o.file_id <> f.file_id
      and o.kind = 'general' and o.deleted_at is null))`

/** A hold stands on the row of `files`, or on its owner. */
export const isHeld = `exists (select from legal_holds h where h.released_at is null
      and (h.file_id = files.file_id or h.person_id = files.owner_id))`

/** In order, so that two that name the same people never wait for each other. */
const ensurePeople: Query = {
  name: 'principals-ensure',
  text: `insert into principals (principal_id, kind)
    select distinct id, case when starts_with(id, 'space|') then 'space' else 'person' end
    from unnest($1::text[]) id order by id
    on conflict (principal_id) do nothing`,
}
/** Not FOR UPDATE: a grant to this person need not wait for their upload. */
const lockOwner: Query = {
  name: 'principals-lock',
  text: 'select principal_id from principals where principal_id = $1 for no key update',
}
const lockFile: Query = {
  name: 'files-lock',
  text: `select ${COLUMNS} from files where file_id = $1 and purged_at is null for update`,
}
const find: Query = {
  name: 'files-find',
  text: `select ${COLUMNS} from files where file_id = $1 and purged_at is null`,
}
const insert: Query = {
  name: 'files-insert',
  text: `insert into files (file_id, kind, owner_id, uploader_id, record_id, record_type_id, version,
      fingerprint, created_at, updated_at, deleted_at, purge_after, awaits_until)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
    on conflict (owner_id, fingerprint) where kind = 'general' and deleted_at is null do nothing
    returning file_id`,
}
const setCurrentVersion: Query = {
  name: 'files-set-current-version',
  text: `update files f set version = $2, fingerprint = $3, updated_at = $4
    where f.file_id = $1 and f.purged_at is null and ${isFree('$3')}
    returning f.file_id`,
}
const settle: Query = {
  name: 'files-settle',
  text: `update files set awaits_until = null, updated_at = $2
    where file_id = $1 and awaits_until is not null and deleted_at is null and purged_at is null
    returning file_id`,
}
const touch: Query = {
  name: 'files-touch',
  text: 'update files set updated_at = $2 where file_id = $1',
}
const markDeleted: Query = {
  name: 'files-mark-deleted',
  text: `update files set deleted_by = $2, deleted_at = $3, purge_after = $4, updated_at = $3
    where file_id = $1 and deleted_at is null`,
}
const markRestored: Query = {
  name: 'files-mark-restored',
  text: `update files f
    set deleted_by = null, deleted_at = null, purge_after = null, updated_at = $2
    where f.file_id = $1 and f.deleted_at is not null and f.purged_at is null
      and ${isFree('f.fingerprint')}
    returning f.file_id`,
}
/** One statement: nothing is half purged. Wrapped keys go with the versions (on delete cascade). */
const purge: Query = {
  name: 'files-purge',
  text: `with purged as (
      update files set fingerprint = null, purged_at = $2
      where file_id = $1 and deleted_at is not null and purged_at is null
      returning file_id
    ), ended as (
      update grants g set revoked_at = $2 from purged
      where g.file_id = purged.file_id and g.revoked_at is null
    )
    delete from file_versions v using purged where v.file_id = purged.file_id
    returning v.sealed_id as "sealedId"`,
}
const purgeable: Query = {
  name: 'files-purgeable',
  text: `select file_id as "fileId" from files
    where purge_after <= $1 and deleted_at is not null and purged_at is null and not ${isHeld}
    order by purge_after, file_id limit $2`,
}
const heldBack: Query = {
  name: 'files-held-back',
  text: `select count(*)::int as count from files
    where purge_after <= $1 and deleted_at is not null and purged_at is null and ${isHeld}`,
}
const held: Query = {
  name: 'files-held',
  text: `select file_id from files where file_id = $1 and ${isHeld}`,
}
const ownerErased: Query = {
  name: 'files-owner-erased',
  text: `select f.file_id from files f join principals p on p.principal_id = f.owner_id
    where f.file_id = $1 and p.shredded_at is not null`,
}
const usage: Query = {
  name: 'files-usage',
  text: `select coalesce(sum(v.size), 0)::int8 as bytes
    from files f join file_versions v on v.file_id = f.file_id
    where f.owner_id = $1 and f.kind <> 'record' and f.purged_at is null`,
}

/**
 * Files and what belongs to them. A purged file is found by nothing here. The updates that return
 * false for a duplicate rely on `lockOwner`: without it the index refuses one of two with an error.
 */
export function filesTable(sql: Sql): FileStore {
  return {
    ...fileEntries(sql),
    ...fileVersionsTable(sql),
    ...grantsTable(sql),
    ...uploadIntentsTable(sql),
    ...people(sql),
    ...rows(sql),
    ...lifeCycle(sql),
  }
}

function people(sql: Sql): Pick<FileStore, 'ensurePeople' | 'lockOwner'> {
  return {
    ensurePeople: (userIds) => run(sql, ensurePeople, [userIds]),
    lockOwner: (ownerId) => run(sql, lockOwner, [ownerId]),
  }
}

function rows(
  sql: Sql,
): Pick<
  FileStore,
  'lockFile' | 'find' | 'insertFile' | 'settle' | 'setCurrentVersion' | 'touch' | 'usage'
> {
  return {
    lockFile: async (fileId) => (await sql.rows<FileRow>(lockFile, [fileId]))[0],
    find: async (fileId) => (await sql.rows<FileRow>(find, [fileId]))[0],
    insertFile: async (row, fingerprint, awaitsUntil) => {
      const inserted = await withKnownType(() =>
        sql.rows(insert, [
          ...[row.fileId, row.kind, row.ownerId, row.uploaderId, row.recordId, row.recordTypeId],
          ...[
            row.version,
            fingerprint,
            row.createdAt,
            row.updatedAt,
            row.deletedAt,
            row.purgeAfter,
            awaitsUntil ?? null,
          ],
        ]),
      )
      return inserted.length > 0
    },
    setCurrentVersion: async (fileId, version, fingerprint, at) =>
      (await sql.rows(setCurrentVersion, [fileId, version, fingerprint, at])).length > 0,
    settle: (fileId, at) => touches(sql, settle, [fileId, at]),
    touch: (fileId, at) => run(sql, touch, [fileId, at]),
    usage: async (ownerId) => (await sql.rows<{ bytes: number }>(usage, [ownerId]))[0]?.bytes ?? 0,
  }
}

/** A type may be deleted between an upload's first look at it and its commit. */
async function withKnownType<T>(insertion: () => Promise<T>): Promise<T> {
  try {
    return await insertion()
  } catch (error) {
    if (violatedReference(error) !== 'files_record_type_id_fkey') throw error
    throw new StrongroomError('invalid_field', { detail: 'medical_record_type_id: not known' })
  }
}

function lifeCycle(
  sql: Sql,
): Pick<
  FileStore,
  'markDeleted' | 'markRestored' | 'purge' | 'purgeable' | 'heldBack' | 'isHeld' | 'isOwnerErased'
> {
  return {
    markDeleted: (fileId, by, at, purgeAfter) =>
      run(sql, markDeleted, [fileId, by, at, purgeAfter]),
    markRestored: async (fileId, at) => (await sql.rows(markRestored, [fileId, at])).length > 0,
    purge: async (fileId, at) => {
      const gone = await sql.rows<{ sealedId: string }>(purge, [fileId, at])
      return gone.map(({ sealedId }) => sealedId)
    },
    purgeable: async (now, limit) => {
      const due = await sql.rows<{ fileId: string }>(purgeable, [now, limit])
      return due.map(({ fileId }) => fileId)
    },
    heldBack: async (now) => (await sql.rows<{ count: number }>(heldBack, [now]))[0]?.count ?? 0,
    isHeld: async (fileId) => (await sql.rows(held, [fileId])).length > 0,
    isOwnerErased: async (fileId) => (await sql.rows(ownerErased, [fileId])).length > 0,
  }
}
