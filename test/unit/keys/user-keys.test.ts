import t from 'tap'
import { CryptoError } from '../../../src/crypto/crypto-error.js'
import { FernetKey } from '../../../src/crypto/fernet-key.js'
import { keyRing } from '../../../src/keys/key-ring.js'
import { localKeyProvider } from '../../../src/keys/local-key-provider.js'
import type { UserKeyRow } from '../../../src/keys/ports.js'
import { userKeys } from '../../../src/keys/user-keys.js'

const master = FernetKey.fromBytes(Buffer.alloc(32, 7)).exportText()
const sealedId = '5f0c7f6e-3c1d-4a55-9a37-0b3a6d1c9e01'

/** A store in memory that keeps the port's contract; its rows are open to a database writer. */
function makePeople(options: { cacheMs?: number; cacheSize?: number } = {}) {
  const rows = new Map<string, UserKeyRow>()
  const local = localKeyProvider([master])
  let unwrapped = 0
  const provider = {
    ...local,
    unwrap: (...args: Parameters<typeof local.unwrap>) => {
      unwrapped += 1
      return local.unwrap(...args)
    },
  }
  const store = {
    activeUserKey: (userId: string) => Promise.resolve(rows.get(userId)),
    userKey: (userId: string, version: number) =>
      Promise.resolve(version === 1 ? rows.get(userId) : undefined),
    insertFirstUserKey: (row: UserKeyRow) => {
      if (rows.has(row.userId)) return Promise.resolve(false)
      rows.set(row.userId, row)
      return Promise.resolve(true)
    },
  }
  const users = userKeys({ provider, store, ...options })
  return { rows, store, users, ring: keyRing(users), unwrapped: () => unwrapped }
}

await t.test('a person gets one key, whoever asks at once', async (t) => {
  const { users, rows } = makePeople()
  const keys = await Promise.all(Array.from({ length: 5 }, () => users.forWrapping('a')))
  t.equal(new Set(keys.map(({ key }) => key.exportText())).size, 1)
  t.equal(rows.size, 1)
  const other = await users.forWrapping('b')
  t.not(other.key.exportText(), keys[0]?.key.exportText())
  await t.rejects(users.forOpening('a', 2), { code: 'damaged' })
  await t.rejects(users.forOpening('nobody', 1), { code: 'damaged' })
})

await t.test('a key is unwrapped once while it is remembered', async (t) => {
  const { users, unwrapped } = makePeople()
  const made = await users.forWrapping('a')
  for (let round = 0; round < 3; round += 1) {
    t.equal((await users.forOpening('a', 1)).key, made.key)
  }
  t.equal(unwrapped(), 1)
})

await t.test('memory is bounded in time and number', async (t) => {
  const brief = makePeople({ cacheMs: 0 })
  for (let round = 0; round < 3; round += 1) await brief.users.forWrapping('a')
  t.equal(brief.unwrapped(), 3)
  const small = makePeople({ cacheSize: 1 })
  for (const userId of ['a', 'b', 'a', 'a']) await small.users.forWrapping(userId)
  t.equal(small.unwrapped(), 3)
})

await t.test('a changed row is never served from memory', async (t) => {
  const { users, rows } = makePeople()
  await users.forWrapping('victim')
  await users.forWrapping('thief')
  const stolen = rows.get('victim')
  if (stolen === undefined) throw new Error('no key')
  rows.set('thief', { ...stolen, userId: 'thief' })
  await t.rejects(users.forOpening('thief', 1), { code: 'damaged', reason: 'label' })
  rows.set('thief', stolen)
  await t.rejects(
    users.forOpening('thief', 1),
    { code: 'damaged', reason: 'label' },
    'by the id asked for',
  )
  await t.rejects(
    users.forWrapping('thief'),
    { code: 'damaged', reason: 'label' },
    'for wrapping as well',
  )
})

await t.test('a refusal is not remembered', async (t) => {
  const { users, rows } = makePeople()
  await users.forWrapping('a')
  const row = rows.get('a')
  if (row === undefined) throw new Error('no key')
  rows.set('a', { ...row, wrapped: 'nonsense' })
  await t.rejects(users.forOpening('a', 1))
  await t.rejects(users.forOpening('a', 1))
  rows.set('a', row)
  t.ok(await users.forOpening('a', 1))
})

await t.test('a file key opens for its person, file and terms alone', async (t) => {
  const { ring } = makePeople()
  const fileKey = FernetKey.generate()
  const terms = { userId: 'a', basis: 'explicit', expiresAt: new Date(1_700_000_000_000) } as const
  const row = await ring.wrapFileKey(fileKey, sealedId, terms)
  const opened = await ring.unwrapFileKey(row, sealedId, terms)
  t.equal(opened.exportText(), fileKey.exportText())
  await ring.wrapFileKey(fileKey, sealedId, { ...terms, userId: 'b' })
  const reasonOf = async (id: string, other: object) =>
    await ring.unwrapFileKey(row, id, { ...terms, ...other }).then(
      () => 'opened',
      (error: unknown) => (error instanceof CryptoError ? error.reason : error),
    )
  t.equal(await reasonOf(sealedId, { userId: 'b' }), 'unauthentic')
  t.equal(await reasonOf(sealedId, { basis: 'own' }), 'label')
  t.equal(await reasonOf(sealedId, { expiresAt: null }), 'label')
  t.equal(await reasonOf(sealedId, { expiresAt: new Date(1_700_000_000_001) }), 'label')
  t.equal(await reasonOf(sealedId.replace(/1$/, '2'), {}), 'label')
})

await t.test('a note is read by its person, about its thing', async (t) => {
  const { ring } = makePeople()
  const text = 'تقرير "quoted"\n👩‍⚕️'
  const note = await ring.sealNote('a', 'grant-1', text)
  t.equal(await ring.openNote('a', 'grant-1', note), text)
  await t.rejects(ring.openNote('a', 'grant-2', note), { code: 'damaged', reason: 'label' })
  await ring.sealNote('b', 'grant-1', text)
  await t.rejects(ring.openNote('b', 'grant-1', note), { code: 'damaged', reason: 'unauthentic' })
})

await t.test('a wrapped key put in place of a note shows nothing of the key', async (t) => {
  const { ring } = makePeople()
  const fileKey = FernetKey.generate()
  const terms = { userId: 'a', basis: 'own', expiresAt: null } as const
  const { wrapped, userKeyVersion } = await ring.wrapFileKey(fileKey, sealedId, terms)
  const moved = { sealed: wrapped, userKeyVersion }
  const error: unknown = await ring.openNote('a', 'grant-1', moved).catch((e: unknown) => e)
  t.match(error, { code: 'damaged', reason: 'label' })
  t.notOk(String(error).includes(fileKey.exportText().slice(0, 4)))
  const note = await ring.sealNote('a', sealedId, 'text')
  const asKey = { wrapped: note.sealed, userKeyVersion }
  await t.rejects(
    ring.unwrapFileKey(asKey, sealedId, terms),
    { code: 'damaged', reason: 'label' },
    'nor turned round',
  )
})
