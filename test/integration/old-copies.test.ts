import { copyFile, mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import pg from 'pg'
import t from 'tap'
import type { Database } from '../../src/db/database.js'
import { oldCopies } from '../../src/db/old-copies.js'
import { createMigratedDatabase, engines } from '../helpers/databases.js'

// What the database's own files hold of deleted keys: looked for in the raw bytes on the disk.

const PEOPLE = 20
const keyOf = (n: number) => `wrapped-key-${n}-of-somebody-${'x'.repeat(60)}`

/**
 * Keys of people, a few in the middle of each of some segments of the log: whichever of those is used
 * again last, its head alone is overwritten by little that follows.
 */
async function makeKeys(database: Database): Promise<void> {
  for (let n = 0; n < PEOPLE; n++) {
    if (n % 4 === 0) {
      await database.script('select pg_switch_wal()')
      await database.script(
        "select pg_logical_emit_message(false, 'test', repeat('-', 500000)); checkpoint",
      )
    }
    await database.script(`insert into principals (principal_id) values ('person ${n}')`)
    await database.script(
      `insert into user_keys (user_id, version, wrapped, active, master_key_id)
        values ('person ${n}', 1, '${keyOf(n)}', true, 'aa')`,
    )
  }
}

/** Names of the files that hold one of the keys. */
async function holding(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const paths = entries.filter((each) => each.isFile()).map((e) => join(e.parentPath, e.name))
  const found: string[] = []
  for (const path of paths) {
    if ((await readFile(path)).includes('-of-somebody-')) found.push(path.slice(folder.length))
  }
  return found
}

if (engines.includes('embedded')) {
  await t.test('keys in the middle of segments of the log that are used again', async (t) => {
    const place = await createMigratedDatabase('embedded')
    t.teardown(() => place.drop())
    const first = await place.open()
    await makeKeys(first)
    await first.close()
    const database = await place.open()
    t.teardown(() => database.close())
    await database.script("update user_keys set created_at = now() where user_id = 'person 0'")
    await database.script('delete from user_keys')
    t.ok((await holding(place.place)).length > 0, 'they lie there before')
    t.strictSame(await oldCopies(database).remove({ rewrite: false }), { oldCopies: 'removed' })
    t.strictSame(await holding(place.place), [])
    t.strictSame(
      await oldCopies(database).remove({ rewrite: false }),
      { oldCopies: 'removed' },
      'and again',
    )
  })

  await t.test('files that a killed rewrite left behind', async (t) => {
    const place = await createMigratedDatabase('embedded')
    t.teardown(() => place.drop())
    const first = await place.open()
    await makeKeys(first)
    await first.script('checkpoint')
    const [row] = await first.rows<{ path: string }>({
      name: 'old-copies-path',
      text: "select pg_relation_filepath('user_keys') as path",
    })
    const path = row?.path ?? ''
    await first.close()
    const cluster = join(place.place, 'cluster')
    // As a process killed in CLUSTER leaves them.
    for (const suffix of ['', '.1', '_fsm']) {
      await copyFile(join(cluster, path), join(cluster, dirname(path), `7654321${suffix}`))
    }
    await mkdir(join(cluster, 'base/pgsql_tmp'), { recursive: true })
    await copyFile(join(cluster, path), join(cluster, 'base/pgsql_tmp/pgsql_tmp42.0'))
    await writeFile(join(cluster, dirname(path), 'notes'), 'nobody knows this file')
    const database = await place.open()
    t.teardown(() => database.close())
    await database.script('delete from user_keys')
    t.strictSame(await oldCopies(database).remove({ rewrite: false }), { oldCopies: 'removed' })
    t.strictSame(await holding(place.place), [])
    t.ok((await readdir(join(cluster, dirname(path)))).includes('notes'), 'what is no table stays')
    await database.script("insert into principals (principal_id) values ('somebody new')")
    await database.close()
    const again = await place.open()
    t.teardown(() => again.close())
    const people = await again.rows({ name: 'old-copies-all', text: 'select from principals' })
    t.equal(people.length, PEOPLE + 1, 'and all tables are whole')
  })
}

if (engines.includes('postgres')) {
  await t.test('a rewrite waits for those who can still look at the rows', async (t) => {
    const place = await createMigratedDatabase('postgres')
    t.teardown(() => place.drop())
    const database = await place.open()
    t.teardown(() => database.close())
    await makeKeys(database)
    const impatient = oldCopies(database, { patienceMs: 600 })
    const onDisk = async () => {
      await database.script('checkpoint')
      const [row] = await database.rows<{ bytes: Buffer }>({
        name: 'old-copies-bytes',
        text: "select pg_read_binary_file(pg_relation_filepath('user_keys')) as bytes",
      })
      return row?.bytes.includes('-of-somebody-')
    }
    const reader = new pg.Client({ connectionString: place.place })
    await reader.connect()
    t.teardown(() => reader.end())
    await reader.query('begin isolation level repeatable read')
    await reader.query('select count(*) from principals')
    await database.script('delete from user_keys')
    t.strictSame(await impatient.remove({ rewrite: false }), {
      oldCopies: 'left',
      leftBecause: 'not_asked',
    })
    const left = { oldCopies: 'left', leftBecause: 'old_snapshots' }
    t.strictSame(await impatient.remove({ rewrite: true }), left)
    t.equal(await onDisk(), true)
    const patient = oldCopies(database).remove({ rewrite: true })
    await reader.query('commit')
    t.strictSame(await patient, { oldCopies: 'removed' })
    t.equal(await onDisk(), false)
  })
}
