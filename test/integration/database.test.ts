import { EventEmitter, once } from 'node:events'
import { createServer, connect as dial, type Socket } from 'node:net'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import t, { type Test } from 'tap'
import type { Database } from '../../src/db/database.js'
import { openEmbeddedDatabase } from '../../src/db/embedded-database.js'
import { openPostgresDatabase } from '../../src/db/postgres-database.js'
import { sqlState, violatedConstraint } from '../../src/db/sql-errors.js'
import { createEmptyDatabase, engines, type TestDatabase } from '../helpers/databases.js'

const insertThing = { name: 'insert-thing', text: 'INSERT INTO things (name) VALUES ($1)' }
const listThings = { name: 'list-things', text: 'SELECT name FROM things ORDER BY name' }
const backend = { name: 'backend', text: 'SELECT pg_backend_pid() AS pid' }
const fail = { name: 'fail', text: 'SELECT 1 / $1::int' }
const raise = {
  name: 'raise',
  text: `SELECT count(*) FROM things WHERE raise_error(name)`,
}

const killAll = {
  name: 'kill',
  text: `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()`,
}

const schema = `
  CREATE TABLE things (name text CONSTRAINT things_name_key UNIQUE);
  CREATE TABLE raised (state text);
  CREATE TABLE slow (id int);
  CREATE FUNCTION loop_long() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      PERFORM count(*) FROM generate_series(1, 2000000000);
      RETURN NULL;
    END $$;
  CREATE CONSTRAINT TRIGGER slow_at_commit AFTER INSERT ON slow
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION loop_long();
  CREATE FUNCTION raise_error(state text) RETURNS boolean LANGUAGE plpgsql AS $$
    BEGIN
      RAISE EXCEPTION 'as asked' USING ERRCODE = state;
    END $$;`

async function names(db: Database): Promise<string[]> {
  return (await db.rows<{ name: string }>(listThings)).map(({ name }) => name)
}

for (const engine of engines) {
  await t.test(engine, async (t) => {
    const place = await createEmptyDatabase(engine)
    t.teardown(() => place.drop())
    const db = await place.open()
    await db.script(schema)
    await t.test('types', (t) => types(t, db))
    await t.test('errors of a statement', (t) => statementErrors(t, db))
    await t.test('transactions', (t) => transactions(t, db))
    await t.test('a transaction that meets a conflict runs again', (t) => retries(t, db))
    await t.test('turns', (t) => turns(t, db))
    await t.test('closing', (t) => closing(t, db))
    await t.test('limits', (t) => limits(t, place))
    await t.test('a line that is full', (t) => fullLine(t, place))
  })
}

async function types(t: Test, db: Database): Promise<void> {
  const at = new Date('2026-03-01T12:34:56.789Z')
  const bytes = new Uint8Array([0, 1, 127, 128, 255])
  const strings = ['plain', 'with "quotes", {braces} and \\', '', 'ف', 'NULL']
  const [row] = await db.rows<Record<string, unknown>>(
    {
      name: 'types',
      text: `SELECT $1::int8 AS int8, $2::int4 AS int4, $3::timestamptz AS at, $4::bytea AS bytes,
        $5::jsonb AS json, $6::uuid AS id, $7::text[] AS strings, $8::boolean AS yes,
        $9::text AS nothing, $10::int8[] AS int8s, $11::date AS day, count(*) AS many,
        '{}'::int8[] AS none, '2026-03-01 10:00:00'::timestamp AS local,
        ARRAY[$6::uuid] AS ids, $12::float8 AS float, sum(2::int8) AS total
        FROM generate_series(1, 3)`,
    },
    [
      ...[Number.MAX_SAFE_INTEGER, -7, at, bytes, JSON.stringify({ a: [1, null] })],
      ...['0b1e7a3c-6f4d-4f2a-9f3e-1d2c3b4a5f60', strings, true, null, [1, -2], '2026-03-01', 0.5],
    ],
  )
  t.strictSame(row, {
    int8: Number.MAX_SAFE_INTEGER,
    int4: -7,
    at,
    bytes: Buffer.from(bytes),
    json: { a: [1, null] },
    id: '0b1e7a3c-6f4d-4f2a-9f3e-1d2c3b4a5f60',
    strings,
    yes: true,
    nothing: null,
    int8s: [1, -2],
    day: '2026-03-01',
    many: 3,
    none: [],
    local: '2026-03-01 10:00:00',
    ids: ['0b1e7a3c-6f4d-4f2a-9f3e-1d2c3b4a5f60'],
    float: 0.5,
    total: '6',
  })
  const past = { name: 'past', text: 'SELECT 9007199254740992::int8 AS n' }
  await t.rejects(db.rows(past), RangeError, 'an int8 that a number cannot hold')
  const pastInArray = { name: 'past-array', text: `SELECT '{1,-9007199254740992}'::int8[] AS n` }
  await t.rejects(db.rows(pastInArray), RangeError)
  const megabytes = Buffer.alloc(5_000_000, 'ab')
  const [big] = await db.rows<{ b: Buffer }>({ name: 'big', text: 'SELECT $1::bytea AS b' }, [
    megabytes,
  ])
  t.ok(big?.b.equals(megabytes), 'five megabytes there and back')
}

