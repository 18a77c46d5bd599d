import { randomUUID } from 'node:crypto'
import t, { type Test } from 'tap'
import type { AuditEvent } from '../../src/audit/audit-events.js'
import { unsignedWriter } from '../../src/audit/audit-writer.js'
import type { Database } from '../../src/db/database.js'
import { type AllStores, transactions } from '../../src/db/stores.js'
import type { FileRow, GrantRow } from '../../src/files/ports.js'
import type { Transactions } from '../../src/ports/transactions.js'
import { createMigratedDatabase, engines } from '../helpers/databases.js'

type Stores = Transactions<AllStores>

const MINUTE = 60_000
const start = Date.UTC(2026, 0, 1)
const minute = (n: number): Date => new Date(start + n * MINUTE)
const fromNow = (minutes: number): Date => new Date(Date.now() + minutes * MINUTE)

for (const engine of engines) {
  await t.test(engine, async (t) => {
    const place = await createMigratedDatabase(engine)
    t.teardown(() => place.drop())
    const db = await place.open()
    t.teardown(() => db.close())
    const stores = transactions(db, unsignedWriter)
    await t.test('keys are stored once', (t) => keys(t, stores))
    await t.test('the same bytes are live once for an owner', (t) => duplicates(t, stores))
    await t.test('an entry holds what can be opened', (t) => heldGrants(t, stores))
    await t.test('lists go on after their cursor', (t) => lists(t, stores))
    await t.test('records a person was granted', (t) => grantedRecords(t, stores))
    await t.test('a purge leaves nothing to open', (t) => purges(t, stores, db))
    await t.test('grants whose reading must end', (t) => endings(t, stores))
    await t.test('requests of one reading are one access', (t) => folding(t, stores))
    await t.test('a claim is begun, completed, taken over', (t) => claims(t, stores))
    await t.test('a job is claimed by one', (t) => jobs(t, stores))
    await t.test('record types in use stay', (t) => types(t, stores))
    await t.test('assignments and the team', (t) => team(t, stores))
    await t.test('what throws leaves nothing', (t) => rollback(t, stores))
  })
}

async function duplicates(t: Test, db: Stores): Promise<void> {
  const bytes = Buffer.from('same bytes')
  await db.stores.files.ensurePeople(['twin', 'twin', 'other-twin'])
  const insert = async (row: Partial<FileRow>, fingerprint = bytes): Promise<boolean> =>
    await db.transaction(async ({ files }) => {
      await files.lockOwner('twin')
      return await files.insertFile(fileRow({ ownerId: 'twin', ...row }), fingerprint)
    })
  const first = randomUUID()
  const second = randomUUID()
  const racing = await Promise.all([insert({}), insert({}), insert({})])
  t.equal(racing.filter(Boolean).length, 1, 'one of those that race')
  t.ok(await insert({ ownerId: 'other-twin' }), 'another owner has their own')
  for (const fileId of [randomUUID(), randomUUID()]) t.ok(await insert(record('twin', { fileId })))
  t.ok(await insert({ fileId: first }, Buffer.from('first')))
  t.ok(await insert({ fileId: second }, Buffer.from('second')))
  const { files } = db.stores
  t.notOk(await files.setCurrentVersion(second, 2, Buffer.from('first'), minute(1)))
  t.ok(await files.setCurrentVersion(second, 2, Buffer.from('second'), minute(1)), 'its own')
  t.match(await files.find(second), { version: 2, updatedAt: minute(1) })
  await files.markDeleted(first, 'twin', minute(2), minute(3))
  t.ok(await files.setCurrentVersion(second, 3, Buffer.from('first'), minute(3)))
  t.notOk(await files.markRestored(first, minute(4)), 'the same bytes are live again')
  await files.setCurrentVersion(second, 4, Buffer.from('second'), minute(5))
  t.ok(await files.markRestored(first, minute(6)))
  t.match(await files.find(first), { deletedAt: null, purgeAfter: null })
  t.notOk(await files.markRestored(first, minute(7)), 'it is not deleted')
}

