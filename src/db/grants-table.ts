import type { SealedNoteRow } from '../audit/ports.js'
import { StrongroomError } from '../errors/strongroom-error.js'
import type { FileStore, GrantRow } from '../files/ports.js'
import type { Query, Sql } from './database.js'

/**
 * The locks wait for whoever is erasing one of the two, and see what became of it. A purpose is sealed
 * for the owner; without one nothing of theirs is needed.
 */
const insert: Query = {
  name: 'grants-insert',
  text: `with holder as (
      select principal_id from principals where principal_id = $3 and shredded_at is null
      for key share
    ), owner as (
      select p.principal_id from principals p join files f on f.owner_id = p.principal_id
      where f.file_id = $2 and (p.shredded_at is null or $8::text is null)
      for key share of p
    ), noted as (
      select k.version from files f join user_keys k on k.user_id = f.owner_id
      where f.file_id = $2 and k.version = $9::integer
      for key share of k
    )
    insert into grants (grant_id, file_id, user_id, basis, can_download, can_share, expires_at,
      purpose, purpose_key_version, granted_by, granted_at)
    select $1::uuid, $2::uuid, holder.principal_id, $4, $5::boolean, $6::boolean, $7::timestamptz,
      $8::text, $9::integer, $10, $11::timestamptz
    from holder, owner where $8::text is null or exists (select from noted) returning grant_id`,
}
/** Whether that is why a grant was refused; else the key its purpose is sealed with is no longer there. */
const oneErased: Query = {
  name: 'grants-one-erased',
  text: `select p.principal_id from principals p
    where p.shredded_at is not null and (p.principal_id = $2
      or ($3 and p.principal_id = (select f.owner_id from files f where f.file_id = $1)))
    limit 1`,
}
const standing: Query = {
  name: 'grants-standing',
  text: `select grant_id as "grantId", file_id as "fileId", user_id as "userId", basis,
      can_download as "canDownload", can_share as "canShare", expires_at as "expiresAt", purpose,
      purpose_key_version as "purposeKeyVersion", granted_by as "grantedBy",
      granted_at as "grantedAt"
    from grants where file_id = $1 and revoked_at is null order by granted_at, grant_id`,
}
const revoke: Query = {
  name: 'grants-revoke',
  text: `with ended as (
      update grants set revoked_by = $2, revoked_at = $3
      where grant_id = $1 and revoked_at is null
      returning grant_id
    ), destroyed as (
      delete from wrapped_file_keys w using ended where w.grant_id = ended.grant_id
    )
    select grant_id from ended`,
}
const ended: Query = {
  name: 'grants-ended',
  text: `select g.grant_id as "grantId" from grants g join files f on f.file_id = g.file_id
    where g.grant_id = any($1::uuid[])
      and (g.revoked_at is not null or g.expires_at <= statement_timestamp()
        or f.deleted_at is not null)`,
}
/**
 * Whichever wrapping was first: both open the same file key. The person's key and the sealing stay
 * until the transaction ends: they were looked at before it began.
 */
const insertKey: Query = {
  name: 'wrapped-file-keys-insert',
  text: `with standing as (
      select g.grant_id, v.sealed_id, k.version
      from grants g join user_keys k on k.user_id = g.user_id, file_versions v
      where g.grant_id = $1 and v.sealed_id = $2 and k.version = $3
      for key share of k, v
    ), inserted as (
      insert into wrapped_file_keys (grant_id, sealed_id, user_key_version, wrapped)
      select s.grant_id, s.sealed_id, s.version, $4 from standing s
      on conflict (grant_id, sealed_id) do nothing
    )
    select grant_id from standing`,
}

/** Its key was turned, or the file sealed anew, while this was under way: the next try finds the new one. */
export function keysTurned(): StrongroomError {
  const context = { reason: 'turned_meanwhile' }
  return new StrongroomError('keys_unavailable', { retryAfter: 1, context })
}

/** A grant as its columns are. */
export interface GrantColumns extends Omit<GrantRow, 'purpose'> {
  readonly purpose: string | null
  readonly purposeKeyVersion: number | null
}

/** A sealed note of its two columns, which are null together. */
export function sealedNote(sealed: string | null, version: number | null): SealedNoteRow | null {
  return sealed === null || version === null ? null : { sealed, userKeyVersion: version }
}

export function grantsTable(
  sql: Sql,
): Pick<FileStore, 'insertGrant' | 'grants' | 'revokeGrant' | 'insertWrappedKey' | 'endedGrants'> {
  return {
    insertGrant: async (row) => {
      const inserted = await sql.rows(insert, [
        ...[row.grantId, row.fileId, row.userId, row.basis, row.canDownload, row.canShare],
        ...[row.expiresAt, row.purpose?.sealed ?? null, row.purpose?.userKeyVersion ?? null],
        ...[row.grantedBy, row.grantedAt],
      ])
      if (inserted.length > 0) return
      const [erased] = await sql.rows(oneErased, [row.fileId, row.userId, row.purpose !== null])
      throw erased === undefined ? keysTurned() : new StrongroomError('person_erased')
    },
    grants: async (fileId) => (await sql.rows<GrantColumns>(standing, [fileId])).map(grantOf),
    revokeGrant: async (grantId, by, at) => (await sql.rows(revoke, [grantId, by, at])).length > 0,
    insertWrappedKey: async (row) => {
      const values = [row.grantId, row.sealedId, row.userKeyVersion, row.wrapped]
      if ((await sql.rows(insertKey, values)).length === 0) throw keysTurned()
    },
    endedGrants: async (grantIds) => {
      const found = await sql.rows<{ grantId: string }>(ended, [grantIds])
      return found.map(({ grantId }) => grantId)
    },
  }
}

/** A row as a grant. */
export function grantOf({ purposeKeyVersion, ...columns }: GrantColumns): GrantRow {
  return { ...columns, purpose: sealedNote(columns.purpose, purposeKeyVersion) }
}
