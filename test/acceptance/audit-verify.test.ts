import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PGlite } from '@electric-sql/pglite'
import t, { type Test } from 'tap'
import { pdf } from './support/content.js'
import { assign, filePath, personOf, recordPath, recordType } from './support/people.js'
import { startServer } from './support/server.js'

// Somebody has the database and edits it; `strongroom audit verify` says what and where.

const server = await startServer()
t.teardown(() => server.close())
const [anna, bob, dora] = [
  personOf(server, 'anna'),
  personOf(server, 'bob'),
  personOf(server, 'dora', { role: 'clinician' }),
]
const admin = personOf(server, 'admin', { role: 'admin' })

interface Report {
  readonly clean: boolean
  readonly events: number
  readonly counts: Readonly<Record<string, number>>
  readonly findings: readonly Readonly<Record<string, unknown>>[]
}

async function verify(...args: string[]): Promise<Report & { readonly code: number | null }> {
  const { code, out, err } = await server.command('audit', 'verify', '--json', ...args)
  if (out === '') throw new Error(err)
  return { ...(JSON.parse(out) as Report), code }
}

/** As whoever owns the database: on the embedded one while the service is stopped. */
async function edit(sql: string): Promise<void> {
  if (server.database !== undefined) {
    await server.database.query(`set session_replication_role = replica; ${sql}`)
    return
  }
  await server.stop()
  const database = await PGlite.create(join(server.dataDir, 'database/cluster'))
  await database.exec(`set session_replication_role = replica; ${sql}`)
  await database.close()
  await server.start()
}

const fileId = await anna.file(pdf('first', 2_000))
const deleted = await anna.file(pdf('deleted', 2_000))
const type = await recordType(admin)
await assign(admin, dora, anna)
const record = await dora.record(pdf('record', 2_000), {
  patient_id: anna.id,
  medical_record_type_id: type,
})

await t.test('what is done in the ordinary way is clean', async (t) => {
  const put = await anna.form(
    `${filePath(fileId)}/content`,
    [{ name: 'file', filename: 'a.pdf', type: 'application/pdf', data: pdf('second', 2_000) }],
    { method: 'PUT' },
  )
  t.equal(put.status, 200)
  t.equal((await anna.delete(filePath(deleted))).status, 200)
  t.equal((await anna.post(`${recordPath(record)}/grants`, { user_id: bob.id })).status, 201)
  t.equal((await bob.get(`${recordPath(record)}/download`)).status, 200)
  t.equal((await anna.delete(`${recordPath(record)}/grants/${bob.id}`)).status, 200)
  t.equal((await server.command('keys', 'rotate-user', anna.id)).code, 0)
  t.equal((await server.command('hold', 'place', '--person', bob.id, '--reference', 'x')).code, 0)
  const report = await verify()
  t.match(report, { clean: true, code: 0, findings: [], counts: {} })
  t.ok(report.events > 10)
  await server.kill()
  await server.start()
  t.match(await verify(), { clean: true, code: 0 }, 'after a kill too')
})

const putBack: Readonly<Record<string, readonly [edit: string, undo: string, table: string]>> = {
  'a grant that was revoked': [
    `create table kept as select * from grants where user_id = '${bob.id}';
     update grants set revoked_at = null, revoked_by = null where user_id = '${bob.id}'`,
    `update grants g set revoked_at = k.revoked_at, revoked_by = k.revoked_by from kept k
     where g.grant_id = k.grant_id; drop table kept`,
    'grants',
  ],
  'the version before the last': [
    `update files set version = 1 where file_id = '${fileId}'`,
    `update files set version = 2 where file_id = '${fileId}'`,
    'files',
  ],
  'a file that was deleted': [
    `create table kept as select * from files where file_id = '${deleted}';
     update files set deleted_at = null, purge_after = null where file_id = '${deleted}'`,
    `update files f set deleted_at = k.deleted_at, purge_after = k.purge_after from kept k
     where f.file_id = k.file_id; drop table kept`,
    'files',
  ],
  'a key that was turned': [
    `update user_keys set active = false where user_id = '${anna.id}' and version = 2;
     update user_keys set active = true where user_id = '${anna.id}' and version = 1`,
    `update user_keys set active = false where user_id = '${anna.id}' and version = 1;
     update user_keys set active = true where user_id = '${anna.id}' and version = 2`,
    'user_keys',
  ],
  'a hold that somebody took away': [
    'create table kept as select * from legal_holds; delete from legal_holds',
    'insert into legal_holds select * from kept; drop table kept',
    'legal_holds',
  ],
}

for (const [name, [change, undo, table]] of Object.entries(putBack)) {
  await t.test(`${name}, put back`, async (t) => {
    await edit(change)
    const { code, counts, findings } = await verify()
    t.equal(code, 1)
    t.strictSame(counts, { row_put_back: 1 })
    t.match(findings, [{ kind: 'row_put_back', row: { table }, event_id: String, at: String }])
    await edit(undo)
    t.match(await verify(), { clean: true, code: 0 }, 'and clean once that is undone')
  })
}

await t.test('heads that were put outside', async (t) => {
  const heads = await readFile(join(server.dataDir, 'audit-heads.jsonl'), 'utf8')
  t.ok(heads.trim().split('\n').length > 0)
  const path = join(server.dataDir, 'elsewhere.jsonl')
  await writeFile(path, heads)
  t.match(await verify('--anchor', path), { clean: true, code: 0 })
  // Of another deployment, or made up.
  await writeFile(path, heads.replaceAll('"sig":"', '"sig":"A'))
  t.match(await verify('--anchor', path), { code: 1, findings: [{ kind: 'anchor_unsigned' }] })
  await writeFile(path, '')
  t.match(await server.command('audit', 'verify', '--anchor', path), { code: 1, err: /no head/ })
})

await t.test('an event is removed, in words too', async (t) => {
  await edit(`delete from audit_events where action = 'record.revoke'`)
  const { code, out } = await server.command('audit', 'verify')
  t.equal(code, 1)
  t.match(out, /^event_removed: 1, events were removed$/m)
  t.match(
    out,
    /^ {2}event_removed: seal \d+, writer_id [0-9a-f-]{36}, number \d+, last_number \d+, at /m,
  )
})

await t.test('the status', async (t: Test) => {
  const { code, out } = await server.command('audit', 'status', '--json')
  t.equal(code, 0)
  t.match(JSON.parse(out), {
    waiting: Number,
    lag_ms: Number,
    head: { seal: Number, digest: /^[0-9a-f]{64}$/ },
  })
  t.match((await server.command('audit', 'status')).out, /^seal \d+, \d+ events, digest/)
})
