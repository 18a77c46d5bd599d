import type {
  FileEntry,
  FileKind,
  FileRow,
  FileStore,
  HeldGrant,
  VersionRow,
} from '../files/ports.js'
import type { GrantBasis } from '../keys/wrapping.js'
import type { Query, Sql, SqlValue } from './database.js'
import { documentPage, grantedPage, ownedPage } from './file-pages.js'
import { sealedNote } from './grants-table.js'

const COLUMNS = `f.file_id as "fileId", f.kind, f.owner_id as "ownerId",
  f.uploader_id as "uploaderId", f.record_id as "recordId", f.record_type_id as "recordTypeId",
  f.version as "currentVersion", f.created_at as "createdAt", f.updated_at as "updatedAt",
  f.deleted_at as "deletedAt", f.purge_after as "purgeAfter",
  v.version, v.sealed_id as "sealedId", v.sealed_length as "sealedLength",
  v.segment_size_log2 as "segmentSizeLog2", v.content_type as "contentType", v.size, v.metadata,
  v.created_by as "versionBy", v.created_at as "versionAt",
  g.grant_id as "grantId", g.user_id as "userId", g.basis, g.can_download as "canDownload",
  g.can_share as "canShare", g.expires_at as "expiresAt", g.purpose,
  g.purpose_key_version as "purposeKeyVersion", g.granted_by as "grantedBy",
  g.granted_at as "grantedAt", w.user_key_version as "userKeyVersion", w.wrapped`

/** What user `$1` holds on version `v` of file `f`: a grant without a key of it opens nothing. */
const HELD = `left join (grants g join wrapped_file_keys w on w.grant_id = g.grant_id)
    on g.file_id = f.file_id and g.user_id = $1 and g.revoked_at is null
    and w.sealed_id = v.sealed_id`

const CURRENT = `join file_versions v on v.file_id = f.file_id and v.version = f.version ${HELD}
  order by f.created_at desc, f.file_id desc, g.granted_at, g.grant_id`

const oneWhere = (name: string, condition: string): Query => ({
  name,
  text: `select ${COLUMNS} from files f
    join file_versions v on v.file_id = f.file_id and v.version = coalesce($3, f.version) ${HELD}
    where f.file_id = $2 and f.purged_at is null and ${condition}
    order by g.granted_at, g.grant_id`,
})
const one = oneWhere('file-entries-one', 'f.awaits_until is null')
const awaiting = oneWhere('file-entries-awaiting', 'f.awaits_until is not null')
const stored = oneWhere('file-entries-stored', 'true')
const byFingerprint = (kind: FileKind): Query => ({
  name: `file-entries-by-fingerprint-${kind}`,
  text: `select ${COLUMNS} from (
      select f.file_id from files f
      where f.owner_id = $2 and f.kind = '${kind}' and f.fingerprint = $3 and f.deleted_at is null
        and f.awaits_until is null
    ) page join files f on f.file_id = page.file_id ${CURRENT}`,
})

/** Of ids that are given: each is looked up by itself. */
const these: Query = {
  name: 'file-entries-these',
  text: `select ${COLUMNS} from (select unnest($2::uuid[]) as file_id) page
    join files f on f.file_id = page.file_id and f.purged_at is null and f.awaits_until is null
    ${CURRENT}`,
}

interface FileColumns extends Omit<FileRow, 'version'> {
  readonly currentVersion: number
}

interface VersionColumns extends Omit<VersionRow, 'fileId' | 'createdBy' | 'createdAt'> {
  readonly versionBy: string
  readonly versionAt: Date
}

/** Columns of a grant and its key; the left join leaves all of them null where there is none. */
interface HeldColumns {
  readonly userId: string
  readonly basis: GrantBasis
  readonly canDownload: boolean
  readonly canShare: boolean
  readonly expiresAt: Date | null
  readonly purpose: string | null
  readonly purposeKeyVersion: number | null
  readonly grantedBy: string
  readonly grantedAt: Date
  readonly userKeyVersion: number
  readonly wrapped: string
}

