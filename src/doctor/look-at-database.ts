import type { Query, Sql } from '../db/database.js'
import { type Finding, warning, well, wrong } from './finding.js'

const facts: Query = {
  name: 'doctor-facts',
  text: `select current_setting('server_version_num')::int as version, clock_timestamp() as now,
      current_setting('server_encoding') as encoding,
      current_setting('max_connections')::int as "maxConnections",
      current_setting('fsync') as fsync, current_setting('full_page_writes') as "fullPages",
      coalesce((select ssl from pg_stat_ssl where pid = pg_backend_pid()), false) as "isEncrypted"`,
}

interface Facts {
  readonly version: number
  readonly now: Date
  readonly encoding: string
  readonly maxConnections: number
  readonly fsync: string
  readonly fullPages: string
  readonly isEncrypted: boolean
}

const OLDEST = 150_000
/** Milliseconds two clocks may be apart: leases and tokens bear more, but it only grows. */
const MOST_APART_MS = 2_000

interface Expected {
  /** Of all processes of this node. */
  readonly connections: number
  readonly isElsewhere: boolean
}

/** What a PostgreSQL says of itself, against what the service needs of it. */
export async function lookAtPostgres(sql: Sql, expected: Expected): Promise<Finding[]> {
  const about = 'database'
  const asked = Date.now()
  const [row] = await sql.rows<Facts>(facts)
  if (row === undefined) throw new Error('No answer')
  const apart = Math.abs(row.now.getTime() - (asked + Date.now()) / 2)
  const version = `PostgreSQL ${Math.floor(row.version / 10_000)}.${row.version % 10_000}`
  return [
    row.version < OLDEST
      ? wrong(about, `${version} is too old`, 'PostgreSQL 15 or newer')
      : well(about, version),
    row.encoding === 'UTF8'
      ? well(about, 'UTF8')
      : wrong(about, `its encoding is ${row.encoding}`, 'createdb --encoding UTF8'),
    row.fsync === 'on' && row.fullPages === 'on'
      ? well(about, 'a commit is on the disk')
      : wrong(about, 'a power cut can lose commits', 'fsync=on and full_page_writes=on'),
    expected.connections > row.maxConnections / 2
      ? warning(
          about,
          `this node may take ${expected.connections} of ${row.maxConnections} connections`,
          'max_connections higher, or DATABASE_POOL_SIZE or WORKERS lower',
        )
      : well(about, `at most ${expected.connections} of ${row.maxConnections} connections`),
    expected.isElsewhere && !row.isEncrypted
      ? warning(about, 'spoken to in the clear', 'sslmode=verify-full in DATABASE_URL')
      : well(about, row.isEncrypted ? 'spoken to over TLS' : 'on this machine'),
    apart > MOST_APART_MS
      ? wrong('clock', `${Math.round(apart)} ms from the database’s`, 'NTP on both machines')
      : well('clock', 'as the database’s'),
  ]
}
