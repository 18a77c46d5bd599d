import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import type { Database } from '../../src/db/database.js'
import { migrate } from '../../src/db/migrate.js'
import { oldCopies } from '../../src/db/old-copies.js'
import { createTestDatabase, engines } from '../helpers/databases.js'

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
    const place = await createTestDatabase('embedded')
    t.teardown(() => place.drop())
    const first = await place.open()
    await migrate(first)
    await makeKeys(first)
    await first.close()
    const database = await place.open()
    t.teardown(() => database.close())
    await database.script("update user_keys set created_at = now() where user_id = 'person 0'")
    await database.script('delete from user_keys')
    t.ok((await holding(place.place)).length > 0, 'they lie there before')
    t.equal(await oldCopies(database).remove({ rewrite: false }), 'removed')
    t.strictSame(await holding(place.place), [])
    t.equal(await oldCopies(database).remove({ rewrite: false }), 'removed', 'and again')
  })
}