async function statementErrors(t: Test, db: Database): Promise<void> {
  await db.rows(insertThing, ['one'])
  const duplicate: unknown = await db.rows(insertThing, ['one']).catch((error: unknown) => error)
  t.equal(violatedConstraint(duplicate), 'things_name_key')
  const division: unknown = await db.rows(fail, [0]).catch((error: unknown) => error)
  t.equal(violatedConstraint(division), undefined)
  t.equal(sqlState(division), '22012')
  t.equal(violatedConstraint(new Error('other')), undefined)
  await t.rejects(db.rows({ name: 'wrong', text: 'SELECT nope FROM things' }), { code: '42703' })
  await t.rejects(db.script('SELECT 1; SELEKT 2'), { code: '42601' })
  await t.rejects(db.script('DELETE FROM things; SELECT 1 / 0'), { code: '22012' })
  t.strictSame(await names(db), ['one'], 'a failed script left nothing')
  await db.script('DELETE FROM things; DELETE FROM raised')
  await db.ping()
}

async function transactions(t: Test, db: Database): Promise<void> {
  const result = await db.transaction(async (sql) => {
    await sql.rows(insertThing, ['a'])
    await sql.script(`INSERT INTO things VALUES ('b'); INSERT INTO things VALUES ('c')`)
    return (await sql.rows(listThings)).length
  })
  t.equal(result, 3, 'the work sees its own changes, and its result is handed on')
  t.strictSame(await names(db), ['a', 'b', 'c'])

  const reason = new Error('changed my mind')
  const refused = db.transaction(async (sql) => {
    await sql.rows(insertThing, ['d'])
    throw reason
  })
  await t.rejects(refused, reason)
  await t.rejects(
    db.transaction(async (sql) => {
      await sql.rows(insertThing, ['d'])
      await sql.rows(insertThing, ['a'])
    }),
    { code: '23505' },
  )
  t.strictSame(await names(db), ['a', 'b', 'c'], 'rolled back')

  const silent = db.transaction(async (sql) => {
    await sql.rows(insertThing, ['e'])
    await sql.rows(fail, [0]).catch(() => undefined)
  })
  await t.rejects(silent, /Nothing was committed/, 'an error kept silent commits nothing')

  const escaped = await db.transaction((sql) => Promise.resolve(sql))
  await t.rejects(escaped.rows(listThings), /has ended/, 'the handle is of no use afterwards')
  await t.rejects(escaped.script('SELECT 1'), /has ended/)
  await t.rejects(
    db.transaction(() => db.rows(listThings)),
    /only its own handle/,
    'using the database inside a transaction would wait for ever',
  )
  await t.rejects(
    db.transaction(() => db.transaction(() => Promise.resolve())),
    /only its own handle/,
  )
  await db.script('DELETE FROM things')
}

