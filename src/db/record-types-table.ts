import type { RecordType, RecordTypeStore } from '../records/ports.js'
import type { Query, Sql, SqlValue } from './database.js'

const COLUMNS = `type_id as "id", name, allowed_types as "allowedTypes", max_bytes as "maxBytes",
  retention_days as "retentionDays", sensitive`

const all: Query = {
  name: 'record-types-all',
  text: `select ${COLUMNS} from record_types order by type_id`,
}
const find: Query = {
  name: 'record-types-find',
  text: `select ${COLUMNS} from record_types where type_id = $1`,
}
const insert: Query = {
  name: 'record-types-insert',
  text: `insert into record_types (type_id, name, allowed_types, max_bytes, retention_days, sensitive)
    values ($1, $2, $3, $4, $5, $6) on conflict (type_id) do nothing returning type_id`,
}
const update: Query = {
  name: 'record-types-update',
  text: `update record_types
    set name = $2, allowed_types = $3, max_bytes = $4, retention_days = $5, sensitive = $6
    where type_id = $1 returning type_id`,
}
const lock: Query = {
  name: 'record-types-lock',
  text: 'select type_id from record_types where type_id = $1 for update',
}
const remove: Query = {
  name: 'record-types-remove',
  text: `delete from record_types t
    where t.type_id = $1 and not exists (select from files f where f.record_type_id = t.type_id)
      and not exists (select from documents d where d.record_type_id = t.type_id)
    returning t.type_id`,
}

export function recordTypesTable(sql: Sql): RecordTypeStore {
  return {
    all: () => sql.rows<RecordType>(all),
    find: async (id) => (await sql.rows<RecordType>(find, [id]))[0],
    insert: async (type) => (await sql.rows(insert, toValues(type))).length > 0,
    update: async (type) => (await sql.rows(update, toValues(type))).length > 0,
    remove: async (id) => {
      // In a transaction this waits for uploads under the type, which the next statement then sees.
      if ((await sql.rows(lock, [id])).length === 0) return 'unknown'
      return (await sql.rows(remove, [id])).length > 0 ? 'removed' : 'used'
    },
  }
}

function toValues(type: RecordType): SqlValue[] {
  return [
    ...[type.id, type.name, type.allowedTypes, type.maxBytes, type.retentionDays],
    type.sensitive,
  ]
}
