import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { Database } from '../../src/db/database.js'
import { newGrant } from '../../src/files/commit-upload.js'
import { withOpened } from '../../src/files/open-entry.js'
import { retireUserKeys } from '../../src/rotation/retire-user-keys.js'
import { rotateUser } from '../../src/rotation/rotate-user.js'
import { createMigratedDatabase, engines } from '../helpers/databases.js'
import { type Held, holds, makeService, type Service } from '../helpers/service.js'

const purpose = 'a second opinion'

/** A deployment in which `ann` holds so many files; one is shared with `bob`, for a purpose. */
async function deployment(database: Database, folder: string, files: number) {
  const service = await makeService(database, folder)
  const { db, ring } = service
  const user = `ann-${randomUUID()}`
  const held: Held[] = []
  for (let n = 0; n < files; n++) held.push(await holds(service, user, `${user} wrote ${n}`))
  const shared = await share(service, user, held[0])
  const opens = async (t: Test) => {
    for (const { fileId } of held) {
      const entry = await db.stores.files.entry(fileId, user)
      const [grant] = entry?.held ?? []
      if (entry === undefined || grant === undefined) throw new Error('a file is gone')
      await withOpened(await service.open(entry, grant), ({ metadata }) => metadata.file_id)
    }
    const grants = await db.stores.files.grants(shared.fileId)
    const note = grants.find(({ grantId }) => grantId === shared.grantId)?.purpose
    if (note == null) throw new Error('a purpose is gone')
    t.equal(await ring.openNote(user, shared.grantId, note), purpose)
  }
  const versions = async () => {
    const text = `select w.user_key_version as version, count(*)::integer as keys
      from wrapped_file_keys w join grants g using (grant_id)
      where g.user_id = $1 group by 1 order by 1`
    const rows = await database.rows<{ version: number; keys: number }>(
      { name: 'rotate-user-test-versions', text },
      [user],
    )
    return rows.map(({ version, keys }) => [version, keys])
  }
  const kept = async () => {
    const text = 'select version from user_keys where user_id = $1 order by version'
    const name = 'rotate-user-test-kept'
    const rows = await database.rows<{ version: number }>({ name, text }, [user])
    return rows.map(({ version }) => version)
  }
  const events = async () => {
    const text = `select action, bytes::integer as count from audit_events
      where subject_id = $1 and action like 'keys.%' order by writer_number`
    const name = 'rotate-user-test-events'
    return await database.rows<{ action: string; count: number }>({ name, text }, [user])
  }
  const turn = rotateUser(service)
  return { ...service, service, user, held, shared, opens, versions, kept, events, turn }
}

/** A file shared as a record is: the purpose is sealed for its owner. */
async function share({ db, ring, open }: Service, owner: string, file: Held | undefined) {
  const entry = file && (await db.stores.files.entry(file.fileId, owner))
  const [grant] = entry?.held ?? []
  if (entry === undefined || grant === undefined) throw new Error('nothing to share')
  const made = newGrant({
    ...{ fileId: entry.file.fileId, userId: 'bob', basis: 'explicit' },
    ...{ grantedBy: owner, grantedAt: new Date() },
  })
  const note = await ring.sealNote(owner, made.grantId, purpose)
  const { sealedId } = entry.version
  const wrapped = await withOpened(await open(entry, grant), ({ key }) =>
    ring.wrapFileKey(key, sealedId, made),
  )
  await db.stores.files.insertGrant({ ...made, purpose: note })
  await db.stores.files.insertWrappedKey({ sealedId, grantId: made.grantId, ...wrapped })
  return made
}

