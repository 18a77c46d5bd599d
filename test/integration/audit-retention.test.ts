import { randomBytes } from 'node:crypto'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import t, { type Test } from 'tap'
import { auditRetention } from '../../src/audit/audit-retention.js'
import { checkMonth } from '../../src/audit/month-export.js'
import { run } from '../../src/cli/program.js'
import { FernetKey } from '../../src/crypto/fernet-key.js'
import { signingKey } from '../../src/crypto/signing-key.js'
import { auditMonthParts } from '../../src/db/audit-month-parts.js'
import type { Database } from '../../src/db/database.js'
import { openPostgresDatabase } from '../../src/db/postgres-database.js'
import { monthFiles } from '../../src/integrations/month-files.js'
import { createMigratedDatabase, emptied, engines } from '../helpers/databases.js'
import { newKeys, startWriter } from '../helpers/sealed-log.js'
import { actor } from '../helpers/service.js'

// Months of the log are exported, and dropped once they were kept long enough; what is left verifies, and a
// month that somebody else took away is missed.

const officer = actor('officer')
const course = { signal: AbortSignal.timeout(600_000), progress: () => undefined }
const january = (day: number) => new Date(Date.UTC(2018, 0, day, 12))
const february = (day: number) => new Date(Date.UTC(2018, 1, day, 12))

/** Who changes the parts of the log, where that is another than the one who made them. */
interface Roles {
  readonly parts?: Database
  readonly openOwner?: () => Promise<Database>
}

