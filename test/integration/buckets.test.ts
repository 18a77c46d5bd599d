import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { askForDownload } from '../../src/buckets/ask-for-download.js'
import { askForObject } from '../../src/buckets/ask-for-upload.js'
import { bucketRights } from '../../src/buckets/bucket-rights.js'
import { commitObject } from '../../src/buckets/commit-object.js'
import { deleteObject } from '../../src/buckets/delete-object.js'
import { folderNotes } from '../../src/buckets/folder-notes.js'
import { listObjects } from '../../src/buckets/list-objects.js'
import { objectHashes } from '../../src/buckets/object-hashes.js'
import { openObjects } from '../../src/buckets/open-objects.js'
import { receiveObject } from '../../src/buckets/receive-object.js'
import { tidyBuckets, tidyFolder } from '../../src/buckets/tidy-buckets.js'
import type { Database } from '../../src/db/database.js'
import { documentNotes } from '../../src/documents/document-facts.js'
import { purgeFile } from '../../src/files/delete-file.js'
import { reseal } from '../../src/files/reseal.js'
import { uploadSlots } from '../../src/files/upload-slots.js'
import { makeLogger } from '../../src/log.js'
import { permissionBook } from '../../src/people/permission-book.js'
import { ticketBook } from '../../src/tickets/ticket-book.js'
import { createMigratedDatabase, engines } from '../helpers/databases.js'
import { actor, fileOf, limits, makeService } from '../helpers/service.js'

// Objects in buckets on both engines: the tables, what is left when something goes, and rows that were moved.

const contentType = 'text/plain'
const bucket = 'documents'
const forEver = { endsAt: undefined, login: undefined }

async function makeBuckets(database: Database, folder: string, retentionDays = 0) {
  const service = await makeService(database, folder)
  const { db, audit, hash, ring, open, seal, blobs } = service
  const never = () => Promise.reject(new Error('nobody is asked'))
  const seconds = { ticketMaxSeconds: 900, uploadTicketSeconds: 900 }
  const tickets = ticketBook({
    ...{ db, hash, permit: never, rolesOf: never },
    settings: { ...seconds, viewTicketSeconds: 900, viewSessionSeconds: 900 },
  })
  const buckets = [bucket, 'other']
  const permissions = permissionBook({ db, audit, keyRing: ring, hash, buckets })
  const hashes = objectHashes(hash)
  const rights = bucketRights({ audit, permissions, buckets })
  const objects = openObjects({ db, audit, hashes, rights, openEntry: open })
  const onProblem = (error: unknown) => {
    throw error
  }
  const use = {
    ...{ db, audit, hash, hashes, rights, objects, seal, limits, tickets, openEntry: open },
    ...{ keyRing: ring, notes: documentNotes(ring), folderNotes: folderNotes(ring, hashes) },
    ...{ slots: uploadSlots(20), purge: purgeFile({ db, blobs }), onProblem },
    ...{ deleting: { retentionDays }, tidyFolder: tidyFolder({ db }) },
    log: makeLogger({ logLevel: 'silent' }),
  }
  const receive = receiveObject({ ...use, commit: commitObject(use) })
  const ask = askForObject(use)
  const list = listObjects(use)
  const admin = { ...actor('admin'), roles: ['admin'] }
  const give = (userId: string, prefix = '', where = bucket) =>
    permissions.create(admin, {
      ...{ userId, bucket: where, prefix, canWrite: true, canDelete: true },
    })
  const place = (who: string, key: string, where = bucket) =>
    ask(
      actor(who),
      { bucket: where, key, contentType, size: undefined, seconds: undefined },
      forEver,
    )
  const send = async (who: string, ticketId: string, text: string) => {
    const ticket = await tickets.useForUpload(ticketId)
    if (ticket === undefined) throw new Error('its ticket is over')
    const { bytes } = fileOf(text)
    const sent = { contentType, length: undefined, sha256: undefined, bytes }
    return await receive(actor(who), ticket, sent)
  }
  return {
    ...{ service, use, hashes, give, place, send, objects, list, tidy: tidyBuckets(use) },
    remove: deleteObject(use),
    download: askForDownload(use),
    put: async (who: string, key: string, text = key, where = bucket) =>
      (await send(who, (await place(who, key, where)).ticketId, text)).id,
    seen: async (who: string, prefix = '') => {
      const query = { bucket, prefix, limit: 50, after: undefined }
      const { objects: found, commonPrefixes, damaged } = await list(actor(who), query)
      return [found.map(({ key }) => key), commonPrefixes, damaged.length]
    },
    count: async (table: string, where = 'true') => {
      const text = `select count(*)::int as n from ${table} where ${where}`
      return (await database.rows<{ n: number }>({ name: '', text }))[0]?.n
    },
  }
}

