import { mkdtemp, open, rm, truncate } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { storageError } from '../../src/blobs/disk-errors.js'
import type { Database } from '../../src/db/database.js'
import { type ScrubContext, type ScrubReport, scrub } from '../../src/files/scrub.js'
import { createMigratedDatabase, emptied, engines } from '../helpers/databases.js'
import { type Held, holds, makeService, textOf } from '../helpers/service.js'

// Sealed in segments of 64 KiB.
const segment = 65_536
const sealedSegment = segment + 105
const headerLength = 32
const fast = 10 ** 9

/** A service with files of these sizes, each of its own person. */
async function house(t: Test, database: Database, sizes: readonly number[]) {
  const folder = await mkdtemp(join(tmpdir(), 'strongroom-scrub-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  await database.script(
    emptied(
      'principals, files, file_versions, grants, wrapped_file_keys, user_keys, deployment_keys, audit_events',
    ),
  )
  const service = await makeService(database, folder)
  const files: Held[] = []
  for (const [n, size] of sizes.entries()) {
    files.push(await holds(service, `person-${n}`, textOf(`${n}`).padEnd(size, 'x').slice(0, size)))
  }
  const { db, blobs, open: openEntry } = service
  const lines: object[] = []
  const log = {
    info: () => undefined,
    error: (facts: object) => {
      lines.push(facts)
    },
  }
  const run = (context: ScrubContext = {}, after?: string, bytesPerSecond = fast, force = false) =>
    scrub({ db, blobs, openEntry, log })({ bytesPerSecond, after, force }, context)
  const pathOf = ({ sealedId }: Held) =>
    join(folder, sealedId.slice(0, 2), sealedId.slice(2, 4), sealedId)
  const flip = async (file: Held, at: number) => {
    const handle = await open(pathOf(file), 'r+')
    const byte = Buffer.alloc(1)
    await handle.read(byte, 0, 1, at)
    await handle.write(Buffer.from([(byte[0] ?? 0) ^ 1]), 0, 1, at)
    await handle.close()
  }
  const events = async () => {
    const text = `select file_id, outcome, reason from audit_events where action = 'storage.scrub'`
    return await database.rows<{ file_id: string | null }>({ name: 'scrub-test-events', text })
  }
  return { db, blobs, openEntry, files, run, pathOf, flip, events, lines }
}

const sizes = [1, segment, segment + 1, 5 * segment, 3 * segment - 7]

const tests: Record<string, (t: Test, database: Database) => Promise<void>> = {
  'what is sound is opened from end to end': async (t, database) => {
    const { run, events } = await house(t, database, sizes)
    const bytes = sizes.reduce((sum, size) => sum + size, 0)
    t.same(await run(), { refused: false, checked: 5, bytes, damaged_files: 0, damaged: [] })
    t.same(await events(), [])
  },
  'each damaged segment is named, and what comes after it is opened': async (t, database) => {
    const { files, run, flip, events, lines } = await house(t, database, sizes)
    const [, , , large] = files
    if (large === undefined) throw new Error('no file')
    for (const n of [1, 3]) await flip(large, headerLength + n * sealedSegment + 5000)
    const { checked, bytes, damaged, damaged_files } = await run()
    const ids = { file_id: large.fileId, version: 1, sealed_id: large.sealedId }
    t.same(damaged, [
      { ...ids, segment: 1, reason: 'unauthentic' },
      { ...ids, segment: 3, reason: 'unauthentic' },
    ])
    t.same([checked, damaged_files], [5, 1])
    t.equal(bytes, sizes.reduce((sum, size) => sum + size, 0) - 2 * segment)
    t.match(await events(), [{ file_id: large.fileId, outcome: 'failed', reason: 'damaged' }])
    t.match(lines, [
      { ...ids, segment: 1 },
      { ...ids, segment: 3 },
    ])
  },
  'a file cut, gone, or with a broken header or metadata': async (t, database) => {
    const { files, run, pathOf, flip } = await house(t, database, sizes)
    const [one, two, three, four] = files
    if (!one || !two || !three || !four) throw new Error('no files')
    await rm(pathOf(one))
    await truncate(pathOf(two), 1000)
    await flip(three, 3)
    await database.script(
      `update file_versions set metadata = set_byte(metadata, 60, get_byte(metadata, 60) # 1)
        where sealed_id = '${four.sealedId}'`,
    )
    const { damaged, damaged_files } = await run()
    const found = damaged.map((each) => [each.sealed_id, each.segment, each.reason])
    const expected = [
      [one.sealedId, null, 'missing'],
      [two.sealedId, 0, 'cut'],
      [three.sealedId, null, 'header'],
      [four.sealedId, 'metadata', 'unauthentic'],
    ]
    t.same(found.sort(), expected.sort())
    t.equal(damaged_files, 4)
  },
  'what the disk cannot read is named by its segments, and what comes after is opened': async (
    t,
    database,
  ) => {
    const { db, blobs, openEntry, files, run } = await house(t, database, sizes)
    const [, , , large] = files
    if (large === undefined) throw new Error('no file')
    // A disk that lies, at the port: heavy/scrub-sector.test.ts has a true one.
    const failing =
      (errno: string, from: number, to: number): typeof blobs.open =>
      async (id) => {
        const blob = await blobs.open(id)
        if (id !== large.sealedId) return blob
        const read = async function* (start: number, end: number) {
          if (start < to && end > from) {
            // What comes before it in the same read is not given either.
            const before = Math.max(start, from - 150_000)
            yield* blob.read(start, Math.max(before, start))
            throw storageError(Object.assign(new Error('of the disk'), { code: errno }))
          }
          yield* blob.read(start, end)
        }
        return { ...blob, read }
      }
    const log = { info: () => undefined, error: () => undefined }
    const withErrno = (errno: string, from: number, to: number) =>
      scrub({ db, openEntry, log, blobs: { open: failing(errno, from, to) } })({
        bytesPerSecond: fast,
      })
    const placesOf = ({ damaged }: ScrubReport) =>
      damaged.map((each) => [each.sealed_id, each.segment, each.reason])
    const third = headerLength + 3 * sealedSegment
    const one = await withErrno('EIO', third + 10, third + 20)
    t.same(placesOf(one), [[large.sealedId, 3, 'unreadable']])
    t.same([one.checked, one.damaged_files], [5, 1])
    const all = sizes.reduce((sum, size) => sum + size, 0)
    t.equal(one.bytes, all - segment, 'all else is opened, once')
    const two = await withErrno('EUCLEAN', third - 10, third + 10)
    const both = [2, 3].map((n) => [large.sealedId, n, 'unreadable'])
    t.same(placesOf(two), both, 'a sector under two segments is the loss of both')
    const head = await withErrno('EIO', 0, 10)
    t.same(placesOf(head), [[large.sealedId, null, 'unreadable']], 'past its header nothing opens')
    const last = await withErrno('EIO', third + 2 * sealedSegment - 1, third + 2 * sealedSegment)
    t.same(placesOf(last), [[large.sealedId, 4, 'unreadable']])
    await t.rejects(
      withErrno('ENOSPC', 0, 10 ** 9),
      { code: 'storage_unavailable' },
      'which is no decay',
    )
    t.match(await run(), { damaged_files: 0 })
  },
  'where file after file is missing, it is the storage that is not there': async (t, database) => {
    const many = await house(
      t,
      database,
      Array.from({ length: 25 }, () => 10),
    )
    for (const file of many.files) await rm(many.pathOf(file))
    const seen: string[] = []
    const progress = (_done: number, after: string) => {
      seen.push(after)
    }
    const report = await many.run({ progress })
    t.same(report, { refused: true, checked: 20, bytes: 0, damaged_files: 0, damaged: [] })
    t.same(seen, [], 'it goes on after none of them')
    t.match(await many.events(), [{ file_id: null, outcome: 'failed', reason: 'refused' }])
    t.match(many.lines, [{ checked: 20, reason: 'missing' }])
    const forced = await many.run({}, undefined, fast, true)
    t.match(forced, { refused: false, checked: 25, damaged_files: 25 })
    t.equal((await many.events()).length, 26, 'each is on record then')
  },
  'a few files that are all missing are suspicious, one is missing': async (t, database) => {
    const few = await house(t, database, [10, 10, 10])
    const [one, two] = few.files
    if (one === undefined || two === undefined) throw new Error('no files')
    for (const file of [one, two]) await rm(few.pathOf(file))
    t.match(await few.run(), { refused: false, checked: 3, damaged_files: 2 })
    for (const file of few.files) await rm(few.pathOf(file), { force: true })
    t.match(await few.run(), { refused: true, checked: 3, damaged_files: 0 })
    const single = await house(t, database, [10])
    for (const file of single.files) await rm(single.pathOf(file))
    t.match(await single.run(), { refused: false, checked: 1, damaged_files: 1 })
  },
  'it goes on after the sealed id it was broken off at': async (t, database) => {
    const { files, run } = await house(t, database, sizes)
    const ids = files.map(({ sealedId }) => sealedId).sort()
    const stop = new AbortController()
    const seen: string[] = []
    const progress = (_done: number, after: string) => {
      seen.push(after)
      if (seen.length === 2) stop.abort(new Error('stopped'))
    }
    await t.rejects(run({ signal: stop.signal, progress }), { message: 'stopped' })
    t.same(seen, ids.slice(0, 2))
    t.match(await run({}, seen.at(-1)), { checked: 3 })
  },
  'it is as slow as it is told': async (t, database) => {
    const { run } = await house(t, database, [5 * segment])
    const start = performance.now()
    await run({}, undefined, 4 * segment)
    const took = performance.now() - start
    t.ok(took > 1000 && took < 3000, `${Math.round(took)} ms`)
  },
  'also with what does not open': async (t, database) => {
    const { files, run, flip } = await house(t, database, [5 * segment])
    for (const file of files) {
      for (let n = 0; n < 5; n++) await flip(file, headerLength + n * sealedSegment + 5000)
    }
    const start = performance.now()
    t.match(await run({}, undefined, 4 * segment), { bytes: 0, damaged_files: 1 })
    const took = performance.now() - start
    t.ok(took > 1000 && took < 3000, `${Math.round(took)} ms`)
  },
  'what is purged meanwhile is no damage': async (t, database) => {
    const { db, files, run, pathOf, events } = await house(t, database, sizes)
    const [one] = files
    if (one === undefined) throw new Error('no file')
    await rm(pathOf(one))
    await db.stores.files.markDeleted(one.fileId, one.userId, new Date(), new Date())
    t.match(await run(), { damaged_files: 1 }, 'deleted, and can be restored: damage counts')
    t.equal((await events()).length, 1)
    await db.stores.files.purge(one.fileId, new Date())
    t.match(await run(), { checked: 4, damaged_files: 0 })
  },
}

for (const engine of engines) {
  await t.test(engine, async (t) => {
    const test = await createMigratedDatabase(engine)
    t.teardown(() => test.drop())
    const database = await test.open()
    t.teardown(() => database.close())
    for (const [name, run] of Object.entries(tests)) {
      await t.test(name, async (t) => {
        await run(t, database)
      })
    }
  })
}