const tests: Record<string, (t: Test, database: Database, folder: string) => Promise<void>> = {
  'everything is under the new key, and the old one goes when nothing needs it': async (
    t,
    database,
    folder,
  ) => {
    const files = 210
    const { user, opens, versions, kept, events, turn, service } = await deployment(
      database,
      folder,
      files,
    )
    const seen: number[][] = []
    const report = await turn(user, { progress: (...numbers) => seen.push(numbers) })
    t.same(report, {
      ...{ user_id: user, version: 2, rewrapped: files, purposes: 1, verified: files },
    })
    t.same(seen.at(-1), [3 * files, 3 * files])
    t.same(await versions(), [[2, files]])
    await opens(t)
    t.same(await kept(), [1, 2], 'kept for those who hold a wrapping in their hands')
    t.equal(await retireUserKeys(service)(), 0, 'for an hour')
    t.equal(await retireUserKeys(service, 0)(), 1)
    t.same(await kept(), [2])
    await opens(t)
    const found = await events()
    t.match(found[0], { action: 'keys.user_rotate', count: 2 })
    t.match(found.at(-1), { action: 'keys.user_retire', count: 1 })
    const rewraps = found.filter(({ action }) => action === 'keys.user_rewrap')
    t.equal(
      rewraps.reduce((sum, { count }) => sum + count, 0),
      files + 1,
      'each is on record',
    )
  },
  'a wrapping that does not open: nothing is begun': async (t, database, folder) => {
    const { user, held, kept, turn, events } = await deployment(database, folder, 5)
    const text = 'update wrapped_file_keys set wrapped = $2 where sealed_id = $1'
    await database.rows({ name: 'rotate-user-test-spoil', text }, [held[3]?.sealedId ?? '', 'no'])
    await t.rejects(turn(user), { code: 'damaged' })
    t.same([await kept(), await events()], [[1], []])
  },
  'whoever has no key': async (t, database, folder) => {
    const { turn } = await deployment(database, folder, 1)
    await t.rejects(turn('nobody'), { code: 'not_found' })
  },
  'cut off anywhere it is gone on with': async (t, database, folder) => {
    const { user, opens, versions, kept, turn } = await deployment(database, folder, 210)
    let version: number | undefined
    let cuts = 0
    for (let limit = 0; ; limit += 150) {
      const stop = new AbortController()
      const done = await turn(user, {
        ...{ version, signal: stop.signal },
        made: (made) => {
          version = made
          return Promise.resolve()
        },
        progress: (done) => {
          if (done > limit) stop.abort(new Error('cut off'))
        },
      }).then(
        () => true,
        (error: unknown) => {
          t.match(error, { message: 'cut off' })
          return false
        },
      )
      await opens(t)
      if (done) break
      cuts += 1
    }
    t.ok(cuts >= 4, `${cuts} cuts`)
    t.same(await versions(), [[2, 210]], 'one new version in all')
    t.same(await kept(), [1, 2])
  },
  'uploads and readers go on meanwhile': async (t, database, folder) => {
    const all = await deployment(database, folder, 60)
    const { user, opens, service, held, turn, versions } = all
    const over = new AbortController()
    const reading = (async () => {
      while (!over.signal.aborted) await opens(t)
    })()
    const uploading = (async () => {
      for (let n = 0; !over.signal.aborted; n++) {
        held.push(await holds(service, user, `meanwhile ${n}`))
      }
    })()
    await turn(user)
    over.abort()
    await Promise.all([reading, uploading])
    await opens(t)
    // One that had been wrapped before and was committed after is under the version before.
    await turn(user)
    t.same(await versions(), [[3, held.length]])
    await opens(t)
  },
  'a wrapping that comes too late is refused, and tried again': async (t, database, folder) => {
    const { db, ring, user, held, turn, opens, kept, service, versions } = await deployment(
      database,
      folder,
      3,
    )
    const entry = held[1] && (await db.stores.files.entry(held[1].fileId, user))
    const [grant] = entry?.held ?? []
    if (entry === undefined || grant === undefined) throw new Error('a file is gone')
    await turn(user)
    const remove = retireUserKeys(service, 0)
    const late = { sealedId: entry.version.sealedId, grantId: grant.grantId, ...grant.key }
    // As an upload that wrapped before the turn and commits while the version before is removed.
    const gone = 'delete from wrapped_file_keys where grant_id = $1'
    await database.rows({ name: 'rotate-user-test-unwrap', text: gone }, [grant.grantId])
    let isWrapped = () => undefined as unknown
    const removing = new Promise((resolve) => {
      isWrapped = () => {
        resolve(undefined)
      }
    }).then(() => remove())
    await db.transaction(async (stores) => {
      await stores.files.insertWrappedKey(late)
      isWrapped()
      await stores.files.find(held[2]?.fileId ?? '')
    })
    const removed = await removing
    await opens(t)
    // Put under the newest first, and then nothing needs it.
    t.equal(removed + (await remove()), 1)
    t.same([await kept(), await versions()], [[2], [[2, 3]]])
    await t.rejects(db.stores.files.insertWrappedKey(late), { code: 'keys_unavailable' })
    const purposeless = (await db.stores.files.grants(entry.file.fileId))[0]
    const note = { sealed: 'x', userKeyVersion: 1 }
    if (purposeless === undefined) throw new Error('a grant is gone')
    const another = {
      ...purposeless,
      grantId: randomUUID(),
      basis: 'explicit',
      purpose: note,
    } as const
    await t.rejects(db.stores.files.insertGrant(another), { code: 'keys_unavailable' })
    const { key } = grant
    await t.rejects(ring.unwrapFileKey(key, entry.version.sealedId, grant), { code: 'damaged' })
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
          'truncate principals, user_keys, deployment_keys, key_nodes, files cascade',
        )
        await run(t, database, folder)
      })
    }
  })
}
