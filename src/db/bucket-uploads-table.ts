import type { PlaceRow, PlaceStore } from '../buckets/ports.js'
import type { StoredNote } from '../people/account-ports.js'
import type { Query, Sql } from './database.js'
import { run, touches } from './run.js'
import { noteColumns, sealedNotesTable } from './sealed-notes-table.js'

const insert: Query = {
  name: 'bucket-uploads-insert',
  text: `insert into bucket_uploads (file_id, bucket, uploader_id, note_id, created_at, expires_at)
    values ($1, $2, $3, $4, $5, $6)`,
}
const find: Query = {
  name: 'bucket-uploads-find',
  text: `select u.file_id as "fileId", u.bucket, u.uploader_id as "uploaderId",
      u.created_at as "createdAt", u.expires_at as "expiresAt", ${noteColumns}
    from bucket_uploads u left join sealed_notes n on n.note_id = u.note_id where u.file_id = $1`,
}
/** With what was said of them. */
const removeWhere = (name: string, condition: string): Query => ({
  name,
  text: `with gone as (
      delete from bucket_uploads where ${condition} returning file_id, note_id
    ), notes as (
      delete from sealed_notes n using gone where n.note_id = gone.note_id
    )
    select file_id from gone`,
})
const remove = removeWhere('bucket-uploads-delete', 'file_id = $1')
const tidy = removeWhere('bucket-uploads-tidy', 'expires_at < $1')

type Columns = Omit<PlaceRow, 'note'> & {
  readonly [name in keyof StoredNote]: StoredNote[name] | null
}

function toRow({ noteId, sealed, userKeyVersion, ...row }: Columns): PlaceRow {
  const isThere = noteId !== null && sealed !== null && userKeyVersion !== null
  return { ...row, note: isThere ? { noteId, sealed, userKeyVersion } : null }
}

export function bucketUploadsTable(sql: Sql): PlaceStore {
  return {
    insert: async ({ fileId, bucket, uploaderId, note, createdAt, expiresAt }) => {
      if (note !== null) await sealedNotesTable(sql).insert('document', uploaderId, note)
      const noteId = note?.noteId ?? null
      await run(sql, insert, [fileId, bucket, uploaderId, noteId, createdAt, expiresAt])
    },
    find: async (fileId) => {
      const [row] = await sql.rows<Columns>(find, [fileId])
      return row === undefined ? undefined : toRow(row)
    },
    remove: (fileId) => touches(sql, remove, [fileId]),
    tidy: (before) => run(sql, tidy, [before]),
  }
}