async function logOn(t: Test, database: Database, { parts = database, openOwner }: Roles = {}) {
  const tables = 'audit_events, audit_seals, audit_writers, audit_days, audit_months, legal_holds'
  await database.script(emptied(`${tables}, outbox`))
  const folder = await mkdtemp(join(tmpdir(), 'strongroom-months-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  for (const month of ['2018-01-01', '2018-02-01']) {
    await database.script(`select audit_make_month('${month}')`)
  }
  const live = await startWriter(database, newKeys())
  const append = async (at: Date, who = 'ann') => {
    await live.db.stores.audit.append({ ...live.event(who), at })
  }
  // In one order, without a seal between: no seal may tell of two months all the same.
  for (let day = 1; day <= 28; day++) await append(january(day))
  for (let day = 1; day <= 20; day++) await append(february(day))
  await append(january(30))
  await live.writeInVain(3)
  await live.write(5)
  await live.seals.seal()
  const key = signingKey(FernetKey.generate())
  const retention = auditRetention({
    db: live.db,
    files: monthFiles(),
    signingKey: key,
    head: () => live.seals.head(),
    verify: async () => {
      await live.seals.seal()
      return await live.verify()
    },
    monthParts: auditMonthParts(parts, openOwner),
    years: 6,
  })
  const file = (name: string) => join(folder, name)
  const kinds = async () => {
    await live.seals.seal()
    return (await live.verify()).counts
  }
  const attack = (sql: string) =>
    database.script(`set local session_replication_role = replica; ${sql}`)
  return { database, live, append, key, retention, file, kinds, attack }
}

type Log = Awaited<ReturnType<typeof logOn>>

const names = async ({ retention }: Log) =>
  (await retention.months())
    .filter(({ month }) => month < '2020')
    .map(({ month, here }) => [month, here])

/** `strongroom audit check-export`, which needs neither settings nor a database. */
async function command(path: string, keyPath: string) {
  const said = { out: '', err: '' }
  const code = await run(['audit', 'check-export', path, '--key', keyPath], {
    cwd: tmpdir(),
    loadEnvironment: () => ({ DATABASE_URL: 'no settings are read' }),
    out: (line) => {
      said.out += line
    },
    err: (line) => {
      said.err += line
    },
  })
  return { code, ...said }
}

async function exportAndDrop(t: Test, database: Database): Promise<void> {
  const log = await logOn(t, database)
  const { retention, file, key, live } = log
  const straddling = await database.rows({
    name: 'audit-retention-test-straddling',
    text: `select seal_number from audit_seals
      where to_char(first_at at time zone 'UTC', 'YYYYMM') <> to_char(last_at at time zone 'UTC', 'YYYYMM')`,
  })
  t.same(straddling, [], 'no seal tells of two months')
  t.same(await log.kinds(), {})
  const path = file('january.gz')
  const statement = await retention.export(officer, '2018-01', path, course)
  t.match(statement, { month: '2018-01', events: 29 })
  t.equal((await stat(path)).mode & 0o777, 0o600)
  t.same(await checkMonth(key.publicKey, monthFiles().read(path)), statement)
  const lines = gunzipSync(await readFile(path))
    .toString()
    .trimEnd()
    .split('\n')
  t.equal(lines.length, 30)
  t.match(JSON.parse(lines[0] ?? ''), { at: january(1).toISOString(), actor_id: 'ann' })
  await t.rejects(retention.export(officer, '2018-01', path, course), { code: 'conflict' })
  await t.rejects(retention.export(officer, '2017-01', file('x'), course), { code: 'not_found' })
  await t.rejects(retention.export(officer, '2018-13', file('x'), course), {
    code: 'invalid_field',
  })
  await writeFile(file('key.pem'), key.publicKey)
  const checked = await command(path, file('key.pem'))
  t.match(checked, { code: 0, out: /2018-01: 29 events, genuine/ })
  await writeFile(file('other.pem'), signingKey(FernetKey.generate()).publicKey)
  t.match(await command(path, file('other.pem')), { code: 1, err: /not genuine/ })
  t.match(await command(file('key.pem'), file('key.pem')), { code: 1, err: /not genuine/ })
  const now = new Date().toISOString().slice(0, 7)
  await t.rejects(
    retention.export(officer, now, file('x'), course),
    { code: 'conflict' },
    'goes on',
  )
  await t.rejects(stat(file('x')), { code: 'ENOENT' })

  t.match(await retention.drop(officer, '2018-01', path, course), statement)
  t.same(await names(log), [
    ['2018-01', false],
    ['2018-02', true],
  ])
  t.same(await log.kinds(), {}, 'what is left is what was written')
  const rest = await database.rows<{ month: string }>({
    name: 'audit-retention-test-rest',
    text: `select distinct to_char(at at time zone 'UTC', 'YYYY-MM') as month from audit_events order by 1`,
  })
  t.same(
    rest.map(({ month }) => month),
    ['2018-02', now],
  )
  // A second one, and the log goes on.
  const second = file('february.gz')
  await retention.export(officer, '2018-02', second, course)
  await retention.drop(officer, '2018-02', second, course)
  await live.write(3)
  t.same(await log.kinds(), {})
  const told = await database.rows<{ action: string; subject: string }>({
    name: 'audit-retention-test-told',
    text: `select action, subject_id as subject from audit_events where action in ('audit.export', 'audit.drop')
      order by writer_number`,
  })
  t.same(
    told.map(({ action, subject }) => `${action} ${subject}`),
    ['audit.export 2018-01', 'audit.drop 2018-01', 'audit.export 2018-02', 'audit.drop 2018-02'],
  )
  // Who comes later has not seen the months there were.
  const later = await startWriter(database, live.keys)
  await later.write(2)
  await later.seals.seal()
  t.same((await later.verify()).counts, {})
}

async function refused(t: Test, database: Database): Promise<void> {
  const log = await logOn(t, database)
  const { retention, file } = log
  const path = file('january.gz')
  const drop = (month: string, from = path) => retention.drop(officer, month, from, course)
  await retention.export(officer, '2018-01', path, course)
  const second = file('february.gz')
  await retention.export(officer, '2018-02', second, course)
  await t.rejects(drop('2018-02', second), { code: 'conflict', message: /oldest/ })
  await t.rejects(drop(new Date().toISOString().slice(0, 7)), {
    code: 'conflict',
    message: /6 years/,
  })
  await t.rejects(drop('2018-01', second), { code: 'conflict', message: /not the export/ })
  await t.rejects(drop('2018-01', file('none')), { code: 'invalid_field', message: /ENOENT/ })
  await t.rejects(drop('2017-12'), { code: 'not_found' })

  const altered = async (change: (lines: string[]) => string[]) => {
    const lines = gunzipSync(await readFile(path))
      .toString()
      .trimEnd()
      .split('\n')
    await writeFile(file('altered.gz'), gzipSync(`${change(lines).join('\n')}\n`))
    return file('altered.gz')
  }
  const changes: Readonly<Record<string, (lines: string[]) => string[]>> = {
    'a word changed': ([first = '', ...rest]) => [first.replace('ann', 'bob'), ...rest],
    'a line cut': ([, ...rest]) => rest,
    'a line twice': ([first = '', ...rest]) => [first, first, ...rest],
    'two lines exchanged': ([a = '', b = '', ...rest]) => [b, a, ...rest],
    'no signature': (lines) => lines.slice(0, -1),
    nothing: () => [],
  }
  for (const [what, change] of Object.entries(changes)) {
    await t.rejects(drop('2018-01', await altered(change)), { code: 'damaged' }, what)
  }
  const other = signingKey(FernetKey.generate())
  await t.rejects(checkMonth(other.publicKey, monthFiles().read(path)), { code: 'damaged' })
  const whole = await readFile(path)
  await writeFile(file('cut.gz'), whole.subarray(0, whole.length - 20))
  await t.rejects(drop('2018-01', file('cut.gz')), { code: 'invalid_field' }, 'a file cut short')

  const hold = (column: string, value: string) =>
    database.script(`insert into legal_holds (hold_id, ${column}, reference, placed_by, placed_at)
      values (gen_random_uuid(), ${value}, 'case-1', 'officer', now())`)
  await log.live.db.stores.files.ensurePeople(['ann', 'somebody-else'])
  await hold('person_id', `'ann'`)
  await t.rejects(drop('2018-01'), { code: 'legal_hold' })
  await database.script(`update legal_holds set released_at = now(), released_by = 'officer'`)
  await hold('person_id', `'somebody-else'`)
  await database.script(`insert into outbox (destination, resource, event_type, event_id, event_at)
    values ('sink', 'r', 'file.view', gen_random_uuid(), '2018-01-05T00:00:00Z')`)
  await t.rejects(drop('2018-01'), { code: 'conflict', message: /outbox/ })
  await database.script('delete from outbox')

  await log.append(january(29))
  await t.rejects(drop('2018-01'), { code: 'conflict', message: /sealed/ })
  await log.live.seals.seal()
  await t.rejects(drop('2018-01'), { code: 'conflict', message: /export it again/ })
  await log.attack(
    `update audit_events set actor_id = 'x' where at >= '2018-02-01' and at < '2018-02-02'`,
  )
  const again = file('again.gz')
  await retention.export(officer, '2018-01', again, course)
  await t.rejects(drop('2018-01', again), { code: 'conflict', message: /audit verify/ })
  t.same(
    (await names(log)).map(([, here]) => here),
    [true, true],
    'nothing was dropped',
  )
}

async function emptyMonth(t: Test, database: Database): Promise<void> {
  const log = await logOn(t, database)
  await database.script("select audit_make_month('2017-12-01')")
  const path = log.file('nothing.gz')
  const statement = await log.retention.export(officer, '2017-12', path, course)
  t.equal(statement.events, 0)
  await log.retention.drop(officer, '2017-12', path, course)
  t.same((await names(log))[0], ['2018-01', true], 'it stands in nobody’s way')
  t.same(await log.kinds(), {})
}

/** The service lives as a role that owns nothing. */
async function twoRoles(t: Test, database: Database, url: string): Promise<void> {
  const role = `strongroom_test_${randomBytes(6).toString('hex')}`
  await database.script(
    `create role ${role} login; grant select on all tables in schema public to ${role}`,
  )
  const own = new URL(url)
  own.username = role
  const runtime = await openPostgresDatabase({ url: own.href, poolSize: 1 })
  t.teardown(async () => {
    await runtime.close()
    await database.script(`drop owned by ${role}; drop role ${role}`)
  })
  const alone = await logOn(t, database, { parts: runtime })
  const path = alone.file('january.gz')
  await alone.retention.export(officer, '2018-01', path, course)
  const dropping = alone.retention.drop(officer, '2018-01', path, course)
  await t.rejects(dropping, { code: 'conflict', message: /DATABASE_OWNER_URL/ })
  const told = await database.rows({
    name: 'audit-retention-test-drops',
    text: "select 1 from audit_events where action = 'audit.drop'",
  })
  t.same(told, [], 'nothing is said to be dropped that is not')
  const openOwner = () => openPostgresDatabase({ url, poolSize: 1 })
  const both = await logOn(t, database, { parts: runtime, openOwner })
  const again = both.file('january.gz')
  await both.retention.export(officer, '2018-01', again, course)
  await both.retention.drop(officer, '2018-01', again, course)
  t.same(
    (await names(both)).map(([, here]) => here),
    [false, true],
  )
  t.same(await both.kinds(), {})
}

async function attacked(t: Test, database: Database): Promise<void> {
  const log = await logOn(t, database)
  await log.attack('drop table audit_events_2018_01')
  t.ok(((await log.kinds()).event_removed ?? 0) > 0, 'a month that was taken away is missed')
  // An event that says so, by whoever has no key.
  await log.attack(`insert into audit_events (event_id, at, actor_id, roles, action, outcome, subject_id, ip,
      user_agent, request_id, writer_id, writer_number)
    select gen_random_uuid(), now(), 'officer', '{operator}', 'audit.drop', 'success', '2018-01', '-', '-', 'r',
      writer_id, 1000 from audit_events limit 1`)
  await log.attack(`insert into audit_events (event_id, at, actor_id, roles, action, outcome, subject_id, ip,
      user_agent, request_id) values (gen_random_uuid(), now(), 'officer', '{operator}', 'audit.drop', 'success',
      '2018-01', '-', '-', 'r')`)
  await log.attack(`insert into audit_months (month, events, digest, exported_at)
    values ('2018-01', 29, decode(repeat('00', 32), 'hex'), now())`)
  t.ok(((await log.kinds()).event_removed ?? 0) > 0, 'and is missed whatever they write')

  const clean = await logOn(t, database)
  const path = clean.file('january.gz')
  await clean.retention.export(officer, '2018-01', path, course)
  await clean.retention.drop(officer, '2018-01', path, course)
  t.same(await clean.kinds(), {})
  await clean.attack(`delete from audit_events where action = 'audit.drop'`)
  t.ok(((await clean.kinds()).event_removed ?? 0) > 1, 'the event of a drop cannot be taken away')
}

for (const engine of engines) {
  await t.test(engine, { timeout: 300_000 }, async (t) => {
    const place = await createMigratedDatabase(engine)
    const database = await place.open()
    t.teardown(async () => {
      await database.close()
      await place.drop()
    })
    await t.test('exported, dropped, and verified', (t) => exportAndDrop(t, database))
    await t.test('refused', (t) => refused(t, database))
    await t.test('a month without events', (t) => emptyMonth(t, database))
    await t.test('taken away by others', (t) => attacked(t, database))
    if (engine === 'postgres') {
      await t.test('with two roles', (t) => twoRoles(t, database, place.place))
    }
  })
}