async function heldGrants(t: Test, db: Stores): Promise<void> {
  const { files } = db.stores
  const { fileId, sealedId, grantId } = await store(db, fileRow({ ownerId: 'holder' }))
  const newer = randomUUID()
  await addVersion(db, fileId, 2, newer)
  const purpose = { sealed: 'note', userKeyVersion: 2 }
  const keyless = grantRow(fileId, 'holder', { basis: 'explicit', purpose })
  await files.insertGrant(keyless)
  const current = await files.entry(fileId, 'holder')
  t.match(current, { file: { version: 2 }, version: { version: 2, sealedId: newer } })
  t.strictSame(current?.held, [], 'grants without a key of this version open nothing')
  const older = await files.entry(fileId, 'holder', 1)
  t.match(older, { file: { version: 2 }, version: { version: 1, sealedId, size: 10 } })
  t.match(older?.held, [{ grantId, basis: 'own', key: { userKeyVersion: 1, wrapped: 'w1' } }])
  await files.insertWrappedKey({
    ...{ sealedId, grantId: keyless.grantId, userKeyVersion: 2, wrapped: 'w2' },
  })
  const both = await files.entry(fileId, 'holder', 1)
  t.strictSame(
    both?.held.map((held) => [held.basis, held.purpose, held.key.wrapped]),
    [
      ['own', null, 'w1'],
      ['explicit', purpose, 'w2'],
    ],
  )
  t.strictSame((await files.entry(fileId, 'stranger', 1))?.held, [])
  t.equal(await files.entry(fileId, 'holder', 3), undefined, 'no such version')
  t.ok(await files.revokeGrant(grantId, 'holder', minute(5)))
  t.notOk(await files.revokeGrant(grantId, 'holder', minute(6)), 'it no longer stands')
  t.strictSame(
    (await files.entry(fileId, 'holder', 1))?.held.map((held) => held.grantId),
    [keyless.grantId],
  )
  t.strictSame(await files.grants(fileId), [keyless])
  t.equal(await files.usage('holder'), 20, 'all versions count')
}

async function lists(t: Test, db: Stores): Promise<void> {
  const { files } = db.stores
  const ids: string[] = []
  for (const at of [1, 2, 2, 2, 3]) {
    const row = fileRow({ ownerId: 'lister', createdAt: minute(at) })
    const { fileId } = await store(db, row)
    await files.insertGrant(grantRow(fileId, 'lister', { basis: 'explicit' }))
    ids.push(fileId)
  }
  const seen: string[] = []
  let after: { at: Date; id: string } | undefined
  for (let page = 0; page < 3; page++) {
    const entries = await files.ownedEntries('lister', { deleted: false, limit: 2, after })
    t.ok(entries.every((entry) => entry.held.length === 1))
    seen.push(...entries.map(({ file }) => file.fileId))
    const last = entries.at(-1)?.file
    after = last && { at: last.createdAt, id: last.fileId }
  }
  t.strictSame([...seen].sort(), [...ids].sort(), 'each once, those of one instant too')
  t.strictSame([seen[0], seen[4]], [ids[4], ids[0]], 'newest first')
  const [gone = ''] = ids
  await files.markDeleted(gone, 'lister', minute(9), minute(10))
  const deleted = await files.ownedEntries('lister', { deleted: true, limit: 9 })
  t.strictSame(
    deleted.map(({ file }) => file.fileId),
    [gone],
  )
  t.equal((await files.ownedEntries('lister', { deleted: false, limit: 9 })).length, 4)
  t.equal((await files.entry(gone, 'lister'))?.file.deletedAt?.getTime(), minute(9).getTime())
}

