import { connection, flag, integer, list, text } from './kinds.js'
import { postgresUrl } from './postgres-url-kind.js'
import { plain, secret } from './variable.js'

const none: readonly string[] = []

/** The database, what several nodes have in common, and which of all servers are spoken to in the clear. */
export const database = {
  DATABASE_URL: secret(
    'PostgreSQL 15 or newer, with sslmode, sslrootcert, sslcert, sslkey as libpq has them; absent: the embedded database',
    postgresUrl,
    { example: 'postgres://strongroom:password@db.example:5432/strongroom?sslmode=verify-full' },
  ),
  DATABASE_OWNER_URL: secret(
    'The same database for the role that owns the tables: it migrates, and the role of DATABASE_URL can then change nothing in the audit log; absent: one role for both',
    postgresUrl,
    {
      example:
        'postgres://strongroom_owner:password@db.example:5432/strongroom?sslmode=verify-full',
    },
  ),
  DATABASE_MOVE_URL: secret(
    'Empty PostgreSQL database that strongroom database move fills from the embedded one, for the role that is to own the tables; read by that command alone',
    postgresUrl,
    {
      example:
        'postgres://strongroom_owner:password@db.example:5432/strongroom?sslmode=verify-full',
    },
  ),
  DATABASE_POOL_SIZE: plain(
    'Connections to PostgreSQL of one process',
    integer(2, 200, 'connections'),
    10,
  ),
  DATABASE_QUEUE_SIZE: plain(
    'Calls that may wait for one of them; more are answered 503 at once',
    integer(1, 100_000, 'calls'),
    1000,
  ),
  ALLOW_EMBEDDED: plain('Lets the embedded database serve in production', flag, false),
  REDIS_URL: secret(
    'Redis in front of the database: what several nodes agree on sooner',
    connection(['redis:', 'rediss:']),
    {
      example: 'redis://localhost:6379',
    },
  ),
  CLEARTEXT_HOSTS: plain(
    'Servers on a network nobody else is on, which production may speak to without TLS; loopback always is',
    list(text({ maxLength: 253, pattern: /^[\w.:-]+$/, expected: 'host names or addresses' })),
    none,
    { example: 'database,redis,objects' },
  ),
}
