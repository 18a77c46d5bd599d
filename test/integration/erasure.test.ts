import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { Database } from '../../src/db/database.js'
import { issueCertificate, verifyCertificate } from '../../src/erasure/certificate.js'
import { type FinishErasure, finishErasure, SHRED } from '../../src/erasure/finish-erasure.js'
import { legalHolds } from '../../src/erasure/holds.js'
import type { OldCopiesRemover } from '../../src/erasure/ports.js'
import { beginShred, previewShred } from '../../src/erasure/shred.js'
import { StrongroomError } from '../../src/errors/strongroom-error.js'
import { deleteFile, purgeFile, restoreFile } from '../../src/files/delete-file.js'
import { withOpened } from '../../src/files/open-entry.js'
import { purgeDue } from '../../src/files/purge-due.js'
import { DESTROY_BYTES, destroyBytes, reseal } from '../../src/files/reseal.js'
import { updateFile } from '../../src/files/update-file.js'
import { byHand } from '../../src/jobs/by-hand.js'
import { openSigningKey } from '../../src/keys/signing-key.js'
import { shredByHand } from '../../src/operations/shred-by-hand.js'
import { createMigratedDatabase, emptied, engines } from '../helpers/databases.js'
import { actor, fileOf, limits, makeService, holds as stored } from '../helpers/service.js'

// Legal holds and shredding, on stores and files as they are. What people see of it over HTTP is
// test/acceptance/holds.test.ts and erasure.test.ts.

const DAY_MS = 86_400_000

/** A deployment of the test's own, with all that destroys and holds back. */
async function deployment(t: Test, database: Database) {
  await database.script(
    'truncate principals, user_keys, deployment_keys, signing_keys, erasures, legal_holds, jobs cascade',
  )
  await database.script(emptied('audit_events'))
  const service = await makeService(database, join(t.testdir(), 'files'))
  const { db, blobs, provider } = service
  const left: OldCopiesRemover = {
    remove: () => Promise.resolve({ oldCopies: 'removed' }),
  }
  const signingKey = await openSigningKey({ provider, store: db.stores.keys })
  const onProblem = (error: unknown) => t.error(error)
  const deleting = { db, blobs, onProblem, retentionDays: 30 }
  const purge = purgeFile(deleting)
  const finishing = { db, blobs, oldCopies: left, backupRetentionDays: 35 }
  const begin = beginShred({ db, provider })
  const finish = finishErasure(finishing)
  const count = async (from: string) => {
    const text = `select count(*)::int as n from ${from}`
    return (await database.rows<{ n: number }>({ name: `erasure-${from}`.slice(0, 63), text }))[0]
      ?.n
  }
  const sealedFiles = async () => {
    let found = 0
    for await (const { id } of blobs.list()) found += id === '' ? 0 : 1
    return found
  }
  return {
    ...service,
    ...{ signingKey, purge, finishing, begin, finish, count, sealedFiles },
    holds: legalHolds({ db }),
    delete: deleteFile(deleting),
    restore: restoreFile({ db }),
    purgeDue: purgeDue({ db, purge }),
    preview: previewShred({ db }),
    certificate: issueCertificate({ engine: database.engine, db, signingKey }),
    file: async (fileId: string) => {
      const found = await db.stores.files.find(fileId)
      if (found === undefined) throw new Error('there is no such file')
      return found
    },
    /** A second version of a file of `userId`'s. */
    addVersion: async (userId: string, fileId: string, text: string) => {
      const opened = await service.own.open(actor(userId), fileId, { action: 'file.version_add' })
      const sealed = await service.seal(fileOf(text), limits)
      await withOpened(opened, () => service.add(actor(userId), opened, { sealed }))
    },
    /** A grant of `holder`'s file to `userId`, with its keys. */
    share: async (holder: string, fileId: string, userId: string) => {
      const entry = await db.stores.files.entry(fileId, holder)
      const [held] = entry?.held ?? []
      if (entry === undefined || held === undefined) throw new Error('nothing to share')
      const grant = { ...held, grantId: randomUUID(), userId, basis: 'explicit' as const }
      const key = await service.ring.unwrapFileKey(held.key, entry.version.sealedId, held)
      const wrapped = await service.ring.wrapFileKey(key, entry.version.sealedId, grant)
      const { sealedId } = entry.version
      await db.transaction(async ({ files }) => {
        await files.insertGrant(grant)
        await files.insertWrappedKey({ sealedId, grantId: grant.grantId, ...wrapped })
      })
      return grant.grantId
    },
  }
}

