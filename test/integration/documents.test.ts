import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { Database } from '../../src/db/database.js'
import { abortParts } from '../../src/documents/abort-parts.js'
import { askForUpload } from '../../src/documents/ask-for-upload.js'
import { completeParts } from '../../src/documents/complete-parts.js'
import { confirmUpload } from '../../src/documents/confirm-upload.js'
import { documentNotes } from '../../src/documents/document-facts.js'
import { documentRights } from '../../src/documents/document-rights.js'
import { partsUploads } from '../../src/documents/parts-upload.js'
import { receiveUpload } from '../../src/documents/receive-upload.js'
import { tidyDocuments } from '../../src/documents/tidy-documents.js'
import { purgeFile } from '../../src/files/delete-file.js'
import { openWhole } from '../../src/files/open-whole.js'
import { uploadSlots } from '../../src/files/upload-slots.js'
import { ticketBook } from '../../src/tickets/ticket-book.js'
import { createMigratedDatabase, engines } from '../helpers/databases.js'
import { actor, fileOf, limits, makeService } from '../helpers/service.js'

// Places nobody sends anything to, and bytes nobody confirms.

const contentType = 'text/plain'

async function makeDocuments(database: Database, folder: string, quotaBytes = 0) {
  const service = await makeService(database, folder)
  const { db, audit, hash, ring, open, seal, blobs } = service
  const never = () => Promise.reject(new Error('nobody is asked'))
  const assignments = { isAssigned: never }
  const seconds = { ticketMaxSeconds: 900, uploadTicketSeconds: 900 }
  const tickets = ticketBook({
    ...{ db, hash, permit: never, rolesOf: never },
    settings: { ...seconds, viewTicketSeconds: 900, viewSessionSeconds: 900 },
  })
  const use = {
    ...{ db, audit, hash, seal, tickets, openEntry: open, grantsToTeam: true },
    limits: { ...limits, quotaBytes },
    ...{ keyRing: ring, notes: documentNotes(ring), slots: uploadSlots(4) },
    rights: documentRights({ db, audit, assignments, openEntry: open }),
    purge: purgeFile({ db, blobs }),
    jobs: { wake: () => undefined },
    onProblem: (error: unknown) => {
      throw error
    },
    settings: { contentTypes: [contentType], spaceId: 'space|bucket|documents', expiryDays: 7 },
  }
  const [ask, receive] = [askForUpload(use), receiveUpload(use)]
  const anna = actor('anna')
  const token = { endsAt: undefined, login: undefined }
  const place = () => ask(anna, { family: 'docs', filename: 'a.txt', contentType }, token)
  const parts = partsUploads(use)
  const confirm = confirmUpload(use)
  return {
    ...{ service, anna, place, parts, confirm, tidy: tidyDocuments(use) },
    abort: abortParts(use),
    complete: completeParts({ ...use, confirm, openWhole: openWhole({ blobs }) }),
    begin: () => parts.begin(anna, { filename: 'a.txt', contentType }),
    part: async (id: string, partNumber: number, text: string) => {
      const [drawn] = await parts.places(anna, id, [partNumber], token)
      const ticket = await tickets.useForUpload(drawn?.ticket.ticketId ?? '')
      if (ticket === undefined) throw new Error('its ticket is over')
      const { bytes } = fileOf(text)
      const said = { contentType: '', length: undefined, sha256: undefined }
      return await receive(anna, ticket, { ...said, bytes })
    },
    /** One whose bytes have come. */
    received: async (text: string) => {
      const made = await place()
      const ticket = await tickets.useForUpload(made.ticket.ticketId)
      if (ticket === undefined) throw new Error('its ticket is over')
      const { bytes } = fileOf(text)
      await receive(anna, ticket, { contentType, length: undefined, sha256: undefined, bytes })
      return made
    },
    count: async (table: string, where = 'true') => {
      const text = `select count(*)::int as n from ${table} where ${where}`
      return (await database.rows<{ n: number }>({ name: '', text }))[0]?.n
    },
    /** As if so many days went by. */
    later: (days: number) =>
      database.script(`
        update documents set expires_at = expires_at - interval '${days} days';
        update files set awaits_until = awaits_until - interval '${days} days'`),
  }
}

const signal = new AbortController().signal

async function isTidied(t: Test, database: Database, folder: string): Promise<void> {
  const { service, anna, place, received, confirm, tidy, count, later } = await makeDocuments(
    database,
    folder,
  )
  const { blobs, db } = service
  const all = async () => {
    let found = 0
    for await (const blob of blobs.list()) found += blob.length > 0 ? 1 : 0
    return found
  }
  await place()
  const kept = await received('kept')
  const text = 'nobody confirms this'
  const lost = await received(text)
  const said = (key: string, size: number) => ({ key, contentType, size })
  await confirm(anna, said(kept.key, 4))
  await tidy({ signal })
  t.same([await all(), await count('documents', `state = 'failed'`)], [2, 0], 'not before its time')
  t.same(await count('sealed_notes'), 1, 'what was said of those whose bytes are there is gone')
  await later(6)
  await tidy({ signal })
  t.same([await all(), await count('documents', `state = 'failed'`)], [2, 1], 'the empty place')
  await later(2)
  await tidy({ signal })
  t.equal(await all(), 1, 'the bytes nobody confirmed are gone')
  t.same(
    await count('wrapped_file_keys'),
    2,
    'and their keys: the owner’s and the space’s are left of one',
  )
  t.same(await count('sealed_notes'), 0)
  t.match(await db.stores.documents.find(lost.id), { state: 'failed', note: null })
  t.match(await db.stores.documents.find(kept.id), { state: 'Completed', note: null })
  const events = await count(
    'audit_events',
    `action = 'document.discard' and reason = 'unconfirmed'`,
  )
  t.equal(events, 1, 'on record')
  await t.rejects(confirm(anna, said(lost.key, text.length)), { code: 'not_uploaded' })
  t.equal((await confirm(anna, said(kept.key, 4))).id, kept.id)
}

