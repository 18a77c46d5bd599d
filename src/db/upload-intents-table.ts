import type { FileStore } from '../files/ports.js'
import type { Query, Sql } from './database.js'
import { run } from './run.js'

const insert: Query = {
  name: 'upload-intents-insert',
  text: 'insert into upload_intents (sealed_id, created_at) values ($1, $2)',
}
const remove: Query = {
  name: 'upload-intents-remove',
  text: 'delete from upload_intents where sealed_id = $1',
}

export function uploadIntentsTable(sql: Sql): Pick<FileStore, 'insertIntent' | 'removeIntent'> {
  return {
    insertIntent: (sealedId, at) => run(sql, insert, [sealedId, at]),
    removeIntent: (sealedId) => run(sql, remove, [sealedId]),
  }
}
