import { inspect } from 'node:util'
import t from 'tap'
import { sealText } from '../../../src/crypto/fernet.js'
import { FernetKey } from '../../../src/crypto/fernet-key.js'
import { unwrapKey, type WrappingClaims, wrapKey } from '../../../src/keys/wrapping.js'
import { refusalOf } from '../../helpers/sealed-files.js'

const wrapper = FernetKey.fromBytes(Buffer.alloc(32, 1))
const key = FernetKey.fromBytes(Buffer.alloc(32, 2))

const fileKey = {
  use: 'file-key',
  sealed_id: '5f0c7f6e-3c1d-4a55-9a37-0b3a6d1c9e01',
  format: 1,
  user: 'patient-1',
  user_key_version: 1,
  basis: 'own',
  expires_at: null,
} as const satisfies WrappingClaims
const userKey = { use: 'user-key', user: 'patient-1', version: 1 } as const satisfies WrappingClaims

await t.test('a key comes back to who asks for what it says of itself', (t) => {
  const all: WrappingClaims[] = [fileKey, userKey, { use: 'index-key' }, { use: 'check' }]
  for (const claims of all) {
    const opened = unwrapKey(wrapper, wrapKey(wrapper, key, claims), claims)
    t.equal(opened.exportText(), key.exportText(), claims.use)
  }
  t.not(wrapKey(wrapper, key, fileKey), wrapKey(wrapper, key, fileKey), 'never the same token')
  t.end()
})

await t.test('a wrapping of anything else is refused by its label', (t) => {
  const expiring = { ...fileKey, expires_at: '2026-01-01T00:00:00.000Z' }
  const others: Record<string, readonly [made: WrappingClaims, asked: WrappingClaims]> = {
    'another use': [{ use: 'check' }, { use: 'index-key' }],
    'a user key for a file key': [userKey, fileKey],
    'a file key for a user key': [fileKey, userKey],
    'another user': [fileKey, { ...fileKey, user: 'patient-2' }],
    'the same user in other letters': [fileKey, { ...fileKey, user: 'Patient-1' }],
    'another version of the user key': [fileKey, { ...fileKey, user_key_version: 2 }],
    'another sealing': [fileKey, { ...fileKey, sealed_id: '5f0c7f6e-3c1d-4a55-9a37-0b3a6d1c9e02' }],
    'another basis': [fileKey, { ...fileKey, basis: 'explicit' }],
    'an end where there was none': [fileKey, expiring],
    'no end where there was one': [expiring, fileKey],
    'a later end': [expiring, { ...fileKey, expires_at: '2027-01-01T00:00:00.000Z' }],
    "another user's key": [userKey, { ...userKey, user: 'patient-2' }],
    'another version': [userKey, { ...userKey, version: 2 }],
  }
  for (const [what, [made, asked]] of Object.entries(others)) {
    const text = wrapKey(wrapper, key, made)
    t.match(
      refusalOf(() => unwrapKey(wrapper, text, asked)),
      { name: 'StrongroomError', code: 'damaged', reason: 'label' },
      what,
    )
  }
  t.end()
})

await t.test('claims are exactly those asked for, in value and type', (t) => {
  const withoutEnd = Object.fromEntries(
    Object.entries(fileKey).filter(([name]) => name !== 'expires_at'),
  )
  const json: Record<string, unknown> = {
    'a missing field': withoutEnd,
    'a field more': { ...fileKey, note: 1 },
    'a field in place of another': { ...withoutEnd, expires: null },
    'a number as text': { ...fileKey, user_key_version: '1' },
    'an array': [fileKey],
    null: null,
    'a word': 'file-key',
  }
  for (const [what, claims] of Object.entries(json)) {
    const plaintext = `${key.exportText()}\n${JSON.stringify(claims)}`
    t.match(refused(plaintext), { reason: 'label' }, what)
  }
  t.match(refused(`${key.exportText()}\n{"use":`), { reason: 'label' }, 'cut JSON')
  t.match(refused(`${key.exportText()}\n`), { reason: 'label' }, 'no claims')
  t.match(refused(key.exportText()), { reason: 'label' }, 'a bare key')
  t.match(refused(JSON.stringify(fileKey)), { reason: 'label' }, 'claims alone')
  t.match(refused(''), { reason: 'label' }, 'nothing')
  t.end()
})

await t.test('what is no key under the right claims is malformed, and not repeated', (t) => {
  const error = refused(`short-and-secret\n${JSON.stringify(fileKey)}`)
  t.match(error, { reason: 'malformed' })
  t.notOk(inspect(error, { depth: 9 }).includes('short-and'))
  t.end()
})

await t.test('another wrapper, changed or foreign text opens nothing', (t) => {
  const text = wrapKey(wrapper, key, fileKey)
  const other = FernetKey.fromBytes(Buffer.alloc(32, 3))
  const halfRight = FernetKey.fromBytes(Buffer.concat([Buffer.alloc(16, 1), Buffer.alloc(16, 3)]))
  t.match(
    refusalOf(() => unwrapKey(other, text, fileKey)),
    { reason: 'unauthentic' },
  )
  t.match(
    refusalOf(() => unwrapKey(halfRight, text, fileKey)),
    { code: 'damaged' },
  )
  const flipped = Buffer.from(text, 'base64url')
  flipped[30] = (flipped[30] ?? 0) ^ 1
  const changed = flipped.toString('base64').replaceAll('+', '-').replaceAll('/', '_')
  t.match(
    refusalOf(() => unwrapKey(wrapper, changed, fileKey)),
    { reason: 'unauthentic' },
  )
  for (const junk of ['', 'gAAAA', key.exportText(), `${text}\n`]) {
    t.match(
      refusalOf(() => unwrapKey(wrapper, junk, fileKey)),
      { reason: 'malformed' },
    )
  }
  t.end()
})

/** Authentic under the wrapper, so that only what it says is judged. */
function refused(plaintext: string) {
  const text = sealText(wrapper, Buffer.from(plaintext))
  return refusalOf(() => unwrapKey(wrapper, text, fileKey))
}
