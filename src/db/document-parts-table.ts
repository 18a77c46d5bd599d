import type { DocumentPartRow, DocumentPartStore } from '../documents/ports.js'
import type { Query, Sql } from './database.js'
import {
  type DocumentColumns,
  PARTS_HELD,
  SELECT_DOCUMENT,
  toDocumentRow,
} from './documents-table.js'
import { touches } from './run.js'

/** `old` is read as it was before the statement. */
const put: Query = {
  name: 'document-parts-put',
  text: `with old as (
      select file_id from document_parts where document_id = $1 and part_number = $2
    ), placed as (
      insert into document_parts (document_id, part_number, file_id, size, created_at)
      values ($1, $2, $3, $4, $5)
      on conflict (document_id, part_number) do update
        set file_id = excluded.file_id, size = excluded.size, created_at = excluded.created_at
    )
    select file_id as "fileId" from old`,
}
const list: Query = {
  name: 'document-parts-list',
  text: `select document_id as "documentId", part_number as "partNumber", file_id as "fileId",
      size::float8 as size
    from document_parts where document_id = $1 order by part_number`,
}
const remove: Query = {
  name: 'document-parts-remove',
  text: 'delete from document_parts where document_id = $1 returning file_id as "fileId"',
}
const isHeld: Query = {
  name: 'document-parts-is-held',
  text: `select 1 from documents d where d.file_id = $1 and ${PARTS_HELD}`,
}
const leftOver: Query = {
  name: 'document-parts-left-over',
  text: `${SELECT_DOCUMENT} where d.state = 'failed' and d.in_parts
      and exists (select from document_parts p where p.document_id = d.file_id)
      and not ${PARTS_HELD}
    limit $1`,
}

interface FileColumn {
  readonly fileId: string
}

export function documentPartsTable(sql: Sql): DocumentPartStore {
  return {
    put: async ({ documentId, partNumber, fileId, size }, at) =>
      (await sql.rows<FileColumn>(put, [documentId, partNumber, fileId, size, at]))[0]?.fileId,
    list: async (documentId) => await sql.rows<DocumentPartRow>(list, [documentId]),
    remove: async (documentId) =>
      (await sql.rows<FileColumn>(remove, [documentId])).map(({ fileId }) => fileId),
    isHeld: (documentId) => touches(sql, isHeld, [documentId]),
    leftOver: async (limit) =>
      (await sql.rows<DocumentColumns>(leftOver, [limit])).map(toDocumentRow),
  }
}
