import t from 'tap'
import { pdf } from './support/content.js'
import { filePath, personOf } from './support/people.js'
import { startServer } from './support/server.js'

// The role that runs the service is another one than the role that owns the tables: whoever has the
// first can add to the audit log and read it, and nothing else.

const server = await startServer()
t.teardown(() => server.close())
const { database } = server

if (database === undefined) {
  await t.test('the embedded database has no roles to part', async (t) => {
    await server.stop()
    const owner = { DATABASE_OWNER_URL: 'postgres://owner:secret-of-theirs@127.0.0.1:1/x' }
    await t.rejects(server.start(owner), /did not become ready/)
    t.match(server.logs(), /DATABASE_OWNER_URL: expected with DATABASE_URL only/)
    t.notMatch(server.logs(), /secret-of-theirs/)
  })
} else {
  const as = (role: string) => {
    const url = new URL(database.url)
    url.username = role
    return url.href
  }
  const suffix = new URL(database.url).pathname.slice(1).replace('acceptance_', '')
  const [owner, runtime] = [`owner_${suffix}`, `runtime_${suffix}`]
  await server.stop()
  await database.query(`
    create role ${owner} login; create role ${runtime} login;
    create schema strongroom authorization ${owner}; drop schema public cascade;
    alter schema strongroom rename to public;`)
  const both = { DATABASE_URL: as(runtime), DATABASE_OWNER_URL: as(owner) }
  t.teardown(async () => {
    await database.query(
      `drop owned by ${runtime}, ${owner} cascade; drop role ${runtime}, ${owner}`,
    )
  })
  const anna = personOf(server, 'anna')
  const data = pdf('sealed', 2_000)

  await t.test('the service does all its work with rights on rows', async (t) => {
    await server.start(both)
    const fileId = await anna.file(data)
    t.ok((await anna.get(filePath(fileId))).bytes.equals(data))
    t.equal((await anna.delete(filePath(fileId))).status, 200)
    const shredded = await anna.file(pdf('shredded', 2_000))
    const shred = await server.command(
      'shred',
      '--file',
      shredded,
      '--yes',
      '--rewrite',
      '--by',
      'op',
    )
    t.equal(shred.code, 0, shred.err)
    const verified = await server.command('audit', 'verify', '--json')
    t.match(JSON.parse(verified.out), { clean: true, findings: [] })
    await server.stop()
    await server.start(both)
    t.equal((await anna.get('/api/files/user')).status, 200, 'rights are given again at each start')
  })

  await t.test('whoever has its role can change nothing in the log', async (t) => {
    const tries = [
      'delete from audit_events',
      "update audit_events set actor_id = 'x'",
      'truncate audit_events',
      'delete from audit_events_other',
      `delete from audit_events_${new Date().toISOString().slice(0, 7).replace('-', '_')}`,
      'update audit_seals set events = 0',
      'delete from audit_seals',
      'alter table audit_events disable trigger all',
      'drop table audit_events',
      'set session_replication_role = replica',
      'delete from schema_migrations',
    ]
    for (const sql of tries) {
      const inRole = `set role ${runtime}; ${sql}`
      await t.rejects(database.query(inRole), { code: '42501' }, sql)
    }
  })

  await t.test('two names of one role are refused', async (t) => {
    await server.stop()
    const before = server.logs().length
    const same = { DATABASE_URL: as(owner), DATABASE_OWNER_URL: as(owner) }
    await t.rejects(server.start(same), /did not become ready/)
    t.match(server.logs().slice(before), /DATABASE_OWNER_URL needs another one beside it/)
  })
}
