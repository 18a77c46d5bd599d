import { randomUUID } from 'node:crypto'
import { readdir, truncate, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { unsignedWriter } from '../../src/audit/audit-writer.js'
import { localDiskBlobStore } from '../../src/blobs/local-disk-blob-store.js'
import type { Database } from '../../src/db/database.js'
import { transactions } from '../../src/db/stores.js'
import { sweep } from '../../src/files/sweep.js'
import { pieces } from '../helpers/blob-store-contract.js'
import { createMigratedDatabase, emptied, engines } from '../helpers/databases.js'

const graceHours = 24
const old = new Date(Date.now() - 30 * 3_600_000)
const length = 1000

interface Line {
  readonly message: string
  readonly [fact: string]: unknown
}

/** A store and a database with nothing in them, and ways to put them out of step. */
async function house(t: Test, database: Database) {
  await database.script(
    emptied(
      'principals, files, file_versions, grants, wrapped_file_keys, upload_intents, audit_events, user_keys',
    ),
  )
  const folder = join(t.testdir(), 'files')
  const blobs = await localDiskBlobStore({ folder })
  const db = transactions(database, unsignedWriter)
  const lines: Line[] = []
  const tell = (facts: object, message: string) => {
    lines.push({ ...facts, message })
  }
  const log = { info: tell, warn: tell, error: tell }
  const pathOf = (id: string) => join(folder, id.slice(0, 2), id.slice(2, 4), id)

  async function blob({ age = old } = {}): Promise<string> {
    const id = randomUUID()
    await blobs.put(id, pieces(Buffer.alloc(length, 1), 100))
    await utimes(pathOf(id), age, age)
    return id
  }
  async function row(sealedId: string): Promise<string> {
    const [fileId, at, ownerId] = [randomUUID(), new Date(), 'anna']
    const stored = { fileId, version: 1, sealedId, sealedLength: length, segmentSizeLog2: 18 }
    await db.transaction(async ({ files }) => {
      await files.ensurePeople([ownerId])
      const ids = { fileId, ownerId, uploaderId: ownerId, recordId: null, recordTypeId: null }
      const times = { createdAt: at, updatedAt: at, deletedAt: null, purgeAfter: null }
      const fingerprint = Buffer.from(sealedId)
      await files.insertFile({ ...ids, kind: 'general', version: 1, ...times }, fingerprint)
      const rest = { contentType: 'text/plain', size: 1, metadata: Buffer.alloc(1) }
      await files.insertVersion({ ...stored, ...rest, createdBy: ownerId, createdAt: at })
    })
    return fileId
  }
  const ids = async () => {
    const found: string[] = []
    for await (const { id } of blobs.list()) found.push(id)
    return found.sort()
  }
  const events = async () => {
    const text = 'select action, outcome, reason, actor_id, bytes from audit_events'
    return await database.rows<{ bytes: string | number }>({ name: 'sweep-test-events', text })
  }
  const run = (dryRun = false, use: Partial<Parameters<typeof sweep>[0]> = {}, force = false) =>
    sweep({ db, blobs, log, ...use })({ dryRun, graceHours, keepDays: 30, force })
  return { db, blobs, folder, pathOf, blob, row, ids, events, run, lines }
}

const nothing = {
  ...{
    dry_run: false,
    refused: false,
    sound: 0,
    orphans: 0,
    orphan_bytes: 0,
    destroyed: 0,
    young: 0,
  },
  ...{ intents: 0, half_written: 0, damaged: 0 },
}

const tests: Record<string, (t: Test, database: Database) => Promise<void>> = {
  'nothing is nothing': async (t, database) => {
    const { run, events } = await house(t, database)
    t.same(await run(), nothing)
    t.same(await events(), [])
  },
  'what belongs together stays': async (t, database) => {
    const { blob, row, ids, run, events } = await house(t, database)
    const kept: string[] = []
    for (let n = 0; n < 20; n++) {
      const id = await blob()
      await row(id)
      kept.push(id)
    }
    t.same(await run(), { ...nothing, sound: 20 })
    t.same(await ids(), kept.sort())
    t.same(await events(), [])
  },
  'old bytes without a row are set aside, young ones are not': async (t, database) => {
    const { blob, row, ids, run, events, lines } = await house(t, database)
    const kept = await blob()
    await row(kept)
    const young = await blob({ age: new Date() })
    const orphans = [await blob(), await blob(), await blob()]
    const found = { ...nothing, sound: 1, young: 1, orphans: 3, orphan_bytes: 3 * length }
    t.same(await run(true), { ...found, dry_run: true })
    t.same(await ids(), [kept, young, ...orphans].sort(), 'a dry run touches nothing')
    t.same(await events(), [], 'and puts nothing on record')
    t.same(await run(), found)
    t.same(await ids(), [kept, young].sort())
    t.match(await events(), [
      { action: 'storage.sweep', outcome: 'success', actor_id: 'strongroom' },
    ])
    const removed = lines.filter(({ message }) => message === 'debris set aside')
    t.same(removed.map((line) => line['sealed_id']).sort(), orphans.sort())
    t.same(await run(), { ...nothing, sound: 1, young: 1 }, 'once')
  },
  'a row that comes after all finds its bytes again': async (t, database) => {
    const { blob, row, ids, run } = await house(t, database)
    await row(await blob())
    const late = await blob()
    t.match(await run(), { sound: 1, orphans: 1 })
    t.equal((await ids()).length, 1)
    // An older database was in use: the right one is back.
    await row(late)
    t.same(await run(), { ...nothing, sound: 2 })
    t.ok((await ids()).includes(late))
  },
  'what was set aside long ago is destroyed': async (t, database) => {
    const { blobs, blob, row, folder, run, events } = await house(t, database)
    await row(await blob())
    await blob()
    await run()
    const aside = () => readdir(join(folder, 'aside'))
    t.equal((await aside()).length, 1)
    t.match(await run(), { orphans: 0, destroyed: 0 })
    t.equal((await aside()).length, 1, 'not yet')
    const removeAside: typeof blobs.removeAside = (olderThanMs, options) =>
      blobs.removeAside(olderThanMs - 30 * 86_400_000, options)
    t.match(await run(true, { blobs: { ...blobs, removeAside } }), { destroyed: 1 })
    t.equal((await aside()).length, 1)
    t.match(await run(false, { blobs: { ...blobs, removeAside } }), { destroyed: 1 })
    t.same(await aside(), [])
    t.equal((await events()).length, 2)
  },
  'intents of uploads that came to nothing go, and those under way stay': async (t, database) => {
    const { db, blob, row, ids, run } = await house(t, database)
    const { files, sweep: swept } = db.stores
    const kept = await blob()
    await row(kept)
    await files.insertIntent(await blob(), old)
    await files.insertIntent(randomUUID(), old)
    const running = randomUUID()
    await files.insertIntent(running, new Date())
    t.match(await run(true), { intents: 2, orphans: 1 })
    t.equal((await swept.intentsBefore(new Date(), undefined, 9)).length, 3)
    t.match(await run(), { intents: 2, orphans: 1 })
    t.same(await swept.intentsBefore(new Date(), undefined, 9), [running])
    t.same(await ids(), [kept])
  },
  'half-written files go when they are old': async (t, database) => {
    const { folder, run } = await house(t, database)
    const incoming = join(folder, 'incoming')
    await writeFile(join(incoming, 'old'), 'half')
    await utimes(join(incoming, 'old'), old, old)
    await writeFile(join(incoming, 'new'), 'half')
    t.match(await run(true), { half_written: 1 })
    t.same(await readdir(incoming), ['new', 'old'])
    t.match(await run(), { half_written: 1 })
    t.same(await readdir(incoming), ['new'])
  },
  'rows without their bytes are damage: told, and left': async (t, database) => {
    const { db, blob, row, pathOf, run, events, lines } = await house(t, database)
    const missing = randomUUID()
    const missingFile = await row(missing)
    const short = await blob()
    const shortFile = await row(short)
    await truncate(pathOf(short), length - 1)
    t.same(await run(), { ...nothing, damaged: 2 })
    const told = lines.filter(({ message }) => message === 'damaged')
    t.match(
      told.sort((a, b) => (String(a['reason']) < String(b['reason']) ? -1 : 1)),
      [
        { file_id: shortFile, version: 1, sealed_id: short, reason: 'length' },
        { file_id: missingFile, version: 1, sealed_id: missing, reason: 'missing' },
      ],
    )
    t.match(await events(), [{ action: 'storage.sweep', outcome: 'failed', reason: 'damaged' }])
    t.ok(await db.stores.sweep.storedVersion(missing))
  },
  'what is committed or purged while it runs is neither debris nor damage': async (t, database) => {
    const { db, blobs, blob, row, ids, run } = await house(t, database)
    const [first = '', late = '', gone = ''] = [await blob(), await blob(), await blob()].sort()
    await row(first)
    const goneFile = await row(gone)
    let tours = 0
    const list = async function* () {
      const isDry = tours++ === 0
      for await (const each of blobs.list()) {
        if (isDry || each.id !== gone) yield each
        if (isDry || each.id !== first) continue
        // The rows were read by now: one comes, and one goes with its bytes.
        await row(late)
        await db.stores.files.markDeleted(goneFile, 'anna', new Date(), new Date())
        for (const id of await db.stores.files.purge(goneFile, new Date())) await blobs.remove(id)
      }
    }
    t.same(await run(false, { blobs: { ...blobs, list } }), { ...nothing, sound: 1 })
    t.same(await ids(), [first, late])
  },
  'with the wrong database nothing is removed, unless it is meant': async (t, database) => {
    const { blob, row, folder, ids, run, events } = await house(t, database)
    await row(await blob())
    for (let n = 0; n < 101; n++) await blob()
    const found = { sound: 1, orphans: 101 }
    t.match(await run(true), { ...found, refused: true })
    t.match(await run(), { ...found, refused: true })
    t.equal((await ids()).length, 102)
    t.match(await events(), [{ outcome: 'failed', reason: 'refused' }])
    t.same((await readdir(join(folder, 'aside'))).length, 0)
    t.match(await run(false, {}, true), { ...found, refused: false })
    t.equal((await ids()).length, 1)
  },
  'with an empty database one file is too much': async (t, database) => {
    const { blob, ids, run } = await house(t, database)
    const only = await blob()
    t.match(await run(), { sound: 0, orphans: 1, refused: true })
    t.same(await ids(), [only])
  },
  'many of each, in any order of ids': async (t, database) => {
    const { blob, row, ids, run } = await house(t, database)
    const kept: string[] = []
    for (let n = 0; n < 60; n++) {
      const id = await blob()
      if (n % 3 === 0) continue
      await row(id)
      kept.push(id)
    }
    for (let n = 0; n < 5; n++) await row(randomUUID())
    t.match(await run(), { sound: 40, orphans: 20, damaged: 5 })
    t.same(await ids(), kept.sort())
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
