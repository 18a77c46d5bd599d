import { stat, utimes } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { Database } from '../../../src/db/database.js'
import { openEmbeddedDatabase } from '../../../src/db/embedded-database.js'
import { openPostgresDatabase } from '../../../src/db/postgres-database.js'
import type { Server } from '../../acceptance/support/server.js'
import type { Item } from './service-model.js'

/** Works on the database of a service that has stopped. */
export async function onDatabase<T>(
  { database, dataDir }: Server,
  work: (database: Database) => Promise<T>,
): Promise<T> {
  const opened =
    database === undefined
      ? await openEmbeddedDatabase({ folder: join(dataDir, 'database') })
      : await openPostgresDatabase({ url: database.url, poolSize: 2 })
  try {
    return await work(opened)
  } finally {
    await opened.close()
  }
}

const hours = 2

/** What a service that was killed noted the time of. */
const goBack = `
update upload_intents set created_at = created_at - interval '${hours} hours';
update idempotency_keys set lease_until = lease_until - interval '${hours} hours'
  where completed_at is null;
update jobs set run_after = run_after - interval '${hours} hours',
  lease_until = lease_until - interval '${hours} hours' where kind <> 'purge';
update key_nodes set seen_at = seen_at - interval '${hours} hours';
`

/**
 * As if the service, which has stopped, were started again hours later, when the time of what was
 * deleted is over, too. Purging, which is done every hour, is left to those who ask for it.
 */
export async function letHoursPass(
  server: Server,
  database: Database,
  items: readonly Item[],
): Promise<void> {
  await database.script(goBack)
  await ageFiles(server)
  const deleted = items.filter(({ state, isFinal }) => !state.isLive && !isFinal)
  await database.rows(endRetention, [deleted.map(({ id }) => id)])
  for (const item of deleted) item.isFinal = true
}

const endRetention = {
  name: '',
  text: `update files set purge_after = now() - interval '1 hour'
    where file_id = any($1::uuid[]) and purged_at is null`,
}

/** What is stored while nobody writes was written hours ago. */
export async function ageFiles(server: Server): Promise<void> {
  const at = new Date(Date.now() - hours * 3_600_000)
  for (const path of await server.blobs()) await utimes(path, at, at)
}

interface Id {
  readonly id: string
}

async function idsOf(database: Database, text: string): Promise<string[]> {
  return (await database.rows<Id>({ name: '', text })).map(({ id }) => id)
}

/** Rows there must not be once a service that was killed has tidied up, and its uploads were sent again. */
const noRows: Readonly<Record<string, string>> = {
  'an intent': 'select sealed_id::text as id from upload_intents',
  'a claim nobody ended': `select route || ' of ' || caller_id as id from idempotency_keys
    where completed_at is null`,
  'an erasure nobody finished': `select erasure_id::text as id from erasures
    where finished_at is null`,
  'bytes that were to be shredded': 'select sealed_id::text as id from erasure_blobs',
  'a file that was to be destroyed': `select file_id::text as id from files
    where deleted_at is not null and purge_after <= now() and purged_at is null`,
  'a fingerprint of a destroyed file': `select file_id::text as id from files
    where purged_at is not null and fingerprint is not null`,
  'a version of a destroyed file': `select v.sealed_id::text as id
    from file_versions v join files f on f.file_id = v.file_id where f.purged_at is not null`,
  'a grant on a destroyed file': `select g.grant_id::text as id
    from grants g join files f on f.file_id = g.file_id
    where f.purged_at is not null and g.revoked_at is null`,
  'a key of a destroyed file, or of a grant that ended': `select w.grant_id::text as id
    from wrapped_file_keys w join grants g on g.grant_id = w.grant_id
    join files f on f.file_id = g.file_id
    where f.purged_at is not null or g.revoked_at is not null`,
  'a version without its owner’s key': `select v.sealed_id::text as id from file_versions v
    join files f on f.file_id = v.file_id where not exists (
      select from wrapped_file_keys w join grants g on g.grant_id = w.grant_id
      where w.sealed_id = v.sealed_id and g.user_id = f.owner_id and g.basis = 'own')`,
  'a file without its current version': `select f.file_id::text as id from files f
    where f.purged_at is null and not exists (
      select from file_versions v where v.file_id = f.file_id and v.version = f.version)`,
}