async function retries(t: Test, db: Database): Promise<void> {
  for (const state of ['40001', '40P01']) {
    await db.script(`INSERT INTO things VALUES ('${state}')`)
    let tries = 0
    const second = await db.transaction(async (sql) => {
      tries++
      if (tries < 3) await sql.rows(raise)
      return tries
    })
    t.equal(second, 3, `${state}, twice`)
    tries = 0
    const never = db.transaction(async (sql) => {
      tries++
      await sql.rows(raise)
    })
    await t.rejects(never, { code: state }, `${state}, always`)
    t.equal(tries, 3)
    await db.script('DELETE FROM things')
  }
}

/** Transactions under way at once never see half of one another. */
async function turns(t: Test, db: Database): Promise<void> {
  await db.script('CREATE TABLE counter (n int8); INSERT INTO counter VALUES (0)')
  const read = { name: 'counter-read', text: 'SELECT n FROM counter FOR UPDATE' }
  const write = { name: 'counter-write', text: 'UPDATE counter SET n = $1' }
  async function increment(): Promise<void> {
    await db.transaction(async (sql) => {
      const [row] = await sql.rows<{ n: number }>(read)
      await sql.rows(write, [(row?.n ?? 0) + 1])
    })
  }
  await Promise.all(Array.from({ length: 40 }, increment))
  t.strictSame(await db.rows({ name: 'counter', text: 'SELECT n FROM counter' }), [{ n: 40 }])
}

async function closing(t: Test, db: Database): Promise<void> {
  const slow = db.transaction(async (sql) => {
    await sql.rows(insertThing, ['last'])
    await sql.rows(listThings)
  })
  await db.ping()
  const closed = db.close()
  await slow
  await closed
  await db.close()
  await t.rejects(db.ping(), { code: 'database_unavailable' }, 'closed is closed')
}

async function limits(t: Test, place: TestDatabase): Promise<void> {
  const db = await place.open({
    statementTimeoutMs: 1_000,
    transactionTimeoutMs: 1_500,
    connectTimeoutMs: 10_000,
  })
  t.teardown(() => db.close())
  t.strictSame(await names(db), ['last'], 'what was under way at closing is there')
  const unavailable = { code: 'database_unavailable', retryAfter: Number }
  const heavy = { name: 'heavy', text: 'SELECT count(*) FROM generate_series(1, 2000000000)' }

  const delay = monitorEventLoopDelay({ resolution: 5 })
  delay.enable()
  await t.rejects(db.rows(heavy), unavailable, 'a statement past its limit')
  delay.disable()
  t.ok(delay.max < 900e6, 'which blocked nothing else')
  t.strictSame(await names(db), ['last'], 'the next one is served again')

  const stuck = db.transaction(async (sql) => {
    await sql.rows(insertThing, ['stuck'])
    await new Promise((resolve) => setTimeout(resolve, 2_500))
    await sql.rows(insertThing, ['too late'])
  })
  await t.rejects(stuck, unavailable, 'a transaction whose owner is stuck')
  t.strictSame(await names(db), ['last'], 'was rolled back')

  const commit = db.transaction((sql) =>
    sql.rows({ name: 's', text: 'INSERT INTO slow VALUES (1)' }),
  )
  await t.rejects(commit, { code: 'commit_unknown' }, 'a COMMIT that was not answered in time')
  t.strictSame(await names(db), ['last'])
}

async function fullLine(t: Test, place: TestDatabase): Promise<void> {
  const most = place.engine === 'embedded' ? 1 : 10
  const db = await place.open({ queueLimit: 5, connectTimeoutMs: 10_000 })
  t.teardown(() => db.close())
  let leave = () => {}
  const left = new Promise<void>((resolve) => {
    leave = resolve
  })
  const holding: Promise<void>[] = []
  for (let held = 0; held < most; held++) {
    await new Promise<void>((resolve) => {
      const holds = () => {
        resolve()
        return left
      }
      holding.push(db.transaction(holds))
    })
  }
  const waiting = Array.from({ length: 5 }, () => names(db))
  t.match(db.pool(), { waiting: 5, most })
  const asked = performance.now()
  await t.rejects(names(db), { code: 'database_unavailable', retryAfter: Number })
  await t.rejects(
    db.transaction(() => Promise.resolve()),
    { code: 'database_unavailable' },
  )
  t.ok(performance.now() - asked < 1_000, 'one more is told at once')
  leave()
  await Promise.all(holding)
  for (const each of await Promise.all(waiting))
    t.strictSame(each, ['last'], 'who waited is served')
  t.strictSame(await names(db), ['last'], 'and so is the next')
}