async function partsAreTidied(t: Test, database: Database, folder: string): Promise<void> {
  const made = await makeDocuments(database, folder)
  const { service, anna, begin, part, complete, tidy, count, later } = made
  const { blobs, db } = service
  const all = async () => {
    let found = 0
    for await (const blob of blobs.list()) found += blob.length > 0 ? 1 : 0
    return found
  }
  const [left, whole] = [await begin(), await begin()]
  await part(left.id, 1, 'nobody makes this')
  await part(left.id, 2, 'whole')
  await part(whole.id, 1, 'replaced')
  await part(whole.id, 1, 'alone')
  t.equal(await all(), 3, 'what was replaced is gone')
  t.match(await complete(anna, whole.id, {}), { id: whole.id, size: 5 })
  t.same([await all(), await count('document_parts')], [3, 2], 'a part is gone with its whole')
  const holdId = randomUUID()
  await db.stores.holds.insert({
    ...{ holdId, fileId: null, personId: anna.userId, reference: 'case-1' },
    ...{ placedBy: 'x', placedAt: new Date(), releasedBy: null, releasedAt: null },
  })
  await later(9)
  await tidy({ signal })
  t.match(await db.stores.documents.find(left.id), { state: 'Awaiting' }, 'a hold keeps it')
  t.same([await all(), await count('document_parts')], [3, 2], 'with its parts')
  await database.script(`update documents set updated_at = updated_at - interval '40 days'`)
  await tidy({ signal })
  t.equal(await count('documents'), 2, 'and what they are parts of')
  await db.stores.holds.release(holdId, 'x', new Date())
  await tidy({ signal })
  t.same([await all(), await count('document_parts')], [1, 0], 'then they are destroyed')
  t.equal(await count('wrapped_file_keys'), 2, 'with their keys: those of the whole are left')
  await t.rejects(complete(anna, left.id, {}), { code: 'ticket_over' })
}

async function aHoldOnAPart(t: Test, database: Database, folder: string): Promise<void> {
  const made = await makeDocuments(database, folder)
  const { service, anna, begin, part, received, tidy, count, later, abort } = made
  const { db } = service
  const [held, other] = [await begin(), await begin()]
  for (const { id } of [held, other])
    for (const n of [1, 2]) await part(id, n, `part ${n} of ${id}`)
  const second = (await db.stores.documentParts.list(held.id))[1]?.fileId ?? ''
  const holdId = randomUUID()
  await db.stores.holds.insert({
    ...{ holdId, fileId: second, personId: null, reference: 'case-2' },
    ...{ placedBy: 'x', placedAt: new Date(), releasedBy: null, releasedAt: null },
  })
  await t.rejects(abort(anna, held.id), { code: 'legal_hold' })
  await t.rejects(part(held.id, 2, 'another'), { code: 'legal_hold' }, 'nor is it replaced')
  const unconfirmed = await received('nobody confirms this')
  await later(9)
  await tidy({ signal })
  t.match(await db.stores.documents.find(held.id), { state: 'Awaiting' })
  t.match(await db.stores.documents.find(other.id), { state: 'failed' }, 'the others are tidied')
  t.match(await db.stores.documents.find(unconfirmed.id), { state: 'failed' })
  t.equal(await count('document_parts'), 2)
  await db.stores.holds.release(holdId, 'x', new Date())
  await abort(anna, held.id)
  await abort(anna, held.id)
  t.equal(await count('document_parts'), 0)
  const aborted = `action = 'document.discard' and reason = 'aborted' and outcome = 'success'`
  t.equal(await count('audit_events', aborted), 1, 'given up once')
}

async function partsInAQuota(t: Test, database: Database, folder: string): Promise<void> {
  const { anna, begin, part, complete } = await makeDocuments(database, folder, 150)
  const upload = await begin()
  const text = 'x'.repeat(100)
  await part(upload.id, 1, text)
  await part(upload.id, 1, text.replace('x', 'y'))
  await t.rejects(part(upload.id, 2, text), { code: 'quota_exceeded' })
  t.match(await complete(anna, upload.id, {}), { size: 100 }, 'what was taken is made whole')
  await t.rejects(part((await begin()).id, 1, text), { code: 'quota_exceeded' })
}

for (const engine of engines) {
  for (const [what, run] of [
    ['what is never completed is removed', isTidied],
    ['so are parts of what is never whole', partsAreTidied],
    ['a hold on a part keeps its document, and no other', aHoldOnAPart],
    ['parts are in the quota once', partsInAQuota],
  ] as const) {
    await t.test(`${what}, ${engine}`, async (t) => {
      const folder = await mkdtemp(join(tmpdir(), 'strongroom-documents-'))
      const created = await createMigratedDatabase(engine)
      const database = await created.open()
      t.teardown(async () => {
        await database.close()
        await created.drop()
        await rm(folder, { recursive: true, force: true })
      })
      await run(t, database, folder)
    })
  }
}
