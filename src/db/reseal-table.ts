import type { HeldGrant, ResealStore, VersionPlace } from '../files/ports.js'
import type { Query, Sql, SqlValue } from './database.js'
import { type GrantColumns, grantOf } from './grants-table.js'
import { run } from './run.js'

type Wish = Parameters<ResealStore['countVersions']>[0]

const OF_FILE = 'from file_versions v where v.file_id = $1'
const OF_PERSON = `from grants g join wrapped_file_keys w on w.grant_id = g.grant_id
    join file_versions v on v.sealed_id = w.sealed_id
    where g.user_id = $1 and g.revoked_at is null`

const page = (name: string, source: string): Query => ({
  name,
  text: `select distinct v.file_id as "fileId", v.version ${source}
    and ($2::uuid is null or (v.file_id, v.version) > ($2::uuid, $3::integer))
    order by v.file_id, v.version limit $4`,
})
const count = (name: string, source: string): Query => ({
  name,
  text: `select count(distinct v.sealed_id)::integer as versions ${source}`,
})
const ofFile = page('reseal-versions-of-file', OF_FILE)
const ofPerson = page('reseal-versions-of-person', OF_PERSON)
const countOfFile = count('reseal-count-of-file', OF_FILE)
const countOfPerson = count('reseal-count-of-person', OF_PERSON)
const holders: Query = {
  name: 'reseal-holders',
  text: `select g.grant_id as "grantId", g.file_id as "fileId", g.user_id as "userId", g.basis,
      g.can_download as "canDownload", g.can_share as "canShare", g.expires_at as "expiresAt",
      g.purpose, g.purpose_key_version as "purposeKeyVersion", g.granted_by as "grantedBy",
      g.granted_at as "grantedAt", w.user_key_version as "userKeyVersion", w.wrapped
    from wrapped_file_keys w join grants g on g.grant_id = w.grant_id
    where w.sealed_id = $1 and g.revoked_at is null order by g.granted_at, g.grant_id`,
}
const lock: Query = {
  name: 'reseal-lock',
  text: 'select version from file_versions where sealed_id = $1 and metadata = $2 for update',
}
const unwrap: Query = {
  name: 'reseal-unwrap',
  text: 'delete from wrapped_file_keys where sealed_id = $1',
}
const replace: Query = {
  name: 'reseal-replace',
  text: `update file_versions set sealed_id = $2, sealed_length = $3, segment_size_log2 = $4, metadata = $5
    where sealed_id = $1`,
}

export function resealTable(sql: Sql): ResealStore {
  return {
    versionsAfter: (wish, after, limit) => {
      const [query, id] = about(wish, ofPerson, ofFile)
      const values: SqlValue[] = [id, after?.fileId ?? null, after?.version ?? null, limit]
      return sql.rows<VersionPlace>(query, values)
    },
    countVersions: async (wish) => {
      const [query, id] = about(wish, countOfPerson, countOfFile)
      return (await sql.rows<{ versions: number }>(query, [id]))[0]?.versions ?? 0
    },
    holders: async (sealedId) =>
      (await sql.rows<GrantColumns & HeldGrant['key']>(holders, [sealedId])).map(
        ({ userKeyVersion, wrapped, ...grant }) => ({
          ...grantOf(grant),
          key: { userKeyVersion, wrapped },
        }),
      ),
    replace: async (row, next) => {
      if ((await sql.rows(lock, [row.sealedId, row.metadata])).length === 0) return false
      // The keys refer to the sealing: they go first.
      await run(sql, unwrap, [row.sealedId])
      const { sealedId, sealedLength, segmentSizeLog2, metadata } = next
      await run(sql, replace, [row.sealedId, sealedId, sealedLength, segmentSizeLog2, metadata])
      return true
    },
  }
}

function about(wish: Wish, person: Query, file: Query): [Query, string] {
  return 'userId' in wish ? [person, wish.userId] : [file, wish.fileId]
}
