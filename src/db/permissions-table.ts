import type { StoredNote } from '../people/account-ports.js'
import type { PermissionRow, PermissionStore } from '../people/permission-ports.js'
import type { Query, Sql } from './database.js'
import { run, touches } from './run.js'
import { noteColumns, sealedNotesTable, toNote } from './sealed-notes-table.js'

const SELECT = `select p.permission_id as "permissionId", p.user_id as "userId", p.bucket,
    p.can_read as "canRead", p.can_write as "canWrite", p.can_delete as "canDelete",
    p.can_list as "canList", p.created_at as "createdAt", p.updated_at as "updatedAt", ${noteColumns}
  from permissions p join sealed_notes n on n.note_id = p.note_id`

const insertPerson: Query = {
  name: 'permissions-person',
  text: `insert into principals (principal_id) values ($1) on conflict (principal_id) do nothing`,
}
const insert: Query = {
  name: 'permissions-insert',
  text: `insert into permissions (permission_id, user_id, bucket, prefix_hash, note_id, can_read,
      can_write, can_delete, can_list, created_at, updated_at)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10)
    on conflict (user_id, bucket, prefix_hash) do nothing returning permission_id`,
}
const isTaken: Query = {
  name: 'permissions-is-taken',
  text: `select 1 from permissions
    where user_id = $1 and bucket = $2 and prefix_hash = $3 and permission_id <> $4`,
}
const find: Query = { name: 'permissions-find', text: `${SELECT} where p.permission_id = $1::uuid` }
const list: Query = {
  name: 'permissions-list',
  text: `${SELECT}
    where ($1::text is null or p.user_id = $1)
      and ($2::timestamptz is null or (p.created_at, p.permission_id) < ($2::timestamptz, $3::uuid))
    order by p.created_at desc, p.permission_id desc limit $4`,
}
const of: Query = {
  name: 'permissions-of',
  text: `${SELECT} where p.user_id = $1 and p.bucket = $2`,
}
const replace: Query = {
  name: 'permissions-replace',
  text: `update permissions set note_id = $3, prefix_hash = $4, can_read = $5, can_write = $6,
      can_delete = $7, can_list = $8, updated_at = $9
    where permission_id = $1 and note_id = $2 returning permission_id`,
}
const remove: Query = {
  name: 'permissions-delete',
  text: 'delete from permissions where permission_id = $1::uuid returning note_id as "noteId"',
}

type Columns = Omit<PermissionRow, 'note'> & StoredNote

const toRow = ({ noteId, sealed, userKeyVersion, ...row }: Columns): PermissionRow => ({
  ...row,
  note: toNote({ noteId, sealed, userKeyVersion }),
})

export function permissionsTable(sql: Sql): PermissionStore {
  const notes = sealedNotesTable(sql)
  const terms = (row: PermissionRow) => [row.canRead, row.canWrite, row.canDelete, row.canList]
  return {
    insert: async (row, { spaceId, prefixHash }) => {
      const { permissionId, userId, bucket, note } = row
      if (await touches(sql, isTaken, [userId, bucket, prefixHash, permissionId])) return false
      await run(sql, insertPerson, [userId])
      await notes.insert('permission', spaceId, note)
      return await touches(sql, insert, [
        ...[permissionId, userId, bucket, prefixHash, note.noteId],
        ...[...terms(row), row.createdAt],
      ])
    },
    find: async (permissionId) => {
      const [row] = await sql.rows<Columns>(find, [permissionId])
      return row === undefined ? undefined : toRow(row)
    },
    list: async ({ userId, limit, after }) => {
      const values = [userId ?? null, after?.at ?? null, after?.id ?? null, limit]
      return (await sql.rows<Columns>(list, values)).map(toRow)
    },
    of: async (userId, bucket) => (await sql.rows<Columns>(of, [userId, bucket])).map(toRow),
    replace: async (row, was, { spaceId, prefixHash }) => {
      const { permissionId, userId, bucket, note } = row
      if (await touches(sql, isTaken, [userId, bucket, prefixHash, permissionId])) return 'taken'
      await notes.insert('permission', spaceId, note)
      const values = [permissionId, was, note.noteId, prefixHash, ...terms(row), row.updatedAt]
      if (!(await touches(sql, replace, values))) return 'changed'
      await notes.remove(was)
      return 'done'
    },
    remove: async (permissionId) => {
      const [removed] = await sql.rows<{ noteId: string }>(remove, [permissionId])
      if (removed === undefined) return false
      await notes.remove(removed.noteId)
      return true
    },
  }
}
