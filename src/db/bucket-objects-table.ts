import type { Child, FoundObject, ObjectRow, ObjectStore } from '../buckets/ports.js'
import type { StoredNote } from '../people/account-ports.js'
import type { Query, Sql, SqlValue } from './database.js'
import { run, touches } from './run.js'
import { toNote } from './sealed-notes-table.js'

const COLUMNS = `o.file_id as "fileId", o.bucket, o.key_hash as "keyHash",
  o.folder_hash as "folderHash", o.created_at as "createdAt"`

const find: Query = {
  name: 'bucket-objects-find',
  text: `select ${COLUMNS}, f.owner_id as "ownerId" from bucket_objects o
    join files f on f.file_id = o.file_id where o.key_hash = $1`,
}
const findByFile: Query = {
  name: 'bucket-objects-find-by-file',
  text: `select ${COLUMNS} from bucket_objects o where o.file_id = $1`,
}
const lock: Query = {
  name: 'bucket-objects-lock',
  text: `select ${COLUMNS} from bucket_objects o where o.key_hash = $1 for update`,
}
const insert: Query = {
  name: 'bucket-objects-insert',
  text: `insert into bucket_objects (file_id, bucket, key_hash, folder_hash, created_at)
    values ($1, $2, $3, $4, $5) on conflict (key_hash) do nothing returning file_id`,
}
const remove: Query = {
  name: 'bucket-objects-delete',
  text: 'delete from bucket_objects where file_id = $1',
}

/** A folder from which everything went is there no more, also where its row still is. */
const HAS_SOMETHING = `(b.emptied_at is null
      or exists (select from bucket_objects i where i.folder_hash = b.folder_hash)
      or exists (select from bucket_folders i where i.parent_hash = b.folder_hash))`

const childrenWhere = (name: string, folders: string, keys: string): Query => ({
  name,
  text: `select c.kind, c.id, c.at, c.bucket, c.hash, n.note_id as "noteId",
      n.sealed, n.user_key_version as "userKeyVersion"
    from (
      (select 'folder' as kind, b.folder_id as id, b.created_at as at, b.bucket,
          b.folder_hash as hash, b.note_id
        from bucket_folders b
        where b.parent_hash = $1 and (b.created_at, b.folder_id) > ($2::timestamptz, $3::uuid)
          and ${HAS_SOMETHING}${folders}
        order by b.created_at, b.folder_id limit $4)
      union all
      (select 'object', o.file_id, o.created_at, o.bucket, o.key_hash, null
        from bucket_objects o join files f on f.file_id = o.file_id and f.deleted_at is null
        where o.folder_hash = $1 and (o.created_at, o.file_id) > ($2::timestamptz, $3::uuid)${keys}
        order by o.created_at, o.file_id limit $4)
    ) c left join sealed_notes n on n.note_id = c.note_id
    order by c.at, c.id limit $4`,
})
const children = childrenWhere('bucket-objects-children', '', '')
const someChildren = childrenWhere(
  'bucket-objects-some-children',
  ` and b.folder_hash = any(array(select decode(h, 'hex') from unnest($5::text[]) h))`,
  ` and o.key_hash = any(array(select decode(h, 'hex') from unnest($6::text[]) h))`,
)
const there: Query = {
  name: 'bucket-objects-there',
  text: `select b.folder_hash as hash from unnest($1::text[]) h
      join bucket_folders b on b.folder_hash = decode(h, 'hex') where ${HAS_SOMETHING}
    union all
    select o.key_hash from unnest($1::text[]) h
      join bucket_objects o on o.key_hash = decode(h, 'hex')
      join files f on f.file_id = o.file_id and f.deleted_at is null`,
}

/** Before everything there is. */
const START = { at: new Date(0), id: '00000000-0000-0000-0000-000000000000' }

type ChildColumns = {
  readonly kind: Child['kind']
  readonly id: string
  readonly at: Date
  readonly bucket: string
  /** Of a folder, or of a key. */
  readonly hash: Buffer
} & StoredNote

function toChild({ kind, id, at, bucket, hash, ...note }: ChildColumns): Child {
  return kind === 'object'
    ? { kind, id, at, keyHash: hash }
    : { kind, id, at, folder: { bucket, folderHash: hash, note: toNote(note) } }
}

const hex = (hashes: readonly Buffer[]) => hashes.map((hash) => hash.toString('hex'))

export function bucketObjectsTable(sql: Sql): ObjectStore {
  return {
    find: async (keyHash) => (await sql.rows<FoundObject>(find, [keyHash]))[0],
    findByFile: async (fileId) => (await sql.rows<ObjectRow>(findByFile, [fileId]))[0],
    lock: async (keyHash) => (await sql.rows<ObjectRow>(lock, [keyHash]))[0],
    insert: (row) =>
      touches(sql, insert, [
        ...[row.fileId, row.bucket, row.keyHash, row.folderHash, row.createdAt],
      ]),
    remove: (fileId) => run(sql, remove, [fileId]),
    children: async ({ folderHash, only, limit, after = START }) => {
      const values: SqlValue[] = [folderHash, after.at, after.id, limit]
      const rows =
        only === undefined
          ? await sql.rows<ChildColumns>(children, values)
          : await sql.rows<ChildColumns>(someChildren, [
              ...[...values, hex(only.folders), hex(only.keys)],
            ])
      return rows.map(toChild)
    },
    there: async (hashes) =>
      (await sql.rows<{ hash: Buffer }>(there, [hex(hashes)])).map(({ hash }) => hash),
  }
}