async function grantedRecords(t: Test, db: Stores): Promise<void> {
  const { files } = db.stores
  const granted = async (
    patient: string,
    at: number,
    grant: Partial<GrantRow> = {},
  ): Promise<string> => {
    const { fileId, sealedId } = await store(db, record(patient, { createdAt: minute(at) }))
    const row = grantRow(fileId, 'reader', { basis: 'explicit', ...grant })
    await files.insertGrant(row)
    await files.insertWrappedKey({
      ...{ sealedId, grantId: row.grantId, userKeyVersion: 1, wrapped: 'w' },
    })
    return fileId
  }
  await ensureKeys(db, 'reader')
  const old = await granted('pat', 1)
  const recent = await granted('pat', 2, { expiresAt: fromNow(60) })
  const others = await granted('pia', 3)
  await granted('pat', 4, { expiresAt: fromNow(-60) })
  await files.markDeleted(await granted('pat', 5), 'pat', minute(6), minute(7))
  const list = async (query: object): Promise<string[]> =>
    (await files.grantedEntries('reader', { limit: 9, ...query })).map(({ file }) => file.fileId)
  t.strictSame(await list({}), [others, recent, old])
  t.strictSame(await list({ patientId: 'pat' }), [recent, old])
  t.strictSame(await list({ from: minute(2), to: minute(3) }), [others, recent], 'both inclusive')
  t.strictSame(await list({ limit: 1, after: { at: minute(3), id: others } }), [recent])
  t.strictSame(await list({ recordTypeId: 'prescription' }), [others, recent, old])
  t.strictSame(await list({ recordTypeId: 'referral-letter' }), [])
  t.strictSame(await files.ownedEntries('pat', { deleted: false, limit: 9 }), [])
}

async function purges(t: Test, db: Stores, sql: Database): Promise<void> {
  const { files } = db.stores
  const bytes = Buffer.from('purged')
  const { fileId, sealedId } = await store(db, fileRow({ ownerId: 'purger' }), bytes)
  const newer = randomUUID()
  await addVersion(db, fileId, 2, newer)
  t.strictSame(await files.purge(fileId, minute(1)), [], 'a live file is not purged')
  await files.markDeleted(fileId, 'purger', minute(1), minute(5))
  const due = async (at: number): Promise<boolean> =>
    (await files.purgeable(minute(at), 100)).includes(fileId)
  t.strictSame([await due(4), await due(5)], [false, true])
  t.strictSame((await files.purge(fileId, minute(6))).sort(), [sealedId, newer].sort())
  t.strictSame(await files.purge(fileId, minute(7)), [], 'once')
  t.notOk(await due(8))
  t.equal(await files.entry(fileId, 'purger'), undefined)
  t.equal(await files.find(fileId), undefined)
  t.notOk(await files.markRestored(fileId, minute(8)))
  t.strictSame(await files.ownedEntries('purger', { deleted: true, limit: 9 }), [])
  t.strictSame(await files.grants(fileId), [])
  t.equal(await files.usage('purger'), 0)
  const text = `select f.fingerprint, (select count(*) from wrapped_file_keys w
      join grants g on g.grant_id = w.grant_id where g.file_id = f.file_id) as keys
    from files f where f.file_id = $1`
  const left = await sql.rows({ name: 'test-left', text }, [fileId])
  t.strictSame(left, [{ fingerprint: null, keys: 0 }], 'the row stays')
}

async function endings(t: Test, db: Stores): Promise<void> {
  const { files } = db.stores
  const standing = await store(db, fileRow({ ownerId: 'ender' }))
  const revoked = await store(db, fileRow({ ownerId: 'ender' }))
  const deleted = await store(db, fileRow({ ownerId: 'ender' }))
  const expired = grantRow(standing.fileId, 'ender', { basis: 'explicit', expiresAt: fromNow(-1) })
  await files.insertGrant(expired)
  await files.revokeGrant(revoked.grantId, 'ender', minute(1))
  await files.markDeleted(deleted.fileId, 'ender', minute(1), minute(2))
  const all = [standing, revoked, deleted, expired].map(({ grantId }) => grantId)
  t.strictSame((await files.endedGrants(all)).sort(), all.slice(1).sort())
  t.strictSame(await files.endedGrants([]), [])
}

