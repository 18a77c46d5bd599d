import { randomUUID } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { openRange } from '../../src/crypto/open-stream.js'
import type { Database } from '../../src/db/database.js'
import { newGrant } from '../../src/files/commit-upload.js'
import { withOpened } from '../../src/files/open-entry.js'
import { DESTROY_BYTES, destroyBytes, reseal } from '../../src/files/reseal.js'
import { updateFile } from '../../src/files/update-file.js'
import { makeLogger } from '../../src/log.js'
import { createMigratedDatabase, emptied, engines } from '../helpers/databases.js'
import { actor, type Held, holds, makeService, type Service } from '../helpers/service.js'

/** Files of `ann`, the first of which `bob` may open as well. */
async function deployment(database: Database, folder: string, texts: readonly string[]) {
  const service = await makeService(database, folder)
  const { db, ring, blobs, open } = service
  const user = `ann-${randomUUID()}`
  const held: Held[] = []
  for (const text of texts) held.push(await holds(service, user, text))
  const guest = `bob-${randomUUID()}`
  await share(service, { owner: user, guest, file: held[0] })
  const entryOf = async (fileId = '', userId = user) => {
    const entry = await db.stores.files.entry(fileId, userId)
    const [grant] = entry?.held ?? []
    if (entry === undefined || grant === undefined) throw new Error('nothing is held')
    return { entry, grant }
  }
  const textOf = async (fileId: string, userId = user) => {
    const { entry, grant } = await entryOf(fileId, userId)
    return await withOpened(await open(entry, grant), async ({ key, metadata }) => {
      const { sealedId } = entry.version
      const sealedBytes = await blobs.open(sealedId)
      const range = { key, sealedId, sealedBytes, dataLength: metadata.size }
      const pieces: Buffer[] = []
      for await (const piece of openRange({ ...range, start: 0, end: metadata.size })) {
        pieces.push(piece)
      }
      await sealedBytes.close()
      return Buffer.concat(pieces).toString()
    })
  }
  const stored = async () =>
    (await readdir(folder, { recursive: true, withFileTypes: true }))
      .filter((each) => each.isFile())
      .map(({ name }) => name)
      .sort()
  const jobs = async () =>
    (await db.stores.jobs.list(1000)).filter(({ kind }) => kind === DESTROY_BYTES)
  const parts = {
    ...service,
    keyRing: ring,
    openEntry: open,
    log: makeLogger({ logLevel: 'silent' }),
  }
  return {
    ...service,
    parts,
    user,
    guest,
    held,
    entryOf,
    textOf,
    stored,
    jobs,
    anew: reseal(parts),
  }
}

async function share(
  { db, ring, open }: Service,
  { owner, guest, file }: { owner: string; guest: string; file: Held | undefined },
) {
  const entry = file && (await db.stores.files.entry(file.fileId, owner))
  const [grant] = entry?.held ?? []
  if (entry === undefined || grant === undefined) throw new Error('nothing to share')
  const made = newGrant({
    ...{ fileId: entry.file.fileId, userId: guest, basis: 'explicit' },
    ...{ grantedBy: owner, grantedAt: new Date() },
  })
  const { sealedId } = entry.version
  const wrapped = await withOpened(await open(entry, grant), ({ key }) =>
    ring.wrapFileKey(key, sealedId, made),
  )
  await db.stores.files.insertGrant(made)
  await db.stores.files.insertWrappedKey({ sealedId, grantId: made.grantId, ...wrapped })
}

const long = 'much '.repeat(40_000)