await t.test('embedded: one process at a time', async (t) => {
  const place = await createEmptyDatabase('embedded')
  t.teardown(() => place.drop())
  const db = await place.open()
  const second: unknown = await place.open().catch((error: unknown) => error)
  t.match(second, { code: 'database_unavailable' })
  t.match(String(second), place.place, 'the folder is named')
  t.match(String(second), String(process.pid), 'and so is who has it')
  await db.ping()
  await db.close()
  const again = await openEmbeddedDatabase({ folder: place.place })
  await again.close()
})

if (engines.includes('postgres')) {
  await t.test('postgres: connections come and go', async (t) => {
    const place = await createEmptyDatabase('postgres')
    t.teardown(() => place.drop())
    await t.test('restart', (t) => restart(t, place))
    await t.test('exhausted pool', (t) => exhausted(t, place))
    await t.test('cut wires', (t) => cutWires(t, place))
    await t.test('a server that falls silent', (t) => fallsSilent(t, place))
    await t.test('lifetime', (t) => lifetime(t, place))
    await t.test('a server that only reads', (t) => onlyReads(t, place))
  })
}

/** To a client a restart of the server is the end of all connections by an administrator. */
async function restart(t: Test, place: TestDatabase): Promise<void> {
  const events = new EventEmitter()
  const idleLost = once(events, 'second')
  let told = 0
  function onConnectionLost(): void {
    told++
    if (told === 2) events.emit('second')
  }
  const db = await openPostgresDatabase({ url: place.place, onConnectionLost })
  const other = await place.open()
  await db.script('CREATE TABLE t (n int)')
  await Promise.all([db.ping(), db.ping(), db.ping()])
  const broken = db.transaction(async (sql) => {
    await other.rows(killAll)
    await sql.rows({ name: 't', text: 'INSERT INTO t VALUES (1)' })
  })
  await t.rejects(broken, { code: 'database_unavailable' })
  await idleLost
  await db.ping()
  t.equal(told, 2, 'the two idle connections that broke are told of')
  const application = {
    name: 'a',
    text: 'SELECT application_name AS n FROM pg_stat_activity WHERE pid = pg_backend_pid()',
  }
  t.strictSame(await db.rows(application), [{ n: 'strongroom' }])
  await Promise.all([db.close(), other.close()])
}

async function exhausted(t: Test, place: TestDatabase): Promise<void> {
  const db = await openPostgresDatabase({ url: place.place, poolSize: 1, connectTimeoutMs: 200 })
  let release = () => {}
  const holding = db.transaction(() => new Promise<void>((resolve) => (release = resolve)))
  await t.rejects(db.ping(), { code: 'database_unavailable' })
  release()
  await holding
  await db.close()
  const nobody = new URL(place.place)
  nobody.port = '1'
  await t.rejects(openPostgresDatabase({ url: nobody.href }), { code: 'database_unavailable' })
}

