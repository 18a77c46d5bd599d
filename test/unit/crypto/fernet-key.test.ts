import { format, inspect } from 'node:util'
import t from 'tap'
import { openToken, sealToken } from '../../../src/crypto/fernet.js'
import { FernetKey } from '../../../src/crypto/fernet-key.js'
import { refusalOf } from '../../helpers/sealed-files.js'

const text = 'cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4='
const bytes = Buffer.from(text, 'base64url')

await t.test('a key is 16 bytes that sign and 16 that encrypt', (t) => {
  const key = FernetKey.fromText(text)
  t.same(key.signingKey, bytes.subarray(0, 16))
  t.same(key.encryptionKey, bytes.subarray(16))
  t.equal(key.exportText(), text)
  t.equal(FernetKey.fromBytes(bytes).exportText(), text)
  t.not(FernetKey.generate().exportText(), FernetKey.generate().exportText())
  t.end()
})

await t.test('the bytes it is made from are copied', (t) => {
  const source = Buffer.from(bytes)
  const key = FernetKey.fromBytes(source)
  source.fill(0)
  t.equal(key.exportText(), text)
  t.end()
})

await t.test(
  'what is not 32 bytes, or not their one text, is refused without being repeated',
  (t) => {
    const texts = [
      '',
      text.slice(0, -1),
      `${text}=`,
      `${text} `,
      text.replace('_', '/').replace('-', '+'),
      text.replace('4=', '5='),
      Buffer.alloc(31).toString('base64url'),
      Buffer.alloc(33).toString('base64url'),
    ]
    for (const wrong of texts) {
      try {
        FernetKey.fromText(wrong)
        t.fail(wrong)
      } catch (error) {
        t.match(error, { reason: 'malformed' })
        t.notOk(wrong.length > 9 && inspect(error, { depth: 9 }).includes(wrong.slice(0, 8)))
      }
    }
    t.match(
      refusalOf(() => FernetKey.fromBytes(Buffer.alloc(31))),
      { reason: 'malformed' },
    )
    t.match(
      refusalOf(() => FernetKey.fromBytes(Buffer.alloc(33))),
      { reason: 'malformed' },
    )
    t.end()
  },
)

await t.test('it cannot be printed, logged or put into JSON', (t) => {
  const key = FernetKey.fromText(text)
  t.equal(key.toString(), '[FernetKey]')
  t.equal(String(key), '[FernetKey]')
  t.equal(format('%s %o %j', key, key, key), '[FernetKey] [FernetKey] "[FernetKey]"')
  t.equal(inspect({ key }, { showHidden: true, depth: 9 }), '{ key: [FernetKey] }')
  t.equal(JSON.stringify({ key }), '{"key":"[FernetKey]"}')
  t.same(Reflect.ownKeys(key), [])
  t.same(structuredClone(key), {})
  t.end()
})

await t.test('a destroyed key is overwritten and opens nothing any more', (t) => {
  const key = FernetKey.fromText(text)
  const token = sealToken(key, Buffer.from('x'))
  const view = key.encryptionKey
  key.destroy()
  key.destroy()
  t.same(view, Buffer.alloc(16))
  t.throws(() => key.signingKey, /destroyed/)
  t.throws(() => key.encryptionKey, /destroyed/)
  t.throws(() => key.exportText(), /destroyed/)
  t.throws(() => openToken(key, token), /destroyed/)
  t.throws(() => sealToken(key, token), /destroyed/)
  t.end()
})