async function keys(t: Test, { stores }: Stores): Promise<void> {
  t.notOk(await stores.keys.hasSealedData())
  const row = { userId: 'key-holder', version: 1, wrapped: 'a' }
  t.notOk(await stores.keys.insertFirstUserKey(row, 'master'), 'under no key that is not known')
  const master = { use: 'check', masterKeyId: 'master', wrapped: 'm' } as const
  t.ok(await stores.keys.insertDeploymentKey(master))
  const racing = await Promise.all(
    ['a', 'b', 'c'].map((wrapped) => stores.keys.insertFirstUserKey({ ...row, wrapped }, 'master')),
  )
  t.equal(racing.filter(Boolean).length, 1)
  t.notOk(await stores.keys.insertFirstUserKey({ ...row, version: 2 }, 'master'), 'one active key')
  const active = await stores.keys.activeUserKey('key-holder')
  t.strictSame(await stores.keys.userKey('key-holder', 1), active)
  t.equal(await stores.keys.userKey('key-holder', 2), undefined)
  t.ok(await stores.keys.hasSealedData())
  const index = { use: 'index-key', masterKeyId: 'm1', wrapped: 'i' } as const
  t.ok(await stores.keys.insertDeploymentKey(index))
  t.notOk(await stores.keys.insertDeploymentKey({ ...index, masterKeyId: 'm2' }), 'one at all')
  const check = { use: 'check', masterKeyId: 'm1', wrapped: 'c' } as const
  t.ok(await stores.keys.insertDeploymentKey(check))
  t.notOk(await stores.keys.insertDeploymentKey(check))
  t.strictSame(await stores.keys.deploymentKeys(), [check, master, index])
}

async function folding(t: Test, db: Stores): Promise<void> {
  const { audit, files } = db.stores
  const { fileId } = await store(db, record('watched'))
  const purpose = { sealed: 'why', userKeyVersion: 1 }
  const grant = grantRow(fileId, 'watched', { basis: 'explicit', purpose })
  await files.insertGrant(grant)
  const about = { fileId, patientId: 'watched', readSession: randomUUID() }
  const note = (at: number, facts: Partial<AuditEvent>): Promise<void> =>
    audit.append(event({ ...about, at: minute(at), ...facts }))
  await note(1, { bytes: 10, grantId: grant.grantId })
  await note(2, { readSession: undefined, bytes: 1 })
  await note(3, { bytes: 20 })
  await note(4, { action: 'record.download', bytes: 5 })
  await note(5, { outcome: 'denied', reason: 'grant_ended' })
  await note(6, { readSession: undefined })
  await note(7, { fileId: randomUUID(), readSession: randomUUID() })
  const summary = async (query: object): Promise<unknown[]> =>
    (await audit.accesses({ fileId, limit: 9, ...query })).map((access) => [
      ...[access.at.getTime(), access.lastAt.getTime(), access.requests, access.bytes],
    ])
  const all = [
    [minute(6).getTime(), minute(6).getTime(), 1, undefined],
    [minute(5).getTime(), minute(5).getTime(), 1, undefined],
    [minute(4).getTime(), minute(4).getTime(), 1, 5],
    [minute(2).getTime(), minute(2).getTime(), 1, 1],
    [minute(1).getTime(), minute(3).getTime(), 2, 30],
  ]
  t.strictSame(await summary({}), all)
  const [, , third] = await audit.accesses({ fileId, limit: 3 })
  const after = { at: third?.at, id: third?.eventId }
  t.strictSame(await summary({ limit: 9, after }), all.slice(3))
  t.match((await audit.accesses({ fileId, limit: 9 })).at(-1), { purpose, roles: ['R1', 'R2'] })
  t.equal((await audit.accesses({ patientId: 'watched', limit: 9 })).length, 6)
  t.strictSame(await summary({ patientId: 'watched' }), all)
  t.strictSame(await summary({ patientId: 'someone' }), [])
  await t.rejects(audit.accesses({ limit: 9 }), { code: 'internal' }, 'never the whole log')
}