/** A proxy that breaks the connection as soon as the client says one of these words. */
async function cutWires(t: Test, place: TestDatabase): Promise<void> {
  const target = new URL(place.place)
  const sockets: Socket[] = []
  const proxy = createServer((client) => {
    const server = dial(Number(target.port), target.hostname)
    sockets.push(client, server)
    for (const socket of [client, server]) socket.on('error', () => undefined)
    client.on('data', (bytes) => {
      if (/COMMIT|CUT HERE/.test(bytes.toString('latin1'))) client.destroy()
      else server.write(bytes)
    })
    server.pipe(client)
  })
  await once(proxy.listen(0, '127.0.0.1'), 'listening')
  const url = new URL(place.place)
  const address = proxy.address()
  url.port = typeof address === 'object' && address !== null ? String(address.port) : ''
  const db = await openPostgresDatabase({ url: url.href })
  const insert = { name: 'i', text: 'INSERT INTO t VALUES (2)' }
  await t.rejects(
    db.transaction((sql) => sql.rows(insert)),
    { code: 'commit_unknown' },
  )
  const cutSelect = { name: 'c', text: 'SELECT 1 -- CUT HERE' }
  await t.rejects(db.rows(cutSelect), { code: 'database_unavailable' }, 'reading changed nothing')
  const cutInsert = { name: 'd', text: 'INSERT INTO t VALUES (3) -- CUT HERE' }
  await t.rejects(db.rows(cutInsert), { code: 'commit_unknown' }, 'a lone change may be there')
  await t.rejects(
    db.transaction((sql) => sql.rows(cutInsert)),
    { code: 'database_unavailable' },
    'in a transaction it cannot',
  )
  await db.close()
  for (const socket of sockets) socket.destroy()
  proxy.close()
}

async function pidOf(db: Database): Promise<number | undefined> {
  const [row] = await db.rows<{ pid: number }>(backend)
  return row?.pid
}

async function lifetime(t: Test, place: TestDatabase): Promise<void> {
  const db = await openPostgresDatabase({ url: place.place, poolSize: 1, connectionSeconds: 1 })
  t.teardown(() => db.close())
  const first = await pidOf(db)
  t.equal(await pidOf(db), first, 'a connection is kept')
  await db.transaction(async (sql) => {
    await new Promise((resolve) => setTimeout(resolve, 1_500))
    await sql.rows(backend)
  })
  t.not(await pidOf(db), first, 'until its time is over, and what is under way has ended')
}

async function onlyReads(t: Test, place: TestDatabase): Promise<void> {
  const db = await openPostgresDatabase({ url: place.place, poolSize: 1 })
  t.teardown(() => db.close())
  const first = await pidOf(db)
  await t.rejects(
    db.transaction(async (sql) => {
      await sql.script('SET TRANSACTION READ ONLY')
      await sql.script('CREATE TABLE not_written ()')
    }),
    { code: 'database_unavailable' },
  )
  t.not(await pidOf(db), first, 'the connection is given up: another may find the one that writes')
}

/** After its first word (protocol 3.0, ReadyForQuery) nothing more comes from it. */
async function fallsSilent(t: Test, place: TestDatabase): Promise<void> {
  const target = new URL(place.place)
  const ready = Buffer.from([0x5a, 0, 0, 0, 5])
  const sockets: Socket[] = []
  let silent = false
  const proxy = createServer((client) => {
    const server = dial(Number(target.port), target.hostname)
    sockets.push(client, server)
    for (const socket of [client, server]) socket.on('error', () => undefined)
    client.pipe(server)
    let isOver = false
    server.on('data', (bytes) => {
      if (!isOver) client.write(bytes)
      isOver ||= silent && bytes.includes(ready)
    })
    client.on('close', () => server.destroy())
  })
  await once(proxy.listen(0, '127.0.0.1'), 'listening')
  const url = new URL(place.place)
  const address = proxy.address()
  url.port = typeof address === 'object' && address !== null ? String(address.port) : ''
  const db = await openPostgresDatabase({ url: url.href, connectTimeoutMs: 500 })
  for (const socket of sockets.splice(0)) socket.destroy()
  silent = true
  const asked = performance.now()
  // The first finds the connection that was cut, the next one is made anew.
  for (let calls = 0; calls < 2; calls++) {
    await t.rejects(db.rows(listThings), { code: 'database_unavailable' })
  }
  t.ok(performance.now() - asked < 3_000, 'a new connection is not waited for without end')
  await db.close()
  for (const socket of sockets) socket.destroy()
  proxy.close()
}