type EntryColumns = FileColumns & VersionColumns & HeldColumns & { readonly grantId: string | null }

export function fileEntries(
  sql: Sql,
): Pick<
  FileStore,
  | 'entry'
  | 'awaitingEntry'
  | 'storedEntry'
  | 'entries'
  | 'entriesByFingerprint'
  | 'ownedEntries'
  | 'grantedEntries'
  | 'documentEntries'
> {
  const list = async (query: Query, values: readonly SqlValue[]): Promise<FileEntry[]> =>
    toEntries(await sql.rows<EntryColumns>(query, values))
  return {
    entry: async (fileId, userId, version) =>
      (await list(one, [userId, fileId, version ?? null]))[0],
    storedEntry: async (fileId, userId, version) =>
      (await list(stored, [userId, fileId, version ?? null]))[0],
    entries: (fileIds, userId) => list(these, [userId, fileIds]),
    awaitingEntry: async (fileId, userId) => (await list(awaiting, [userId, fileId, null]))[0],
    entriesByFingerprint: (kind, ownerId, fingerprint, userId) =>
      list(byFingerprint(kind), [userId, ownerId, fingerprint]),
    ownedEntries: (ownerId, query) => {
      const page = ownedPage(ownerId, query)
      return list({ name: page.name, text: entriesOf(page.text) }, [ownerId, ...page.values])
    },
    documentEntries: (userId, query) => {
      const page = documentPage(query)
      return list({ name: page.name, text: entriesOf(page.text) }, [userId, ...page.values])
    },
    grantedEntries: (userId, query) => {
      const page = grantedPage(query)
      return list({ name: page.name, text: entriesOf(page.text) }, [userId, ...page.values])
    },
  }
}

/** The files of a page, each with what `$1` holds on it. */
function entriesOf(page: string): string {
  return `select ${COLUMNS} from (${page}) page join files f on f.file_id = page.file_id ${CURRENT}`
}

/** A file has a row for each grant held on it, and at least one. */
function toEntries(rows: readonly EntryColumns[]): FileEntry[] {
  const byFile = new Map<string, EntryColumns[]>()
  for (const row of rows) {
    const group = byFile.get(row.fileId)
    if (group === undefined) byFile.set(row.fileId, [row])
    else group.push(row)
  }
  return [...byFile.values()].flatMap((group) => {
    const [first] = group
    if (first === undefined) return []
    return [{ file: toFile(first), version: toVersion(first), held: group.flatMap(toHeld) }]
  })
}

function toFile(row: EntryColumns): FileRow {
  return {
    fileId: row.fileId,
    kind: row.kind,
    ownerId: row.ownerId,
    uploaderId: row.uploaderId,
    recordId: row.recordId,
    recordTypeId: row.recordTypeId,
    version: row.currentVersion,
    createdAt: row.createdAt,
    updatedAt: row.updatedAt,
    deletedAt: row.deletedAt,
    purgeAfter: row.purgeAfter,
  }
}

function toVersion(row: EntryColumns): VersionRow {
  return {
    fileId: row.fileId,
    version: row.version,
    sealedId: row.sealedId,
    sealedLength: row.sealedLength,
    segmentSizeLog2: row.segmentSizeLog2,
    contentType: row.contentType,
    size: row.size,
    metadata: row.metadata,
    createdBy: row.versionBy,
    createdAt: row.versionAt,
  }
}

function toHeld(row: EntryColumns): HeldGrant[] {
  if (row.grantId === null) return []
  return [
    {
      grantId: row.grantId,
      fileId: row.fileId,
      userId: row.userId,
      basis: row.basis,
      canDownload: row.canDownload,
      canShare: row.canShare,
      expiresAt: row.expiresAt,
      purpose: sealedNote(row.purpose, row.purposeKeyVersion),
      grantedBy: row.grantedBy,
      grantedAt: row.grantedAt,
      key: { userKeyVersion: row.userKeyVersion, wrapped: row.wrapped },
    },
  ]
}