const signal = new AbortController().signal

async function isTidied(t: Test, database: Database, folder: string): Promise<void> {
  const { give, place, put, remove, tidy, count, seen, send, service } = await makeBuckets(
    database,
    folder,
  )
  await give('anna')
  const anna = actor('anna')
  await put('anna', 'a/b/c/1.txt')
  await put('anna', 'a/2.txt')
  t.equal(await count('bucket_folders'), 3)
  await remove(anna, { bucket, key: 'a/b/c/1.txt' })
  t.equal(await count('bucket_folders'), 1, 'the folders around it went with it')
  t.equal(await count('sealed_notes', `kind = 'folder'`), 1, 'and their names')
  t.equal(
    await count('wrapped_file_keys'),
    2,
    'and its keys: the sender’s and the space’s are left of one',
  )
  await remove(anna, { bucket, key: 'a/2.txt' })
  t.same([await count('bucket_folders'), await count('bucket_objects')], [0, 0])

  const late = await place('anna', 'late/3.txt')
  await place('anna', 'never/4.txt')
  t.equal(await count('sealed_notes', `kind = 'document'`), 2)
  await database.script(`update bucket_uploads set expires_at = expires_at - interval '20 hours'`)
  await tidy({ signal })
  t.equal(await count('bucket_uploads'), 2, 'one that began in time may be under way')
  await send('anna', late.ticketId, 'just in time')
  await database.script(`update bucket_uploads set expires_at = expires_at - interval '20 hours'`)
  await tidy({ signal })
  t.same(
    [await count('bucket_uploads'), await count('sealed_notes', `kind = 'document'`)],
    [0, 0],
    'and what was said of them',
  )
  t.same(await seen('anna', 'late'), [['late/3.txt'], [], 0])

  // Somebody was killed between a deletion and the look at its folder.
  const { folders } = service.db.stores
  await database.script(`delete from bucket_objects; update bucket_folders set emptied_at = now()`)
  t.same(await seen('anna'), [[], [], 0], 'an empty folder is not shown')
  await tidy({ signal })
  t.same([await count('bucket_folders'), await folders.emptied(5)], [0, []])
  await put('anna', 'late/3.txt')
  await database.script(`update bucket_folders set emptied_at = now()`)
  t.same(await seen('anna'), [[], ['late/'], 0], 'one that was filled again is')
  await tidy({ signal })
  t.same([await count('bucket_folders'), await folders.emptied(5)], [1, []])
}

async function isReplaced(t: Test, database: Database, folder: string): Promise<void> {
  const { give, place, put, send, count, seen, remove, use } = await makeBuckets(
    database,
    folder,
    30,
  )
  for (const who of ['anna', 'ben']) await give(who)
  await put('anna', 'both/1.txt', 'of anna')
  await put('ben', 'both/1.txt', 'of ben')
  t.same(await seen('anna', 'both'), [['both/1.txt'], [], 0])
  t.equal(await count('files', 'deleted_at is not null and purge_after > now()'), 1)
  // Each in the place of the other's, at once.
  const work = Array.from({ length: 8 }, async (_each, nth) => {
    const who = nth % 2 === 0 ? 'anna' : 'ben'
    const key = nth % 3 === 0 ? 'both/1.txt' : 'both/deep/2.txt'
    const { ticketId } = await place(who, key)
    return await send(who, ticketId, `racer ${nth}`)
  })
  await Promise.all(work)
  t.same(await seen('ben', 'both'), [['both/1.txt'], ['both/deep/'], 0])
  const live = `f join bucket_objects using (file_id)`
  t.equal(await count(`files ${live}`, 'f.deleted_at is null'), 2)
  t.equal(await count('files', 'deleted_at is null'), 2, 'nothing else is live')
  // Folders that come and go while others are put into them.
  const busy = Array.from({ length: 10 }, async (_each, nth) => {
    const who = nth % 2 === 0 ? 'anna' : 'ben'
    await put(who, `busy/x/${nth}.txt`)
    await remove(actor(who), { bucket, key: `busy/x/${nth}.txt` })
  })
  await Promise.all(busy)
  await tidyBuckets(use)({ signal })
  t.same(await seen('anna', 'busy'), [[], [], 0])
  t.equal(await count('bucket_folders'), 2)
}