async function claims(t: Test, { stores: { idempotency } }: Stores): Promise<void> {
  const key = { callerId: 'c', route: 'POST /api/files', keyHash: Buffer.from('hash') }
  const claimed = (callerId = 'c') => ({ ...key, callerId, claimId: randomUUID() })
  const fingerprint = Buffer.from('print')
  const racing = [claimed(), claimed(), claimed()]
  const states = await Promise.all(racing.map((row) => idempotency.begin(row, 300_000)))
  t.strictSame(states.map(({ kind }) => kind).sort(), ['begun', 'in_progress', 'in_progress'])
  const won = racing[states.findIndex(({ kind }) => kind === 'begun')] ?? claimed()
  const begin = (row: typeof won, minutes = 5) => idempotency.begin(row, minutes * 60_000)
  const complete = (row: typeof won, resource: string, minutes = 0) =>
    idempotency.complete(row, fingerprint, resource, fromNow(minutes))
  t.strictSame(await begin(claimed('d')), { kind: 'begun' })

  await idempotency.abandon(claimed())
  t.strictSame(await begin(claimed()), { kind: 'in_progress' }, 'given back by its holder alone')
  await idempotency.abandon(won)
  const first = claimed()
  t.strictSame(await begin(first, -1), { kind: 'begun' })
  await idempotency.renew(first, 300_000)
  t.strictSame(await begin(claimed()), { kind: 'in_progress' }, 'a lease that was renewed')
  await idempotency.renew(first, -60_000)
  const second = claimed()
  t.strictSame(await begin(second), { kind: 'begun' }, 'a lease that has passed')

  t.equal(await complete(first, 'late'), false, 'the first holder has lost it')
  await idempotency.renew(first, -60_000)
  await idempotency.abandon(first)
  t.strictSame(await begin(claimed()), { kind: 'in_progress' }, 'and cannot end the second’s')
  t.equal(await complete(second, 'resource'), true)
  t.equal(await complete(second, 'another'), false, 'the first answer stands')
  await idempotency.renew(second, -60_000)
  await idempotency.abandon(second)
  const done = { kind: 'done' as const, fingerprint, resourceId: 'resource' }
  t.strictSame(await begin(claimed()), done)

  const old = claimed('old')
  await begin(old)
  await complete(old, 'resource', -24 * 60 - 1)
  t.strictSame(await begin(claimed('old')), { kind: 'begun' }, 'kept for 24 h')
  t.strictSame(await begin(claimed('old')), { kind: 'in_progress' })
}

async function jobs(t: Test, { stores }: Stores): Promise<void> {
  const later = { jobId: randomUUID(), kind: 'team', payload: { patientId: 'p' } }
  const sooner = { jobId: randomUUID(), kind: 'team', payload: { patientId: 'q' } }
  await stores.jobs.add(later, minute(2))
  await stores.jobs.add(sooner, minute(1))
  await stores.jobs.add({ ...later, jobId: randomUUID(), kind: 'other' }, minute(0))
  const claim = (at: number) => stores.jobs.claim(['team', 'purge'], minute(at), minute(at + 10))
  t.equal(await claim(0), undefined, 'none is due')
  const both = await Promise.all([claim(3), claim(3), claim(3)])
  t.strictSame(
    both.map((job) => job?.jobId).sort(),
    [sooner.jobId, later.jobId, undefined].sort(),
    'each by one',
  )
  t.strictSame(
    await claim(13),
    { ...sooner, attempts: 2, failures: 0, progress: null },
    'a lease that has passed',
  )
  await stores.jobs.retry({ ...sooner, attempts: 1 }, minute(0), 'too late')
  await stores.jobs.done({ ...sooner, attempts: 1 })
  const unchanged = { ...later, attempts: 2, failures: 0, progress: null }
  t.strictSame(await claim(15), unchanged, 'who lost the lease changes nothing')
  await stores.jobs.retry({ ...sooner, attempts: 2 }, minute(40), 'database_unavailable')
  t.strictSame(await claim(30), { ...later, attempts: 3, failures: 0, progress: null })
  await stores.jobs.done({ ...later, attempts: 3 })
  t.strictSame(await claim(50), { ...sooner, attempts: 3, failures: 1, progress: null })
}

