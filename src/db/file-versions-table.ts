import type { FileStore, VersionRow } from '../files/ports.js'
import type { Query, Sql } from './database.js'
import { run } from './run.js'

const insert: Query = {
  name: 'file-versions-insert',
  text: `insert into file_versions (file_id, version, sealed_id, sealed_length, segment_size_log2,
      content_type, size, metadata, created_by, created_at)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
}
const ofFile: Query = {
  name: 'file-versions-of-file',
  text: `select file_id as "fileId", version, sealed_id as "sealedId",
      sealed_length as "sealedLength", segment_size_log2 as "segmentSizeLog2",
      content_type as "contentType", size, metadata, created_by as "createdBy",
      created_at as "createdAt"
    from file_versions where file_id = $1 order by version desc`,
}
const setMetadata: Query = {
  name: 'file-versions-set-metadata',
  text: 'update file_versions set metadata = $2 where sealed_id = $1 returning sealed_id',
}

export function fileVersionsTable(
  sql: Sql,
): Pick<FileStore, 'insertVersion' | 'versions' | 'setMetadata'> {
  return {
    insertVersion: (row) =>
      run(sql, insert, [
        ...[row.fileId, row.version, row.sealedId, row.sealedLength, row.segmentSizeLog2],
        ...[row.contentType, row.size, row.metadata, row.createdBy, row.createdAt],
      ]),
    versions: (fileId) => sql.rows<VersionRow>(ofFile, [fileId]),
    setMetadata: async (sealedId, metadata) =>
      (await sql.rows(setMetadata, [sealedId, metadata])).length > 0,
  }
}