async function isBound(t: Test, database: Database, folder: string): Promise<void> {
  const { service, give, put, seen, objects, download, list, count } = await makeBuckets(
    database,
    folder,
  )
  await give('anna')
  await give('anna', '', 'other')
  await give('ben', 'open')
  const secret = await put('anna', 'shut/secret.txt')
  const open = await put('anna', 'open/1.txt')
  await put('anna', 'open/1.txt', 'elsewhere', 'other')
  const ben = actor('ben')
  const first = await service.db.stores.files.entry(secret, 'space|bucket|documents')
  t.equal(first?.held[0]?.basis, 'explicit', 'the space has the key')

  // Who can write to the database puts what ben may not read where he may.
  await database.script(`
    update bucket_objects set key_hash = 'x' where file_id = '${open}';
    update bucket_objects o set key_hash = '\\x${'00'.repeat(32)}' where file_id = '${secret}'`)
  await database.rows(
    {
      name: '',
      text: `update bucket_objects set key_hash = $1, folder_hash = (
        select folder_hash from bucket_objects where file_id = '${open}') where file_id = '${secret}'`,
    },
    [objectHashes(service.hash).ofKey(bucket, 'open/1.txt')],
  )
  await t.rejects(objects.open(ben, secret, 'file.download'), { code: 'damaged' })
  t.same(await seen('ben', 'open'), [[], [], 2], 'neither is told of')
  t.equal(await count('audit_events', `reason = 'damaged' and outcome = 'failed'`), 3)
  const ticket = await download(ben, { bucket, key: 'open/1.txt', seconds: 60 }, forEver)
  t.ok(ticket, 'a ticket that hands nothing out')

  // A folder's row under another one.
  await database.rows(
    {
      name: '',
      text: `update bucket_folders set parent_hash = $1 where folder_hash = $2`,
    },
    [
      objectHashes(service.hash).ofFolder(bucket, 'open'),
      objectHashes(service.hash).ofFolder(bucket, 'shut'),
    ],
  )
  t.same(await seen('ben', 'open'), [[], [], 3])
  const other = await list(actor('anna'), {
    ...{ bucket: 'other', prefix: 'open', limit: 5, after: undefined },
  })
  t.equal(other.objects.length, 1, 'another bucket is as it was')
}

async function goesOn(t: Test, database: Database, folder: string): Promise<void> {
  const { service, give, put, seen, objects } = await makeBuckets(database, folder)
  await give('anna')
  const id = await put('anna', 'kept/1.txt')
  const before = (await service.db.stores.files.entry(id, 'anna'))?.version.sealedId
  const { db, blobs, ring, open } = service
  const log = makeLogger({ logLevel: 'silent' })
  await reseal({ db, blobs, keyRing: ring, openEntry: open, log })({ fileId: id })
  t.not((await service.db.stores.files.entry(id, 'anna'))?.version.sealedId, before, 'sealed anew')
  t.same(await seen('anna', 'kept'), [['kept/1.txt'], [], 0])
  const found = await objects.open(actor('anna'), id, 'file.download')
  t.equal(found.opened.metadata.filename, '1.txt')
  t.ok(await found.stillHolds())
  found.opened.close()
}

async function isFlat(t: Test, database: Database, folder: string): Promise<void> {
  const { service, give, put, seen, hashes } = await makeBuckets(database, folder)
  await give('anna')
  await put('anna', 'many/1.txt')
  const rows = 20_000
  const values = [hashes.ofFolder(bucket, 'crowd'), rows]
  await database.rows(
    {
      name: '',
      text: `with made as (
          insert into files (file_id, kind, owner_id, uploader_id, version, created_at, updated_at)
          select gen_random_uuid(), 'document', 'anna', 'anna', 1, now(), now()
          from generate_series(1, $2::integer) returning file_id
        )
        insert into bucket_objects (file_id, bucket, key_hash, folder_hash, created_at)
        select file_id, 'documents', decode(replace(file_id::text, '-', ''), 'hex'), $1, now()
        from made`,
    },
    values,
  )
  await database.script('analyze bucket_objects; analyze files')
  const began = performance.now()
  for (let nth = 0; nth < 20; nth++) {
    const query = { folderHash: values[0] as Buffer, limit: 51, after: undefined }
    t.equal((await service.db.stores.objects.children(query)).length, 51)
  }
  t.same(await seen('anna', 'many'), [['many/1.txt'], [], 0])
  t.ok(performance.now() - began < 5_000, 'a page of a crowd is read from an index')
}

const parts = { isTidied, isReplaced, isBound, goesOn, isFlat }

for (const engine of engines) {
  for (const [name, part] of Object.entries(parts)) {
    await t.test(`${name}, ${engine}`, async (t) => {
      const folder = await mkdtemp(join(tmpdir(), `strongroom-buckets-${randomUUID()}`))
      const created = await createMigratedDatabase(engine)
      const database = await created.open()
      t.teardown(async () => {
        await database.close()
        await created.drop()
        await rm(folder, { recursive: true, force: true })
      })
      await part(t, database, folder)
    })
  }
}