async function types(t: Test, db: Stores): Promise<void> {
  const store = db.stores.types
  const type = {
    ...{ id: 'ecg', name: 'ECG', allowedTypes: ['application/pdf'], maxBytes: 2 ** 40 },
    ...{ retentionDays: null, sensitive: false },
  }
  t.ok(await store.insert(type))
  t.notOk(await store.insert(type), 'it is there')
  t.strictSame(await store.find('ecg'), type)
  t.ok(await store.update({ ...type, name: 'Electrocardiogram' }))
  t.notOk(await store.update({ ...type, id: 'unknown' }))
  t.equal((await store.all()).length, 15)
  const row = record('typed', { recordTypeId: 'ecg' })
  await db.stores.files.ensurePeople(['typed'])
  await db.stores.files.insertFile(row, Buffer.from(row.fileId))
  t.equal(await store.remove('ecg'), 'used')
  t.equal(await store.remove('unknown'), 'unknown')
  await store.insert({ ...type, id: 'unused' })
  t.equal(await store.remove('unused'), 'removed')
  t.equal(await store.find('unused'), undefined)
  const late = record('typed', { recordTypeId: 'unused' })
  const insertion = db.stores.files.insertFile(late, Buffer.from(late.fileId))
  await t.rejects(insertion, { code: 'invalid_field' }, 'deleted while its file was uploaded')
}

async function team(t: Test, db: Stores): Promise<void> {
  const { assignments, files, team } = db.stores
  const assign = (clinicianId: string, from: number, to: number | null): Promise<void> =>
    assignments.insert({
      ...{ assignmentId: randomUUID(), clinicianId, patientId: 'cared', createdBy: 'admin' },
      ...{ startsAt: minute(from), endsAt: to === null ? null : minute(to) },
    })
  await assign('doc', 1, 3)
  await assign('doc', 2, null)
  await assign('nurse', 5, null)
  const assigned = (at: number) => assignments.isAssigned('doc', 'cared', minute(at))
  t.strictSame([await assigned(0), await assigned(1), await assigned(3)], [false, true, true])
  t.strictSame(await team.assignedClinicians('cared', minute(2)), ['doc'], 'once')
  t.equal(await assignments.end('doc', 'cared', minute(4)), 1)
  t.strictSame([await assigned(3), await assigned(4)], [true, false], 'the end is not in it')
  const [newest] = await assignments.list({ patientId: 'cared', limit: 1 })
  const after = { at: minute(5), id: newest?.assignmentId ?? '' }
  const rest = await assignments.list({ patientId: 'cared', limit: 9, after })
  t.strictSame(
    rest.map(({ startsAt }) => startsAt),
    [minute(2), minute(1)],
  )
  t.equal((await assignments.list({ clinicianId: 'nurse', limit: 9 })).length, 1)
  const open = await store(db, record('cared'))
  const taken = await store(db, record('cared'))
  await store(db, record('cared', { recordTypeId: 'genetic-report' }))
  await files.ensurePeople(['doc'])
  const grant = grantRow(taken.fileId, 'doc', { basis: 'assignment' })
  await files.insertGrant(grant)
  t.strictSame(await team.missingTeamGrants('doc', 'cared', 9), [open.fileId])
  await files.revokeGrant(grant.grantId, 'cared', minute(6))
  t.strictSame(await team.missingTeamGrants('doc', 'cared', 9), [open.fileId], 'not given again')
}

