import type { FolderStore } from '../buckets/ports.js'
import type { Query, Sql } from './database.js'
import { run, touches } from './run.js'
import { sealedNotesTable } from './sealed-notes-table.js'

const known: Query = {
  name: 'bucket-folders-known',
  text: `select b.folder_hash as hash from unnest($1::text[]) h
    join bucket_folders b on b.folder_hash = decode(h, 'hex')`,
}
/** Many may keep it at once; whoever removes it waits for all of them. */
const keep: Query = {
  name: 'bucket-folders-keep',
  text: 'select folder_hash from bucket_folders where folder_hash = $1 for key share',
}
const insert: Query = {
  name: 'bucket-folders-insert',
  text: `insert into bucket_folders (folder_hash, folder_id, bucket, parent_hash, note_id, created_at)
    values ($1, $2, $3, $4, $5, $6) on conflict (folder_hash) do nothing returning folder_id`,
}
const markEmptied: Query = {
  name: 'bucket-folders-mark-emptied',
  text: 'update bucket_folders set emptied_at = $2 where folder_hash = $1',
}
const emptied: Query = {
  name: 'bucket-folders-emptied',
  text: `select folder_hash as hash from bucket_folders where emptied_at is not null
    order by emptied_at limit $1`,
}
const lock: Query = {
  name: 'bucket-folders-lock',
  text: `select note_id as "noteId", parent_hash as "parentHash" from bucket_folders
    where folder_hash = $1 for update`,
}
/** After the lock, in a statement of its own: it sees what those who kept the folder put into it. */
const hasSomething: Query = {
  name: 'bucket-folders-has-something',
  text: `select 1 where exists (select from bucket_objects where folder_hash = $1)
    or exists (select from bucket_folders where parent_hash = $1)`,
}
const clearMark: Query = {
  name: 'bucket-folders-clear-mark',
  text: 'update bucket_folders set emptied_at = null where folder_hash = $1',
}
const remove: Query = {
  name: 'bucket-folders-delete',
  text: 'delete from bucket_folders where folder_hash = $1',
}

export function bucketFoldersTable(sql: Sql): FolderStore {
  const notes = sealedNotesTable(sql)
  return {
    known: async (folderHashes) => {
      const hex = folderHashes.map((hash) => hash.toString('hex'))
      return (await sql.rows<{ hash: Buffer }>(known, [hex])).map(({ hash }) => hash)
    },
    keep: (folderHash) => touches(sql, keep, [folderHash]),
    insert: async ({ folderHash, folderId, bucket, parentHash, note, createdAt }, spaceId) => {
      await notes.insert('folder', spaceId, note)
      const made = await touches(sql, insert, [
        ...[folderHash, folderId, bucket, parentHash, note.noteId, createdAt],
      ])
      if (!made) await notes.remove(note.noteId)
      return made
    },
    markEmptied: (folderHash, at) => run(sql, markEmptied, [folderHash, at]),
    emptied: async (limit) =>
      (await sql.rows<{ hash: Buffer }>(emptied, [limit])).map(({ hash }) => hash),
    removeEmpty: async (folderHash, at) => {
      type Columns = { readonly noteId: string; readonly parentHash: Buffer }
      const [found] = await sql.rows<Columns>(lock, [folderHash])
      if (found === undefined) return undefined
      if (await touches(sql, hasSomething, [folderHash])) {
        await run(sql, clearMark, [folderHash])
        return undefined
      }
      await run(sql, remove, [folderHash])
      await notes.remove(found.noteId)
      await run(sql, markEmptied, [found.parentHash, at])
      return found.parentHash
    },
  }
}
