import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { openPostgresDatabase } from '../../src/db/postgres-database.js'
import { pdf } from '../acceptance/support/content.js'
import { personOf } from '../acceptance/support/people.js'
import { startServer } from '../acceptance/support/server.js'
import { ownCluster } from './support/own-cluster.js'

// A real PostgreSQL that speaks TLS, with certificates of an authority of its own: which of them is
// taken in which mode, and that a service whose URL asks for it speaks nothing else.

const run = promisify(execFile)
const folder = t.testdir({})
const file = (name: string) => join(folder, name)

async function openssl(...args: string[]): Promise<void> {
  await run('openssl', args, { cwd: folder })
}

async function authority(name: string): Promise<void> {
  const subject = ['-subj', `/CN=${name}`, '-days', '2', '-nodes', '-newkey', 'rsa:2048']
  await openssl('req', '-x509', ...subject, '-keyout', `${name}.key`, '-out', `${name}.pem`)
}

async function certificate(by: string, name: string, subject: string, alternatives?: string) {
  const asked = ['-subj', `/CN=${subject}`, '-nodes', '-newkey', 'rsa:2048']
  await openssl(
    'req',
    '-new',
    ...asked,
    '-keyout',
    `${name}.key`,
    '-out',
    `${name}.csr`,
    ...(alternatives === undefined ? [] : ['-addext', `subjectAltName=${alternatives}`]),
  )
  const signs = ['-CA', `${by}.pem`, '-CAkey', `${by}.key`, '-CAcreateserial', '-days', '2']
  const copies = ['-copy_extensions', 'copy']
  await openssl('x509', '-req', '-in', `${name}.csr`, ...signs, ...copies, '-out', `${name}.pem`)
}

await authority('ours')
await authority('theirs')
await certificate('ours', 'server', 'database', 'DNS:localhost,DNS:database')
await certificate('ours', 'address', 'database', 'IP:127.0.0.1')
await certificate('ours', 'client', 'strongroom')
await certificate('theirs', 'stranger', 'strongroom')

const cluster = await ownCluster()
t.teardown(() => cluster.close())
const { port } = new URL(cluster.url)
const cipher = {
  name: 'cipher',
  text: `SELECT ssl AS "isEncrypted", client_dn AS shown FROM pg_stat_ssl WHERE pid = pg_backend_pid()`,
}

/** What the server says of a connection, or how it is refused. */
async function connected(query: string, { host = 'localhost', user = 'postgres' } = {}) {
  const url = `postgres://${user}@${host}:${port}/postgres?${query}`
  try {
    const database = await openPostgresDatabase({ url, poolSize: 1 })
    const [row] = await database.rows<{ isEncrypted: boolean; shown: string | null }>(cipher)
    await database.close()
    return row
  } catch (error) {
    return error
  }
}

const encrypted = { isEncrypted: true }
const refused = { code: 'database_unavailable' }
const root = (name: string) => `sslrootcert=${file(`${name}.pem`)}`

async function speakTls(name: string, rules: readonly string[]): Promise<void> {
  await cluster.stop('fast')
  await cluster.put('server.crt', await readFile(file(`${name}.pem`), 'utf8'))
  await cluster.put('server.key', await readFile(file(`${name}.key`), 'utf8'))
  await cluster.put('root.crt', await readFile(file('ours.pem'), 'utf8'))
  await cluster.put('postgresql.auto.conf', "ssl = on\nssl_ca_file = 'root.crt'\n")
  await cluster.put('pg_hba.conf', `${rules.join('\n')}\n`)
  await cluster.start()
}

void t.test('a server that speaks no TLS', async (t) => {
  t.match(await connected('sslmode=disable'), { isEncrypted: false })
  t.match(await connected('sslmode=require'), refused, 'nothing goes over in the clear instead')
  t.match(await connected('sslmode=verify-full'), refused)
})

void t.test('a server of our authority', async (t) => {
  await speakTls('server', ['hostssl all all all trust'])
  t.match(await connected('sslmode=disable'), refused, 'it takes nobody in the clear')
  t.match(await connected(''), refused)
  t.match(await connected('sslmode=require'), encrypted)
  t.match(await connected(`sslmode=require&${root('ours')}`), encrypted)
  t.match(await connected(`sslmode=require&${root('theirs')}`), refused, 'roots are held against')
  t.match(await connected(`sslmode=verify-ca&${root('ours')}`), encrypted)
  t.match(await connected(`sslmode=verify-ca&${root('theirs')}`), refused)
  t.match(await connected(`sslmode=verify-full&${root('ours')}`), encrypted)
  t.match(await connected(`sslmode=verify-full&${root('theirs')}`), refused)
  t.match(await connected('sslmode=verify-full'), refused, 'no public authority signed it')
  const byAddress = { host: '127.0.0.1' }
  t.match(await connected(`sslmode=verify-full&${root('ours')}`, byAddress), refused, 'its name')
  t.match(await connected(`sslmode=verify-ca&${root('ours')}`, byAddress), encrypted)
  t.match(await connected('sslmode=verify-full&sslrootcert=/nowhere.pem'), {
    ...refused,
    detail: /sslrootcert .* cannot be read/,
  })
})

void t.test('a server with its address in the certificate', async (t) => {
  await speakTls('address', ['hostssl all all all trust'])
  const query = `sslmode=verify-full&${root('ours')}`
  t.match(await connected(query, { host: '127.0.0.1' }), encrypted)
  t.match(await connected(query), refused, 'a name it has no certificate for')
})

void t.test('a server that wants to see a certificate', async (t) => {
  await speakTls('server', [
    'hostssl all strongroom all cert',
    'hostssl all postgres all trust clientcert=verify-ca',
  ])
  const shows = (name: string) =>
    `sslmode=verify-full&${root('ours')}&sslcert=${file(`${name}.pem`)}&sslkey=${file(`${name}.key`)}`
  const maker = await openPostgresDatabase({
    url: `postgres://postgres@localhost:${port}/postgres?${shows('client')}`,
    poolSize: 1,
  })
  await maker.script('CREATE ROLE strongroom LOGIN')
  await maker.close()
  const user = 'strongroom'
  t.match(await connected(shows('client'), { user }), { ...encrypted, shown: '/CN=strongroom' })
  t.match(await connected(`sslmode=verify-full&${root('ours')}`, { user }), refused)
  t.match(await connected(shows('stranger'), { user }), refused)
})

void t.test('the service, and what it says where it cannot be sure who answers', async (t) => {
  await speakTls('server', ['hostssl all all all trust'])
  const url = (name: string) =>
    `postgres://postgres@localhost:${port}/postgres?sslmode=verify-full&${root(name)}`
  const server = await startServer({ DATABASE_URL: url('ours') })
  t.teardown(() => server.close())
  await personOf(server, 'anna').file(pdf('over TLS'))
  t.strictSame(await unencrypted(url('ours')), [], 'none of its connections is in the clear')
  await server.stop()
  await t.rejects(server.start({ DATABASE_URL: url('theirs') }), /its certificate is of no known/)
  const looked = await server.command('doctor')
  t.equal(looked.code, 1)
  t.match(looked.out, /cannot be reached: its certificate is of no known authority/)
})

async function unencrypted(url: string) {
  const database = await openPostgresDatabase({ url, poolSize: 1 })
  const rows = await database.rows({
    name: 'unencrypted',
    text: `SELECT application_name FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
      WHERE NOT ssl AND backend_type = 'client backend'`,
  })
  await database.close()
  return rows
}
