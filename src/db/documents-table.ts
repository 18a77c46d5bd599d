import type { DocumentRow, DocumentStore } from '../documents/ports.js'
import { StrongroomError } from '../errors/strongroom-error.js'
import type { StoredNote } from '../people/account-ports.js'
import type { Query, Sql } from './database.js'
import { run } from './run.js'
import { sealedNotesTable } from './sealed-notes-table.js'
import { violatedReference } from './sql-errors.js'

/** Read with what it joins as a row of its own. */
export const SELECT_DOCUMENT = `select d.file_id as "fileId", d.family, d.kind, d.key, d.owner_id as "ownerId",
    d.uploader_id as "uploaderId", d.space_id as "spaceId", d.record_type_id as "recordTypeId",
    d.clinic_hash as "clinicHash", d.state, d.in_parts as "inParts", d.created_at as "createdAt", d.updated_at as "updatedAt",
    d.expires_at as "expiresAt", n.note_id as "noteId", n.sealed,
    n.user_key_version as "userKeyVersion"
  from documents d left join sealed_notes n on n.note_id = d.note_id`

/** Of a document `d` in parts: a hold stands on its owner, or on any of them. */
export const PARTS_HELD = `exists (select from legal_holds h where h.released_at is null
  and (h.person_id = d.owner_id or h.file_id in (
    select p.file_id from document_parts p where p.document_id = d.file_id)))`

const insert: Query = {
  name: 'documents-insert',
  text: `insert into documents (file_id, family, kind, key, owner_id, uploader_id, space_id,
      record_type_id, clinic_hash, state, note_id, created_at, updated_at, expires_at, in_parts)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)`,
}
const find: Query = { name: 'documents-find', text: `${SELECT_DOCUMENT} where d.file_id = $1` }
const findByKey: Query = {
  name: 'documents-find-by-key',
  text: `${SELECT_DOCUMENT} where d.key = $1`,
}
const lock: Query = {
  name: 'documents-lock',
  text: `${SELECT_DOCUMENT} where d.file_id = $1 for update of d`,
}
const list: Query = {
  name: 'documents-list',
  text: `${SELECT_DOCUMENT} where d.file_id = any($1::uuid[])`,
}
/** What was said beforehand has served once the bytes are there, which say it themselves, or never will be. */
const setState: Query = {
  name: 'documents-set-state',
  text: `with changed as (
      update documents set state = $2, updated_at = $3 where file_id = $1 returning note_id
    )
    delete from sealed_notes n using changed
    where n.note_id = changed.note_id and $2 <> 'Awaiting'`,
}
const giveUp: Query = {
  name: 'documents-give-up',
  text: `with given as (
      update documents d set state = 'failed', updated_at = $1
      where (state = 'Awaiting' and expires_at < $1 and not (in_parts and ${PARTS_HELD}))
        or (state = 'uploading' and exists (select from files f
          where f.file_id = d.file_id and f.deleted_at is not null))
      returning note_id
    ), notes as (
      delete from sealed_notes n using given where n.note_id = given.note_id
    )
    select count(*)::int as count from given`,
}
const unconfirmed: Query = {
  name: 'documents-unconfirmed',
  text: `${SELECT_DOCUMENT} join files f on f.file_id = d.file_id
    where d.state = 'uploading' and f.awaits_until < $1 and f.deleted_at is null
      and not exists (select from legal_holds h where h.released_at is null
        and (h.file_id = f.file_id or h.person_id = f.owner_id))
    order by f.awaits_until, d.file_id limit $2`,
}

export type DocumentColumns = Omit<DocumentRow, 'note'> & {
  readonly [name in keyof StoredNote]: StoredNote[name] | null
}

export function toDocumentRow({
  noteId,
  sealed,
  userKeyVersion,
  ...row
}: DocumentColumns): DocumentRow {
  const isThere = noteId !== null && sealed !== null && userKeyVersion !== null
  return { ...row, note: isThere ? { noteId, sealed, userKeyVersion } : null }
}

const forget: Query = {
  name: 'documents-forget',
  text: `delete from documents where state = 'failed' and updated_at < $1
      and not exists (select from document_parts p where p.document_id = documents.file_id)`,
}

/** A type may be deleted between the first look at it and the commit. */
async function withKnownType(insertion: () => Promise<void>): Promise<void> {
  try {
    await insertion()
  } catch (error) {
    if (violatedReference(error) !== 'documents_record_type_id_fkey') throw error
    throw new StrongroomError('invalid_field', { detail: 'medicalRecordTypeId: not known' })
  }
}

export function documentsTable(sql: Sql): DocumentStore {
  const one = async (query: Query, value: string) => {
    const [row] = await sql.rows<DocumentColumns>(query, [value])
    return row === undefined ? undefined : toDocumentRow(row)
  }
  return {
    insert: async (row) => {
      const { note } = row
      if (note !== null) await sealedNotesTable(sql).insert('document', row.ownerId, note)
      await withKnownType(() =>
        run(sql, insert, [
          ...[row.fileId, row.family, row.kind, row.key, row.ownerId, row.uploaderId],
          ...[row.spaceId, row.recordTypeId, row.clinicHash, row.state, note?.noteId ?? null],
          ...[row.createdAt, row.updatedAt, row.expiresAt, row.inParts],
        ]),
      )
    },
    find: (fileId) => one(find, fileId),
    findByKey: (key) => one(findByKey, key),
    lock: (fileId) => one(lock, fileId),
    list: async (fileIds) => (await sql.rows<DocumentColumns>(list, [fileIds])).map(toDocumentRow),
    setState: (fileId, state, at) => run(sql, setState, [fileId, state, at]),
    giveUp: async (at) => (await sql.rows<{ count: number }>(giveUp, [at]))[0]?.count ?? 0,
    forget: (before) => run(sql, forget, [before]),
    unconfirmed: async (at, limit) =>
      (await sql.rows<DocumentColumns>(unconfirmed, [at, limit])).map(toDocumentRow),
  }
}