const hold = { reference: 'case-1', by: 'legal' }
const inDays = (days: number) => new Date(Date.now() + days * DAY_MS)
const code = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'done',
    (error: unknown) => String((error as { code?: unknown }).code),
  )

const tests: Record<string, (t: Test, database: Database) => Promise<void>> = {
  'a purge leaves what is held, and says how much': async (t, database) => {
    const { holds, purgeDue, restore, file, ...use } = await deployment(t, database)
    const one = await stored(use, 'anna', 'first')
    const other = await stored(use, 'anna', 'second')
    for (const { fileId } of [one, other]) await use.delete(actor('anna'), await file(fileId))
    const placed = await holds.place({ ...hold, fileId: one.fileId })
    const seen: number[] = []
    t.strictSame(await purgeDue(new Date()), { purged: 0, held: 0 }, 'none is due')
    const report = await purgeDue(inDays(31), { progress: (done) => seen.push(done) })
    t.strictSame([report, seen], [{ purged: 1, held: 1 }, [1]])
    t.equal(await use.sealedFiles(), 1)
    await restore(actor('anna'), await file(one.fileId))
    t.equal(await code(use.delete(actor('anna'), await file(one.fileId))), 'legal_hold')
    await holds.release(placed.hold_id, 'legal')
    await use.delete(actor('anna'), await file(one.fileId))
    t.strictSame(await purgeDue(inDays(31)), { purged: 1, held: 0 })
    t.equal(await use.sealedFiles(), 0)
  },

  'what a held file was called stays': async (t, database) => {
    const { db, holds, own, count, ...use } = await deployment(t, database)
    const { fileId } = await stored({ ...use, db }, 'anna')
    const update = updateFile({ db })
    const rename = async (label: string) => {
      const opened = await own.open(actor('anna'), fileId, { action: 'file.update' })
      return await withOpened(opened, () => update(actor('anna'), opened, { label }))
    }
    await rename('before')
    const { hold_id } = await holds.place({ ...hold, personId: 'anna' })
    t.equal(await code(rename('meanwhile')), 'legal_hold')
    t.equal(await count(`audit_events where action = 'file.update' and outcome = 'denied'`), 1)
    await holds.release(hold_id, 'legal')
    t.match(await rename('after'), { metadata: { label: 'after' } })
  },

  'a file deleted again is not purged before its new time': async (t, database) => {
    const { purge, restore, file, ...use } = await deployment(t, database)
    const { fileId } = await stored(use, 'anna')
    await use.delete(actor('anna'), await file(fileId))
    t.equal(await purge(actor('x'), { fileId }), 'kept')
    await restore(actor('anna'), await file(fileId))
    t.equal(await purge(actor('x'), { fileId }, inDays(60)), 'kept')
    t.equal(await use.sealedFiles(), 1)
  },

  'what is destroyed at once is deleted, also where its bytes cannot be removed': async (
    t,
    database,
  ) => {
    const { db, file, count, ...use } = await deployment(t, database)
    const { fileId } = await stored({ ...use, db }, 'anna')
    const problems: unknown[] = []
    // A disk that takes nothing: as the store says it (src/blobs/disk-errors.ts).
    const remove = () => Promise.reject(new StrongroomError('storage_unavailable'))
    const deleteNow = deleteFile({
      ...{ db, blobs: { remove }, retentionDays: 0 },
      onProblem: (error) => problems.push(error),
    })
    t.match(await deleteNow(actor('anna'), await file(fileId)), { file_id: fileId })
    t.match(problems, [{ code: 'storage_unavailable' }])
    t.equal(await db.stores.files.find(fileId), undefined, 'purged: its keys are destroyed')
    t.equal(await count('wrapped_file_keys'), 0)
    t.equal(await use.sealedFiles(), 1, 'bytes without a row, for the sweep')
  },

  'retention of a type counts from the making of the current version': async (t, database) => {
    const { file, ...use } = await deployment(t, database)
    const { fileId } = await stored(use, 'anna')
    await use.addVersion('anna', fileId, 'a second version')
    const made = new Date(Date.now() - 300 * DAY_MS)
    await database.script(
      `update file_versions set created_at = '${made.toISOString()}' where version = 2`,
    )
    const purgeAfter = async (retentionDays: number) => {
      const row = await file(fileId)
      const at = Date.now()
      const deletion = await use.delete(actor('anna'), row, { retentionDays })
      await use.restore(actor('anna'), await file(fileId))
      return (Date.parse(deletion.purge_after) - at) / DAY_MS
    }
    const near = (days: number, expected: number) => Math.abs(days - expected) < 0.1
    t.ok(near(await purgeAfter(365), 65), 'the rest of its year')
    t.ok(near(await purgeAfter(310), 30), 'not less than a deleted file is kept')
    t.ok(near(await purgeAfter(100), 30), 'its own time is over')
  },

  'a hold and what would destroy, at the same moment: one of them, whole': async (t, database) => {
    const { holds, purge, begin, file, ...use } = await deployment(t, database)
    const { db } = use
    const outcomes = new Set<string>()
    const destroyers: Record<string, (fileId: string, userId: string) => Promise<unknown>> = {
      purge: async (fileId) => {
        const became = await purge(actor('x'), { fileId }, inDays(31))
        if (became !== 'purged') throw Object.assign(new Error(became), { code: 'legal_hold' })
      },
      delete: async (fileId, userId) => use.delete(actor(userId), await file(fileId)),
      shred: (fileId) => begin({ fileId }, 'operator'),
      'shred a person': (_fileId, userId) => begin({ personId: userId }, 'operator'),
    }
    for (const [name, destroy] of Object.entries(destroyers)) {
      for (let round = 0; round < 8; round++) {
        const userId = `${name} ${round}`
        const { fileId } = await stored(use, userId)
        if (name === 'purge') await use.delete(actor(userId), await file(fileId))
        const about = round % 2 === 0 ? { fileId } : { personId: userId }
        const place = () => code(holds.place({ ...hold, ...about }))
        const work = [() => code(destroy(fileId, userId)), place]
        if (round % 4 > 1) work.reverse()
        const codes = await Promise.all(work.map((each) => each()))
        if (round % 4 > 1) codes.reverse()
        const [destroyed = '', placed = ''] = codes
        outcomes.add(`${destroyed} ${placed}`)
        const row = await db.stores.files.find(fileId)
        const isOpen = (await db.stores.files.grants(fileId)).length > 0
        if (destroyed === 'legal_hold') {
          t.equal(placed, 'done', `${name}: the hold won`)
          t.ok(row !== undefined && isOpen, `${name}: and nothing was destroyed`)
        } else {
          t.equal(destroyed, 'done', name)
          const isMark = name === 'delete' || (name !== 'shred a person' && placed === 'done')
          if (!isMark) t.match(placed, /done|not_found|person_erased/, name)
        }
      }
    }
    t.ok(
      [...outcomes].some((each) => each.startsWith('done')),
      [...outcomes].join(', '),
    )
    t.ok(
      [...outcomes].some((each) => each.startsWith('legal_hold')),
      [...outcomes].join(', '),
    )
  },

  'a file is shredded, live or deleted, with all its versions': async (t, database) => {
    const { begin, finish, preview, file, count, ...use } = await deployment(t, database)
    const { fileId } = await stored(use, 'anna')
    await use.addVersion('anna', fileId, 'a second version')
    const deleted = await stored(use, 'anna', 'deleted')
    await use.delete(actor('anna'), await file(deleted.fileId))
    const counts = { userKeys: 0, fileKeys: 2, files: 1, versions: 2, recordsKept: 0 }
    t.strictSame(await preview({ fileId }), { ...counts, recordsClosed: 0, isHeld: false })
    t.equal(await use.sealedFiles(), 3, 'a preview touches nothing')
    const done = await finish(await begin({ fileId }, 'operator'))
    t.match(done, { ...counts, kind: 'file', fileId, requestedBy: 'operator' })
    t.strictSame(done.masterKeyIds, use.provider.masterKeyIds)
    t.equal(await use.sealedFiles(), 1)
    await finish(await begin({ fileId: deleted.fileId }, 'operator'))
    t.equal(await use.sealedFiles(), 0)
    t.equal(await count('wrapped_file_keys'), 0)
    t.equal(await count('erasure_blobs'), 0)
    t.equal(await count('user_keys'), 1, 'the person has their key')
    t.equal(await count("audit_events where action = 'file.shred'"), 2)
    t.equal(await code(begin({ fileId }, 'operator')), 'not_found', 'once')
    t.equal(await code(begin({ fileId: 'x' }, 'operator')), 'not_found')
    t.equal(await code(begin({ fileId: randomUUID() }, 'operator')), 'not_found')
  },

  'a version is shredded, and the others stay': async (t, database) => {
    const { begin, finish, own, ...use } = await deployment(t, database)
    const { fileId } = await stored(use, 'anna')
    await use.addVersion('anna', fileId, 'a second version')
    t.equal(await code(begin({ fileId, version: 2 }, 'operator')), 'conflict', 'the current one')
    t.equal(await code(begin({ fileId, version: 3 }, 'operator')), 'not_found')
    t.equal(await use.count('erasures'), 0)
    const done = await finish(await begin({ fileId, version: 1 }, 'operator'))
    t.match(done, { kind: 'version', version: 1, fileKeys: 1, files: 0, versions: 1 })
    t.equal(await use.sealedFiles(), 1)
    const find = (version: number) =>
      code(own.find(actor('anna'), fileId, { action: 'file.view', version }))
    t.strictSame([await find(1), await find(2)], ['not_found', 'done'])
    t.equal(await code(begin({ fileId, version: 1 }, 'operator')), 'not_found', 'once')
  },

  'a person is shredded, and no key is made for them again': async (t, database) => {
    const { begin, finish, ring, count, ...use } = await deployment(t, database)
    const { db } = use
    for (const text of ['one', 'two', 'three']) await stored(use, 'anna', text)
    const bens = await stored(use, 'ben')
    const granted = await use.share('ben', bens.fileId, 'anna')
    const annas = await stored(use, 'anna', 'shared')
    await use.share('anna', annas.fileId, 'carl')
    const { isHeld, recordsClosed, ...counts } = await use.preview({ personId: 'anna' })
    t.equal(recordsClosed, 0)
    const expected = { userKeys: 1, fileKeys: 5, files: 3, versions: 3, recordsKept: 1 }
    t.strictSame([isHeld, counts], [false, expected])
    const erasureId = await begin({ personId: 'anna' }, 'operator')
    t.equal(await count('user_keys'), 2, 'the key is gone at once, those of ben and carl are there')
    t.strictSame(await db.stores.files.endedGrants([granted]), [granted], 'readings end')
    t.match(await use.list(actor('anna'), { deleted: false, limit: 9 }), { files: [], damaged: [] })
    t.match(await finish(erasureId), { ...expected, kind: 'person', personId: 'anna' })
    t.equal(await use.sealedFiles(), 2, 'those of ben, and what carl can open')
    t.equal(await count('wrapped_file_keys'), 2)
    const find = (userId: string, fileId: string) =>
      db.stores.files.entry(fileId, userId).then((entry) => entry?.held.length)
    t.strictSame([await find('carl', annas.fileId), await find('ben', bens.fileId)], [1, 1])

    const terms = { userId: 'anna', basis: 'own', expiresAt: null } as const
    const key = await ring.unwrapFileKey(...(await fileKeyOf(use, 'ben', bens.fileId)))
    t.equal(await code(ring.wrapFileKey(key, bens.sealedId, terms)), 'person_erased')
    t.equal(await code(stored(use, 'anna', 'again')), 'person_erased')
    t.equal(await code(use.share('ben', bens.fileId, 'anna')), 'person_erased')
    t.equal(await use.sealedFiles(), 2, 'what was refused was discarded')
    t.equal(await count("user_keys where user_id = 'anna'"), 0)
    t.equal(await code(begin({ personId: 'anna' }, 'operator')), 'person_erased')
    t.equal(await code(begin({ personId: 'nobody' }, 'operator')), 'not_found')
    t.equal(await code(use.holds.place({ ...hold, personId: 'anna' })), 'person_erased')
    t.equal(await count("audit_events where action = 'person.shred'"), 1)
  },

  'the last who can open what is held is held, too': async (t, database) => {
    const { begin, finish, holds, preview, count, ...use } = await deployment(t, database)
    const close = async (fileId: string, userId: string) =>
      database.script(`update grants set revoked_at = now(), revoked_by = 'x'
        where file_id = '${fileId}' and user_id = '${userId}'`)
    const { fileId } = await stored(use, 'anna')
    await use.share('anna', fileId, 'ben')
    await use.share('anna', fileId, 'carl')
    await close(fileId, 'anna')
    const placed = await holds.place({ ...hold, fileId })
    t.match(await preview({ personId: 'ben' }), { isHeld: false, recordsClosed: 0 })
    const both = ['ben', 'carl'].map((personId) => code(begin({ personId }, 'operator')))
    t.strictSame((await Promise.all(both)).sort(), ['done', 'legal_hold'], 'one of the two')
    const [last = ''] = (await use.db.stores.files.grants(fileId)).map(({ userId }) => userId)
    t.match(await preview({ personId: last }), { isHeld: true, recordsClosed: 1 })
    await holds.release(placed.hold_id, 'legal')
    const onAnna = await holds.place({ ...hold, personId: 'anna' })
    t.equal(await code(begin({ personId: last }, 'operator')), 'legal_hold', 'on its owner')
    await holds.release(onAnna.hold_id, 'legal')

    await finish(await begin({ personId: 'anna' }, 'operator'))
    t.equal(await use.sealedFiles(), 1, 'it is open to the last')
    t.match(await preview({ personId: last }), { files: 1, recordsClosed: 0 })
    t.match(await finish(await begin({ personId: last }, 'operator')), { files: 1, versions: 1 })
    t.equal(await use.sealedFiles(), 0, 'nobody is left whose it would be')
    t.equal(await count('erasure_blobs'), 0)
  },

  'who uploads while they are shredded leaves nothing': async (t, database) => {
    const { begin, finish, count, ...use } = await deployment(t, database)
    for (let round = 0; round < 6; round++) {
      const userId = `anna ${round}`
      if (round > 0) await stored(use, userId, 'before')
      else await use.db.stores.files.ensurePeople([userId])
      const uploads = ['a', 'b', 'c', 'd'].map((text) => code(stored(use, userId, text)))
      const [erasureId, ...codes] = await Promise.all([
        begin({ personId: userId }, 'operator'),
        ...uploads,
      ])
      // Whoever found their key gone in the middle may be told that it does not open.
      for (const each of codes) t.match(each, /done|person_erased|damaged/)
      await finish(erasureId)
    }
    t.equal(await count('user_keys'), 0)
    t.equal(await count('wrapped_file_keys'), 0)
    t.equal(await count('files where purged_at is null'), 0)
    t.equal(await use.sealedFiles(), 0)
  },

  'broken off anywhere, it is finished by doing it again': async (t, database) => {
    const { begin, finish, finishing, count, ...use } = await deployment(t, database)
    const { db } = use
    const files = 12
    for (let n = 0; n < files; n++) await stored(use, 'anna', `text ${n}`)
    const erasureId = await begin({ personId: 'anna' }, 'operator')
    const job = await db.stores.jobs.claim([SHRED], inDays(1), inDays(2))
    t.match(job, { payload: { erasureId } }, 'a job stands from the first moment')
    for (const steps of [1, 2, 5, 9, 3]) {
      const stop = new AbortController()
      const broken = finish(erasureId, {
        signal: stop.signal,
        progress: (done) => {
          if (done >= steps) stop.abort(new Error('broken off'))
        },
      })
      await t.rejects(broken, { message: 'broken off' })
      t.match(await db.stores.erasures.find(erasureId), { finishedAt: null })
    }
    const failing = { remove: () => Promise.reject(new Error('no')) }
    const withoutBytes = finishErasure({ ...finishing, blobs: failing })
    await t.rejects(withoutBytes(erasureId), { message: 'no' })
    const withCopies = finishErasure({ ...finishing, oldCopies: failing })
    await t.rejects(withCopies(erasureId), { message: 'no' })
    t.equal(await use.sealedFiles(), 0, 'the bytes were removed before')
    const done = await finish(erasureId)
    t.match(done, { files, versions: files, fileKeys: files, oldCopies: 'removed' })
    const again = await finish(erasureId)
    t.strictSame(again.finishedAt, done.finishedAt, 'once finished it stays so')
    t.equal(await count('erasure_blobs'), 0)
    t.equal(await count("audit_events where action = 'file.purge'"), files, 'each once')
  },

  'by hand it is the job that stands, and stays it until it is finished': async (t, database) => {
    const { begin, finishing, finish, ...use } = await deployment(t, database)
    const { db } = use
    const onProblem = (error: unknown) => t.error(error)
    const { fileId } = await stored(use, 'anna')
    const erasureId = await begin({ fileId }, 'operator', { rewrite: true })
    const context = { signal: new AbortController().signal, progress: () => undefined }
    const byHandWith = (finishErasure: FinishErasure) =>
      shredByHand({ db, byHand: byHand({ db, onProblem }), finishErasure })(
        erasureId,
        true,
        context,
      )
    const failing = { remove: () => Promise.reject(new Error('no')) }
    await t.rejects(byHandWith(finishErasure({ ...finishing, blobs: failing })), { message: 'no' })
    const [job] = await db.stores.jobs.list(9)
    t.match(job, { jobId: erasureId, kind: SHRED, payload: { erasureId, rewrite: 'true' } })
    t.equal(await code(byHandWith(finish)), 'conflict', 'as one that a node is at work on')
    const later = new Date(Date.now() + 20_000)
    t.match(await db.stores.jobs.claim([SHRED], later, new Date()), { jobId: erasureId })
    t.match(await byHandWith(finish), { erasureId, oldCopies: 'removed' })
    t.strictSame(await db.stores.jobs.list(9), [])
    const unknown = shredByHand({ db, byHand: byHand({ db, onProblem }), finishErasure: finish })
    t.equal(await code(unknown(randomUUID(), false, context)), 'not_found')
    t.strictSame(await db.stores.jobs.list(9), [], 'nothing is tried for ever')
  },

  'bytes of an earlier sealing are destroyed with the rest': async (t, database) => {
    const { begin, finish, sealedFiles, file, ...use } = await deployment(t, database)
    const { db, blobs, ring: keyRing, open: openEntry } = use
    const log = { info: () => undefined, error: (fields: object) => t.fail('', fields) }
    const anew = reseal({ db, blobs, keyRing, openEntry, log })
    const { fileId } = await stored(use, 'anna')
    await use.addVersion('anna', fileId, 'a second version')
    const other = await stored(use, 'anna', 'another')
    await anew({ userId: 'anna' })
    t.equal(await sealedFiles(), 6, 'three, and three before them')
    await finish(await begin({ fileId, version: 1 }, 'operator'))
    t.equal(await sealedFiles(), 4, 'both of that version')
    await finish(await begin({ fileId }, 'operator'))
    t.equal(await sealedFiles(), 2)
    t.equal((await file(other.fileId)).fileId, other.fileId)
    await finish(await begin({ personId: 'anna' }, 'operator'))
    t.equal(await sealedFiles(), 0)
    const due = (await db.stores.jobs.list(9)).filter(({ kind }) => kind === DESTROY_BYTES)
    t.equal(due.length, 3)
    for (const job of due) await destroyBytes({ db, blobs })(job)
  },

  'what was left is removed afterwards, and not the other way round': async (t, database) => {
    const { begin, finishing, finish, ...use } = await deployment(t, database)
    const { fileId } = await stored(use, 'anna')
    const wishes: boolean[] = []
    const careful = finishErasure({
      ...finishing,
      oldCopies: {
        remove: ({ rewrite }) => {
          wishes.push(rewrite)
          return Promise.resolve(
            rewrite
              ? { oldCopies: 'removed' as const }
              : { oldCopies: 'left' as const, leftBecause: 'not_asked' as const },
          )
        },
      },
    })
    const erasureId = await begin({ fileId }, 'operator')
    t.match(await careful(erasureId), { oldCopies: 'left', leftBecause: 'not_asked' })
    t.match(await careful(erasureId), { oldCopies: 'left' })
    t.match(await careful(erasureId, { rewrite: true }), { oldCopies: 'removed' })
    t.match(await careful(erasureId, { rewrite: true }), { oldCopies: 'removed' })
    t.strictSame(wishes, [false, true])
    t.equal(await code(finish(randomUUID())), 'not_found')
  },

  'a certificate says what is outstanding, and is genuine in every byte': async (t, database) => {
    const { begin, finish, certificate, signingKey, ...use } = await deployment(t, database)
    await stored(use, 'anna')
    const erasureId = await begin({ personId: 'anna' }, 'operator')
    const read = async () => {
      const written = await certificate(erasureId)
      return { written, said: verifyCertificate(written, signingKey.publicKey) }
    }
    const [masterKey] = use.provider.masterKeyIds
    const conditions = (here: boolean, retired: boolean, expired: boolean) => [
      { condition: 'everything_destroyed_here', met: here },
      { condition: 'old_copies_in_database_removed', met: here },
      { condition: 'master_key_retired', master_key: masterKey, met: retired },
      { condition: 'last_backup_expired', met: expired },
    ]
    const begun = await read()
    t.match(begun.said, {
      state: 'pending',
      what: { kind: 'person', person_id: 'anna' },
      requested_by: 'operator',
      finished_at: null,
      complete_when: conditions(false, false, false),
    })
    await finish(erasureId)
    t.match((await read()).said?.complete_when, conditions(true, false, false))
    await database.script("update erasures set backups_expire_at = now() - interval '1 s'")
    t.match((await read()).said?.complete_when, conditions(true, false, true))
    await database.script('delete from deployment_keys')
    const { written, said } = await read()
    t.match(said, { state: 'complete', complete_when: conditions(true, true, true) })
    t.notMatch(JSON.stringify(said), /a\.txt|wrote this/, 'no name, no content')

    const bytes = Buffer.from(written)
    let accepted = 0
    for (let at = 0; at < bytes.length; at++) {
      for (const bit of [1, 2, 32]) {
        const altered = Buffer.from(bytes)
        altered[at] = (altered[at] ?? 0) ^ bit
        const text = altered.toString('latin1')
        if (verifyCertificate(text, signingKey.publicKey) !== undefined) accepted += 1
      }
    }
    t.equal(accepted, 0, `${bytes.length} bytes, three bits of each`)
    for (const other of [`${written}\n`, ` ${written}`, written.trimEnd(), '{}', '', 'null']) {
      t.equal(verifyCertificate(other, signingKey.publicKey), undefined)
    }
    t.equal(verifyCertificate(written, 'no key'), undefined)
    t.equal(await code(certificate(randomUUID())), 'not_found')
    t.equal(await code(certificate('x')), 'not_found')
  },

  'the key that signs is made once, and never again': async (t, database) => {
    const { db, provider, signingKey } = await deployment(t, database)
    const { keys } = db.stores
    const open = () => openSigningKey({ provider, store: keys })
    t.equal((await open()).publicKey, signingKey.publicKey)
    await database.script("delete from deployment_keys where key_use = 'signing-key'")
    await t.rejects(open(), { name: 'WrongKeysError', message: /missing/ })
    await database.script('delete from signing_keys')
    const racing = await Promise.all([open(), open(), open()])
    t.equal(new Set(racing.map(({ keyId }) => keyId)).size, 1, 'one, where nodes start together')
    t.not(racing[0].keyId, signingKey.keyId)
    await database.script(`update signing_keys set key_id = '${signingKey.keyId}'`)
    await t.rejects(open(), { name: 'WrongKeysError', message: /not the one it had/ })
    await database.script('delete from signing_keys')
    await t.rejects(open(), { name: 'WrongKeysError', message: /public half/ })
  },
}

async function fileKeyOf(
  { db }: Pick<Awaited<ReturnType<typeof makeService>>, 'db'>,
  userId: string,
  fileId: string,
) {
  const entry = await db.stores.files.entry(fileId, userId)
  const [grant] = entry?.held ?? []
  if (entry === undefined || grant === undefined) throw new Error('nothing held')
  return [grant.key, entry.version.sealedId, grant] as const
}

for (const engine of engines) {
  await t.test(engine, async (t) => {
    const place = await createMigratedDatabase(engine)
    t.teardown(() => place.drop())
    const database = await place.open()
    t.teardown(() => database.close())
    for (const [name, test] of Object.entries(tests)) {
      await t.test(name, (t) => test(t, database))
    }
  })
}
