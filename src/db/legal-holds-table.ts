import type { HoldRow, HoldStore } from '../erasure/ports.js'
import type { Query, Sql } from './database.js'
import { run } from './run.js'

const COLUMNS = `hold_id as "holdId", file_id as "fileId", person_id as "personId", reference,
  placed_by as "placedBy", placed_at as "placedAt", released_by as "releasedBy",
  released_at as "releasedAt"`

const insert: Query = {
  name: 'legal-holds-insert',
  text: `insert into legal_holds (hold_id, file_id, person_id, reference, placed_by, placed_at)
    values ($1, $2, $3, $4, $5, $6)`,
}
const release: Query = {
  name: 'legal-holds-release',
  text: `update legal_holds set released_by = $2, released_at = $3
    where hold_id = $1 and released_at is null returning ${COLUMNS}`,
}
const list: Query = {
  name: 'legal-holds-list',
  text: `select ${COLUMNS} from legal_holds where $1 or released_at is null
    order by placed_at, hold_id`,
}

export function legalHoldsTable(sql: Sql): HoldStore {
  return {
    insert: (row) =>
      run(sql, insert, [
        ...[row.holdId, row.fileId, row.personId, row.reference, row.placedBy, row.placedAt],
      ]),
    release: async (holdId, by, at) => (await sql.rows<HoldRow>(release, [holdId, by, at]))[0],
    list: ({ releasedToo }) => sql.rows<HoldRow>(list, [releasedToo]),
  }
}
