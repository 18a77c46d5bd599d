import t, { type Test } from 'tap'
import { assertMigrated, migrate } from '../../src/db/migrate.js'
import { createEmptyDatabase, engines, type TestDatabase } from '../helpers/databases.js'

const first = { name: '0001-first', sql: 'CREATE TABLE a (n int); INSERT INTO a VALUES (1);' }
const second = { name: '0002-second', sql: 'ALTER TABLE a ADD COLUMN m int;' }
const broken = { name: '0003-broken', sql: 'INSERT INTO a VALUES (3); SELECT 1 / 0;' }
const countRows = { name: 'count', text: 'SELECT count(*) AS n FROM a' }

for (const engine of engines) {
  await t.test(engine, async (t) => {
    const place = await createEmptyDatabase(engine)
    t.teardown(() => place.drop())
    await t.test('a command changes nothing', (t) => commands(t, place))
    await t.test('in order and once', (t) => inOrder(t, place))
    await t.test('what does not fit is refused', (t) => refusals(t, place))
  })
}

async function commands(t: Test, place: TestDatabase): Promise<void> {
  const db = await place.open()
  t.teardown(() => db.close())
  const tables = { name: 'tables', text: "SELECT 1 FROM pg_tables WHERE schemaname = 'public'" }
  const conflict = (detail: RegExp) => ({ code: 'conflict', detail })
  await t.rejects(assertMigrated(db, [first]), conflict(/no database of Strongroom/))
  t.same(await db.rows(tables), [])
  await migrate(db, [first])
  await assertMigrated(db, [first])
  await t.rejects(assertMigrated(db, [first, second]), conflict(/older than this version/))
  await migrate(db, [first, second])
  await t.rejects(assertMigrated(db, [first]), { code: 'internal', detail: /newer/ })
  await db.script('DROP SCHEMA public CASCADE; CREATE SCHEMA public')
}

async function inOrder(t: Test, place: TestDatabase): Promise<void> {
  const db = await place.open()
  t.teardown(() => db.close())
  const other = place.engine === 'postgres' ? await place.open() : db
  t.teardown(() => other.close())
  const racing = await Promise.all([
    ...[migrate(db, [first]), migrate(other, [first]), migrate(other, [first])],
    migrate(db, [first]),
  ])
  t.strictSame(
    racing.flatMap(({ applied }) => applied),
    ['0001-first'],
    'nodes that start together apply it once',
  )
  t.strictSame(await migrate(db, [first, second]), { applied: ['0002-second'] })
  t.strictSame(await migrate(db, [first, second]), { applied: [] })
  await t.rejects(migrate(db, [first, second, broken]), { code: '22012' })
  t.strictSame(await db.rows(countRows), [{ n: 1 }], 'one that fails leaves nothing')
}

async function refusals(t: Test, place: TestDatabase): Promise<void> {
  const db = await place.open()
  t.teardown(() => db.close())
  await db.script('DROP SCHEMA public CASCADE; CREATE SCHEMA public')
  await migrate(db, [first, second])
  await t.rejects(migrate(db, [first]), { code: 'internal', detail: /newer.*0002-second/ })
  await t.rejects(migrate(db, [{ ...first, sql: 'SELECT 2' }, second]), {
    code: 'internal',
    detail: /0001-first.*another content/,
  })
  const between = { name: '0001-forgotten', sql: 'SELECT 1' }
  await t.rejects(migrate(db, [first, between, second]), {
    code: 'internal',
    detail: /0002-second.*before an earlier one/,
  })
  t.strictSame(await migrate(db, [first, second]), { applied: [] }, 'and nothing was changed')
}
