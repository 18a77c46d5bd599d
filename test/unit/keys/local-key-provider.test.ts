import t from 'tap'
import { FernetKey } from '../../../src/crypto/fernet-key.js'
import { localKeyProvider } from '../../../src/keys/local-key-provider.js'
import { unwrapKey } from '../../../src/keys/wrapping.js'
import { refusalOf } from '../../helpers/sealed-files.js'

const texts = [1, 2, 3].map((n) => FernetKey.fromBytes(Buffer.alloc(32, n)).exportText())
const [first = '', second = '', third = ''] = texts
const claims = { use: 'user-key', user: 'u', version: 1 } as const
const key = FernetKey.generate()

await t.test('the first master key wraps, all unwrap', async (t) => {
  const provider = localKeyProvider([second, first])
  const wrapped = await provider.wrap(key, claims)
  t.equal(
    unwrapKey(FernetKey.fromText(second), wrapped, claims).exportText(),
    key.exportText(),
    'under the first',
  )
  const old = await localKeyProvider([first]).wrap(key, claims)
  t.equal((await provider.unwrap(old, claims)).exportText(), key.exportText(), 'an older one')
  const [, oldest = ''] = provider.masterKeyIds
  const named = await provider.wrapWith(oldest, key, claims)
  t.equal((await localKeyProvider([first]).unwrap(named, claims)).exportText(), key.exportText())
})

await t.test('a wrapping of none of them, or of something else, is refused', async (t) => {
  const provider = localKeyProvider([first, second])
  const foreign = await localKeyProvider([third]).wrap(key, claims)
  await t.rejects(provider.unwrap(foreign, claims), { code: 'damaged', reason: 'unauthentic' })
  for (const from of [first, second]) {
    const wrapped = await localKeyProvider([from]).wrap(key, claims)
    await t.rejects(provider.unwrap(wrapped, { ...claims, user: 'v' }), {
      code: 'damaged',
      reason: 'label',
    })
  }
  await t.rejects(provider.unwrap('nonsense', claims), { code: 'damaged', reason: 'malformed' })
})

await t.test('ids are stable, of their key alone, and tell nothing of it', (t) => {
  const { masterKeyIds } = localKeyProvider([first, second])
  t.strictSame(masterKeyIds, [...localKeyProvider([first]).masterKeyIds, masterKeyIds[1]])
  t.not(masterKeyIds[0], masterKeyIds[1])
  for (const id of masterKeyIds) t.match(id, /^[0-9a-f]{16}$/)
  t.notOk(Buffer.alloc(32, 1).toString('hex').includes(masterKeyIds[0]))
  t.end()
})

await t.test('no key, and what is no key', (t) => {
  t.throws(() => localKeyProvider([]), { message: 'A master key is needed' })
  t.match(
    refusalOf(() => localKeyProvider([first, 'x'.repeat(44)])),
    { reason: 'malformed' },
  )
  t.throws(() => localKeyProvider([first]).wrapWith('0123456789abcdef', key, claims))
  t.end()
})
