import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { Database } from '../../src/db/database.js'
import { openEmbeddedDatabase } from '../../src/db/embedded-database.js'
import { watchedWrites } from '../../src/db/watched-writes.js'
import { isStrongroomError } from '../../src/errors/strongroom-error.js'
import { asRoot, type SmallDisk, smallDisk } from './support/small-disk.js'

// The embedded engine on a disk that fills up, or that it finds read-only: it panics, recovers once
// it can, and loses nothing it acknowledged. True mounts: this wants root or sudo.

const MiB = 1_048_576
const refusals = ['database_unavailable', 'commit_unknown'] as const

interface Bench {
  readonly disk: SmallDisk
  readonly db: Database
  readonly acknowledged: Set<number>
  readonly doubtful: Set<number>
  last: number
}

async function bench(t: Test): Promise<Bench> {
  const disk = await smallDisk(90)
  t.teardown(() => disk.close())
  const folder = join(disk.folder, 'database')
  const db = watchedWrites(await openEmbeddedDatabase({ folder }))
  t.teardown(() => db.close())
  await db.script('CREATE TABLE numbers (n int PRIMARY KEY)')
  return { disk, db, acknowledged: new Set(), doubtful: new Set(), last: 0 }
}

/** A row and 100 KB of log, so that it is the log that finds no room. */
const insert = {
  name: 'bench-insert',
  text: `INSERT INTO numbers SELECT $1
    FROM (SELECT pg_logical_emit_message(true, 'bench', repeat('y', 100000))) AS log`,
}

/** So many, or until some were refused, in form; how many were acknowledged, and the longest wait. */
async function insertMany(t: Test, bench: Bench, count: number) {
  let [done, longestMs] = [0, 0]
  for (let n = 0; n < count && n - done < 10; n++) {
    const number = ++bench.last
    const begin = performance.now()
    try {
      await bench.db.rows(insert, [number])
      bench.acknowledged.add(number)
      done += 1
    } catch (error) {
      const code = refusals.find((each) => isStrongroomError(error, each))
      t.ok(code !== undefined, `is refused as the database's fault: ${String(error)}`)
      if (code === 'commit_unknown') bench.doubtful.add(number)
    }
    longestMs = Math.max(longestMs, performance.now() - begin)
  }
  return { done, longestMs: Math.round(longestMs) }
}

/** Every acknowledged row is there, and no other but those in doubt. */
async function isExact(t: Test, { db, acknowledged, doubtful }: Bench): Promise<void> {
  const rows = await db.rows<{ n: number }>({ name: 'bench-all', text: 'SELECT n FROM numbers' })
  const there = new Set(rows.map(({ n }) => n))
  t.strictSame(
    [...acknowledged].filter((n) => !there.has(n)),
    [],
    `${acknowledged.size} acknowledged rows are there`,
  )
  const more = [...there].filter((n) => !acknowledged.has(n) && !doubtful.has(n))
  t.strictSame(more, [], 'nothing that was refused is')
}

await t.test('its log finds no room', { timeout: 120_000 }, async (t) => {
  const one = await bench(t)
  const { disk, db } = one
  await insertMany(t, one, 10)
  for (const round of [1, 2, 3]) {
    await disk.fill(MiB)
    // Old segments of its log are used again before a new one is wanted.
    const { done, longestMs } = await insertMany(t, one, 1000)
    t.ok(done < 1000, `round ${round}: ${done} were taken, the longest wait ${longestMs} ms`)
    t.ok(longestMs < 10_000, 'nobody waits for long')
    const refused = await Promise.allSettled(Array.from({ length: 50 }, () => db.rows(insert, [0])))
    t.ok(
      refused.every(({ status }) => status === 'rejected'),
      'callers in a crowd are refused, too',
    )
    await t.rejects(db.ping(), { code: 'database_unavailable' }, 'it says that it is not ready')
    await disk.empty()
    await untilAnswered(db)
    await isExact(t, one)
    t.equal((await insertMany(t, one, 20)).done, 20, 'all are taken again')
    await isExact(t, one)
  }
  t.comment(`${one.acknowledged.size} acknowledged, ${one.doubtful.size} in doubt`)
})

await t.test('its tables find no room', { timeout: 120_000 }, async (t) => {
  const one = await bench(t)
  const { disk, db } = one
  await db.script('CREATE TABLE wide AS SELECT 1 AS n')
  await disk.fill(0)
  const grow = `INSERT INTO wide SELECT generate_series(1, 1000000)`
  await t.rejects(db.script(grow), { code: 'database_unavailable' })
  await t.rejects(db.ping(), { code: 'database_unavailable' }, 'it says that it is not ready')
  await isExact(t, one)
  await disk.empty()
  await untilAnswered(db)
  t.equal((await insertMany(t, one, 5)).done, 5, 'all are taken again')
  await isExact(t, one)
})

await t.test('it finds its folder read-only', { timeout: 120_000 }, async (t) => {
  const one = await bench(t)
  const { disk, db } = one
  await insertMany(t, one, 5)
  await t.rejects(disk.readOnly(true), /busy/, 'the kernel lets no open file become read-only')
  // Over itself, read-only: what is open stays so, what is opened from now on is not written.
  await asRoot('mount', '--bind', disk.folder, disk.folder)
  try {
    await asRoot('mount', '-o', 'remount,bind,ro', disk.folder)
    const { done } = await insertMany(t, one, 1000)
    t.ok(done < 1000, `${done} were taken into files that were open`)
    await t.rejects(db.ping(), { code: 'database_unavailable' }, 'it says that it is not ready')
  } finally {
    await asRoot('umount', disk.folder)
  }
  await untilAnswered(db)
  t.equal((await insertMany(t, one, 20)).done, 20, 'all are taken again')
  await isExact(t, one)
})

/** By itself, within some seconds. */
async function untilAnswered(db: Database): Promise<void> {
  const deadline = performance.now() + 15_000
  for (;;) {
    try {
      await db.ping()
      return
    } catch (error) {
      if (performance.now() > deadline) throw error
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  }
}
