import { randomBytes } from 'node:crypto'
import { stat } from 'node:fs/promises'
import t from 'tap'
import { maintain } from '../../src/db/embedded-maintenance.js'
import { createEmptyDatabase } from '../helpers/databases.js'

const insert = {
  name: 'fill',
  text: `INSERT INTO "Big ""one" SELECT $1 FROM generate_series(1, 20)`,
}
const selectRedo = {
  name: 'redo',
  text: `SELECT pg_wal_lsn_diff(redo_lsn, '0/0')::int8 AS at FROM pg_control_checkpoint()`,
}
const selectDead = {
  name: 'dead',
  text: `SELECT n_dead_tup AS dead FROM pg_stat_user_tables`,
}

await t.test('checkpoints and vacuums come by our own hand', async (t) => {
  const place = await createEmptyDatabase('embedded')
  t.teardown(() => place.drop())
  t.equal((await stat(place.place)).mode & 0o777, 0o700, 'the folder is ours alone')
  const db = await place.open()
  t.teardown(() => db.close())
  await db.script('CREATE TABLE "Big ""one" (b bytea)')
  await maintain(db)
  const before = await redo()
  await maintain(db)
  t.equal(await redo(), before, 'nothing to do: no checkpoint')

  for (let i = 0; i < 50; i++) await db.rows(insert, [randomBytes(20_000)])
  await maintain(db)
  t.ok((await redo()) - before > 16 * 1024 * 1024, 'the log behind the checkpoint is done with')

  await db.script('DELETE FROM "Big ""one"')
  await db.script('SELECT pg_stat_force_next_flush()')
  t.strictSame(await db.rows(selectDead), [{ dead: 1000 }])
  await maintain(db)
  t.strictSame(await db.rows(selectDead), [{ dead: 0 }])

  async function redo(): Promise<number> {
    const [row] = await db.rows<{ at: number }>(selectRedo)
    return row?.at ?? Number.NaN
  }
})