async function rollback(t: Test, db: Stores): Promise<void> {
  const sealedId = randomUUID()
  const work = db.transaction(async (stores) => {
    await stores.files.insertIntent(sealedId, minute(1))
    await stores.jobs.add({ jobId: sealedId, kind: 'undone', payload: {} }, minute(1))
    throw new RangeError('no')
  })
  await t.rejects(work, { message: 'no' })
  t.equal(await db.stores.jobs.claim(['undone'], minute(2), minute(3)), undefined)
  await db.stores.files.insertIntent(sealedId, minute(1))
  await db.stores.files.removeIntent(sealedId)
  await db.stores.files.insertIntent(sealedId, minute(1))
}

function fileRow(row: Partial<FileRow>): FileRow {
  return {
    ...{ fileId: randomUUID(), kind: 'general', ownerId: 'owner', uploaderId: 'uploader' },
    ...{ recordId: null, recordTypeId: null, version: 1, createdAt: minute(0) },
    ...{ updatedAt: minute(0), deletedAt: null, purgeAfter: null },
    ...row,
  }
}

function record(ownerId: string, row: Partial<FileRow> = {}): FileRow {
  const recordId = randomUUID()
  return fileRow({ kind: 'record', ownerId, recordId, recordTypeId: 'prescription', ...row })
}

function grantRow(fileId: string, userId: string, row: Partial<GrantRow>): GrantRow {
  return {
    ...{ grantId: randomUUID(), fileId, userId, basis: 'own', canDownload: true, canShare: false },
    ...{ expiresAt: null, purpose: null, grantedBy: 'granter', grantedAt: minute(1) },
    ...row,
  }
}

/** A file with one version, and its owner's grant with the key of it. */
async function store(
  db: Stores,
  row: FileRow,
  fingerprint: Buffer = Buffer.from(row.fileId),
): Promise<{ fileId: string; sealedId: string; grantId: string }> {
  const { fileId, ownerId } = row
  const sealedId = randomUUID()
  await ensureKeys(db, ownerId)
  const { grantId } = await db.transaction(async ({ files }) => {
    await files.ensurePeople([ownerId])
    await files.insertFile(row, fingerprint)
    await files.insertVersion(versionRow(fileId, 1, sealedId))
    const grant = grantRow(fileId, ownerId, { grantedAt: minute(0) })
    await files.insertGrant(grant)
    await files.insertWrappedKey({
      ...{ sealedId, grantId: grant.grantId, userKeyVersion: 1, wrapped: 'w1' },
    })
    return grant
  })
  return { fileId, sealedId, grantId }
}

/** Two versions of a person's key, as wrappings refer to them. */
async function ensureKeys({ stores }: Stores, userId: string): Promise<void> {
  const row = { userId, version: 1, wrapped: 'key' }
  if (!(await stores.keys.insertFirstUserKey(row, 'master'))) return
  await stores.userKeyRotation.insertNextUserKey({ ...row, version: 2 }, 'master')
}

async function addVersion(
  { stores: { files } }: Stores,
  fileId: string,
  version: number,
  sealedId: string,
): Promise<void> {
  await files.insertVersion(versionRow(fileId, version, sealedId))
  await files.setCurrentVersion(fileId, version, Buffer.from(sealedId), minute(1))
}

function versionRow(fileId: string, version: number, sealedId: string) {
  return {
    ...{ fileId, version, sealedId, sealedLength: 100, segmentSizeLog2: 16, size: 10 },
    ...{ contentType: 'application/pdf', metadata: Buffer.from('sealed'), createdBy: 'uploader' },
    createdAt: minute(0),
  }
}

function event(facts: Partial<AuditEvent>): AuditEvent {
  return {
    ...{ eventId: randomUUID(), at: minute(0), actorId: 'reader', roles: ['R1', 'R2'] },
    ...{ action: 'record.view', outcome: 'success', ip: '::1', userAgent: 'test' },
    requestId: 'request',
    ...facts,
  }
}