export interface Expected {
  readonly items: readonly Item[]
  /** Of every key. */
  readonly masterKeyId: string
  /** Kinds of jobs that are always there. */
  readonly recurring: ReadonlySet<string>
}

const notDone = {
  name: '',
  text: `select kind as id from jobs where kind <> all($1::text[]) or lease_until is not null`,
}

/** Whatever is in the database and should not be, or the other way round, in words. */
export async function wrongRows(
  database: Database,
  { items, masterKeyId, recurring }: Expected,
): Promise<string[]> {
  const wrong: string[] = []
  const jobs = await database.rows<Id>(notDone, [[...recurring]])
  for (const { id } of jobs) wrong.push(`a job nobody ended: ${id}`)
  for (const [what, text] of Object.entries(noRows)) {
    for (const id of await idsOf(database, text)) wrong.push(`${what}: ${id}`)
  }
  const others = await idsOf(
    database,
    `select user_id as id from user_keys where master_key_id is distinct from '${masterKeyId}'
      union all select key_use as id from deployment_keys where master_key_id <> '${masterKeyId}'`,
  )
  for (const id of others) wrong.push(`under another master key: ${id}`)
  return [...wrong, ...(await wrongFiles(database, items))]
}

interface FileState {
  readonly id: string
  readonly isDeleted: boolean
  readonly isPurged: boolean
}

/** The files there are against the book of what was acknowledged. */
async function wrongFiles(database: Database, items: readonly Item[]): Promise<string[]> {
  const rows = await database.rows<FileState>({
    name: '',
    text: `select file_id::text as id, deleted_at is not null as "isDeleted",
      purged_at is not null as "isPurged" from files`,
  })
  const unknown = new Map(rows.map((row) => [row.id, row]))
  const wrong: string[] = []
  for (const { id, state, isFinal } of items) {
    const row = unknown.get(id)
    unknown.delete(id)
    const isPurged = isFinal && !state.isLive
    if (row?.isDeleted !== !state.isLive || row.isPurged !== isPurged) {
      wrong.push(`file ${id}: ${JSON.stringify({ ...row, ...state, isFinal })}`)
    }
  }
  return [...wrong, ...[...unknown.keys()].map((id) => `a file nobody knows of: ${id}`)]
}

export interface Bytes {
  /** Sealed files in their places, and how long each is. */
  readonly placed: ReadonlyMap<string, number>
  /** Begun and never completed. */
  readonly incoming: readonly string[]
  /** Set aside. */
  readonly aside: readonly string[]
}

export async function bytesIn(server: Server): Promise<Bytes> {
  const placed = new Map<string, number>()
  const incoming: string[] = []
  const aside: string[] = []
  for (const path of await server.blobs()) {
    const [folder, name] = [basename(dirname(path)), basename(path)]
    if (folder === 'incoming') incoming.push(name)
    else if (folder === 'aside') aside.push(name)
    else placed.set(name, (await stat(path)).size)
  }
  return { placed, incoming, aside }
}

export interface Version {
  readonly id: string
  readonly length: number
}

/** Every version's sealed bytes, as the database has them. */
export async function versionsIn(database: Database): Promise<Version[]> {
  return await database.rows<Version>({
    name: '',
    text: 'select sealed_id::text as id, sealed_length as length from file_versions',
  })
}

/** Rows against bytes, both ways: nothing is missing and nothing is left. */
export function wrongBytes(
  { placed, incoming, aside }: Bytes,
  versions: readonly Version[],
): string[] {
  const rows = new Map(versions.map(({ id, length }) => [id, length]))
  const missing = versions.flatMap(({ id, length }) =>
    placed.get(id) === length
      ? []
      : [`a version whose bytes are not there: ${id}, ${placed.get(id) ?? 'no'} of ${length}`],
  )
  const orphans = [...placed.keys()].filter((id) => !rows.has(id))
  return [
    ...missing,
    ...orphans.map((id) => `bytes without a row: ${id}`),
    ...incoming.map((name) => `half-written: ${name}`),
    ...aside.map((id) => `set aside and not destroyed: ${id}`),
  ]
}