const tests: Record<string, (t: Test, database: Database, folder: string) => Promise<void>> = {
  'the same for everyone, under a fresh key and id; the bytes before go later': async (
    t,
    database,
    folder,
  ) => {
    const all = await deployment(database, folder, ['one', long, ''])
    const { anew, user, guest, held, textOf, entryOf, stored, jobs, parts, db } = all
    const before = await Promise.all(held.map(({ fileId }) => entryOf(fileId)))
    const keyOf = async (fileId = '') => {
      const { entry, grant } = await entryOf(fileId)
      return await withOpened(await parts.open(entry, grant), ({ key }) => key.exportText())
    }
    const firstKey = await keyOf(held[0]?.fileId)
    const seen: unknown[] = []
    const report = await anew(
      { userId: user },
      {
        progress: (...told) => {
          seen.push(told.slice(0, 2))
          return Promise.resolve()
        },
      },
    )
    t.same(report, { versions: 3, bytes: 3 + long.length })
    t.same(seen, [
      [1, 3],
      [2, 3],
      [3, 3],
    ])
    const texts = await Promise.all(held.map(({ fileId }) => textOf(fileId)))
    t.same(texts, ['one', long, ''])
    t.equal(await textOf(held[0]?.fileId ?? '', guest), 'one', 'shared as it was')
    for (const [at, { fileId }] of held.entries()) {
      const { version } = (await entryOf(fileId)).entry
      const was = before[at]?.entry.version
      t.not(version.sealedId, was?.sealedId)
      t.match(version, { version: was?.version, size: was?.size, contentType: was?.contentType })
    }
    t.not(await keyOf(held[0]?.fileId), firstKey, 'another key')
    t.equal((await stored()).length, 6, 'whoever looked them up can still open the bytes before')
    const due = await jobs()
    t.same(
      due.map(({ payload }) => payload['sealedId']).sort(),
      before.map(({ entry }) => entry.version.sealedId).sort(),
    )
    t.ok(due.every(({ runAfter }) => runAfter.getTime() > Date.now() + 10 * 60_000))
    for (const job of due) await destroyBytes(parts)(job)
    t.equal((await stored()).length, 3)
    t.same(await Promise.all(held.map(({ fileId }) => textOf(fileId))), ['one', long, ''])
    const kept = (await entryOf(held[0]?.fileId)).entry.version.sealedId
    await destroyBytes(parts)({ payload: { sealedId: kept } })
    t.equal((await stored()).length, 3, 'never those of a row')
    const text = `select count(*)::integer as n from audit_events where action = 'file.reseal'`
    const [events] = await database.rows<{ n: number }>({ name: 'reseal-test-events', text })
    t.equal(events?.n, 3)
    t.same(await db.stores.sweep.intentsBefore(new Date(), undefined, 9), [])
  },
  'one file by its id, and nothing where there is none': async (t, database, folder) => {
    const { anew, held, entryOf } = await deployment(database, folder, ['one', 'two'])
    const [first, second] = await Promise.all(held.map(({ fileId }) => entryOf(fileId)))
    t.same(await anew({ fileId: held[1]?.fileId ?? '' }), { versions: 1, bytes: 3 })
    t.equal((await entryOf(held[0]?.fileId)).entry.version.sealedId, first?.entry.version.sealedId)
    t.not((await entryOf(held[1]?.fileId)).entry.version.sealedId, second?.entry.version.sealedId)
    await t.rejects(anew({ fileId: randomUUID() }), { code: 'not_found' })
    await t.rejects(anew({ userId: 'nobody' }), { code: 'not_found' })
  },
  'damage takes no place: all stays as it was': async (t, database, folder) => {
    const { anew, held, entryOf, stored, jobs } = await deployment(database, folder, [long])
    const fileId = held[0]?.fileId ?? ''
    const { sealedId } = (await entryOf(fileId)).entry.version
    const path = join(folder, sealedId.slice(0, 2), sealedId.slice(2, 4), sealedId)
    const bytes = await readFile(path)
    bytes.writeUInt8(bytes.readUInt8(100_000) ^ 1, 100_000)
    await writeFile(path, bytes)
    await t.rejects(anew({ fileId }), { code: 'damaged' })
    t.equal((await entryOf(fileId)).entry.version.sealedId, sealedId)
    t.same([await stored(), await jobs()], [[sealedId], []])
  },
  'what changes meanwhile is neither lost nor undone': async (t, database, folder) => {
    const all = await deployment(database, folder, [long])
    const { anew, db, open, held, entryOf, textOf, guest } = all
    const fileId = held[0]?.fileId ?? ''
    const update = updateFile({ db })
    const over = new AbortController()
    const names: string[] = []
    const updating = (async () => {
      for (let n = 0; !over.signal.aborted; n++) {
        const { entry, grant } = await entryOf(fileId)
        const changes = { label: `label ${n}` }
        try {
          await withOpened(await open(entry, grant), (opened) =>
            update(actor(entry.file.ownerId), opened, changes),
          )
          names.push(changes.label)
        } catch (error) {
          t.match(error, { code: 'conflict' })
        }
      }
    })()
    for (let round = 0; round < 5; round++) {
      await anew({ fileId }).catch((error: unknown) => {
        t.match(error, { code: 'conflict' })
      })
    }
    over.abort()
    await updating
    const { entry, grant } = await entryOf(fileId)
    const label = await withOpened(await open(entry, grant), ({ metadata }) => metadata.label)
    t.equal(label, names.at(-1), `${names.length} changes were acknowledged, the last one holds`)
    const grants = await db.stores.files.grants(fileId)
    const shared = grants.find(({ userId }) => userId === guest)
    await db.stores.files.revokeGrant(shared?.grantId ?? '', 'x', new Date())
    await anew({ fileId })
    await t.rejects(textOf(fileId, guest), /nothing is held/, 'revoked stays revoked')
    t.equal(await textOf(fileId), long)
  },
  'broken off it is gone on with after the last': async (t, database, folder) => {
    const { anew, user, held, entryOf, textOf } = await deployment(database, folder, [
      'a',
      'b',
      'c',
    ])
    const before = await Promise.all(held.map(async ({ fileId }) => (await entryOf(fileId)).entry))
    const stop = new AbortController()
    let after: { fileId: string; version: number } | undefined
    const work = anew(
      { userId: user },
      {
        signal: stop.signal,
        progress: (_done, _total, last) => {
          after = last
          stop.abort(new Error('cut off'))
          return Promise.resolve()
        },
      },
    )
    await t.rejects(work, { message: 'cut off' })
    t.same(await anew({ userId: user }, { after }), { versions: 2, bytes: 2 })
    for (const { file, version } of before) {
      t.not((await entryOf(file.fileId)).entry.version.sealedId, version.sealedId)
    }
    t.same(await Promise.all(held.map(({ fileId }) => textOf(fileId))), ['a', 'b', 'c'])
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
        const folder = await mkdtemp(join(tmpdir(), 'strongroom-'))
        t.teardown(() => rm(folder, { recursive: true, force: true }))
        await database.script(
          emptied('principals, user_keys, deployment_keys, key_nodes, files, jobs, audit_events'),
        )
        await run(t, database, folder)
      })
    }
  })
}
