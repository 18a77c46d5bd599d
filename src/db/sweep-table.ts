import type { StoredVersion, SweepStore } from '../files/ports.js'
import type { Query, Sql } from './database.js'

const columns = `sealed_id as "sealedId", sealed_length as "sealedLength", file_id as "fileId", version`
const first: Query = {
  name: 'sweep-versions-first',
  text: `select ${columns} from file_versions order by sealed_id limit $1`,
}
const after: Query = {
  name: 'sweep-versions-after',
  text: `select ${columns} from file_versions where sealed_id > $1 order by sealed_id limit $2`,
}
const one: Query = {
  name: 'sweep-version',
  text: `select ${columns} from file_versions where sealed_id = $1`,
}
const count: Query = {
  name: 'sweep-versions-count',
  text: 'select count(*)::integer as versions from file_versions',
}
const intents: Query = {
  name: 'sweep-intents',
  text: `select sealed_id as "sealedId" from upload_intents
    where created_at < $1 and ($2::uuid is null or sealed_id > $2) order by sealed_id limit $3`,
}

/** In the order of sealed ids: a UUID is compared byte by byte, as its text is. */
export function sweepTable(sql: Sql): SweepStore {
  return {
    versionsAfter: (sealedId, limit) =>
      sealedId === undefined
        ? sql.rows<StoredVersion>(first, [limit])
        : sql.rows<StoredVersion>(after, [sealedId, limit]),
    storedVersion: async (sealedId) => (await sql.rows<StoredVersion>(one, [sealedId]))[0],
    countVersions: async () => (await sql.rows<{ versions: number }>(count))[0]?.versions ?? 0,
    intentsBefore: async (before, sealedId, limit) => {
      const found = await sql.rows<{ sealedId: string }>(intents, [before, sealedId ?? null, limit])
      return found.map((row) => row.sealedId)
    },
  }
}
