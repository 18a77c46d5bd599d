import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { Database } from '../../src/db/database.js'
import { askForUpload } from '../../src/documents/ask-for-upload.js'
import { confirmUpload } from '../../src/documents/confirm-upload.js'
import { documentNotes } from '../../src/documents/document-facts.js'
import { documentRights } from '../../src/documents/document-rights.js'
import { receiveUpload } from '../../src/documents/receive-upload.js'
import { tidyDocuments } from '../../src/documents/tidy-documents.js'
import { purgeFile } from '../../src/files/delete-file.js'
import { uploadSlots } from '../../src/files/upload-slots.js'
import { ticketBook } from '../../src/tickets/ticket-book.js'
import { createMigratedDatabase, engines } from '../helpers/databases.js'
import { actor, fileOf, limits, makeService } from '../helpers/service.js'

// Places nobody sends anything to, and bytes nobody confirms.

const contentType = 'text/plain'

async function makeDocuments(database: Database, folder: string) {
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
    ...{ db, audit, hash, seal, limits, tickets, openEntry: open, grantsToTeam: true },
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
  const place = () =>
    ask(
      anna,
      { family: 'docs', filename: 'a.txt', contentType },
      { endsAt: undefined, login: undefined },
    )
  return {
    ...{ service, anna, place, confirm: confirmUpload(use), tidy: tidyDocuments(use) },
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

for (const engine of engines) {
  await t.test(`what is never completed is removed, ${engine}`, async (t) => {
    const folder = await mkdtemp(join(tmpdir(), 'strongroom-documents-'))
    const created = await createMigratedDatabase(engine)
    const database = await created.open()
    t.teardown(async () => {
      await database.close()
      await created.drop()
      await rm(folder, { recursive: true, force: true })
    })
    await isTidied(t, database, folder)
  })
}
