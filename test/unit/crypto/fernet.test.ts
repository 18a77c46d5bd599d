import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import fernet from 'fernet'
import t from 'tap'
import {
  openText,
  openToken,
  sealText,
  sealToken,
  TokenOpener,
  TokenSealer,
  tokenLength,
} from '../../../src/crypto/fernet.js'
import { FernetKey } from '../../../src/crypto/fernet-key.js'
import { refusalOf } from '../../helpers/sealed-files.js'

interface SpecVectors {
  generate: { token: string; now: string; iv: number[]; src: string; secret: string }[]
  verify: { token: string; src: string; secret: string }[]
  invalid: {
    desc: string
    token: string
    secret: string
    opens: boolean
    src?: string
    reason?: string
  }[]
}

const path = new URL('../../vectors/fernet.json', import.meta.url)
const vectors = JSON.parse(readFileSync(path, 'utf8')) as SpecVectors
const bytes = (length: number) => fc.uint8Array({ minLength: 0, maxLength: length })
const seeded = { seed: 20240117, numRuns: 60 }

await t.test('the specification’s vectors', (t) => {
  for (const { token, now, iv, src, secret } of vectors.generate) {
    const options = { iv: Uint8Array.from(iv), seconds: Date.parse(now) / 1000 }
    const sealed = sealToken(FernetKey.fromText(secret), Buffer.from(src), options)
    t.equal(sealed.toString('base64url'), token.replaceAll('=', ''), 'generate')
  }
  for (const { token, src, secret } of vectors.verify) {
    t.equal(openText(FernetKey.fromText(secret), token).toString(), src, 'verify')
  }
  for (const { desc, token, secret, opens, src, reason } of vectors.invalid) {
    const open = () => openText(FernetKey.fromText(secret), token).toString()
    if (opens) t.equal(open(), src, `${desc}: no matter, the time is not checked`)
    else t.match(refusalOf(open), { code: 'damaged', reason }, desc)
  }
  t.end()
})

await t.test('the npm package fernet', (t) => {
  const key = FernetKey.generate()
  const secret = new fernet.Secret(key.exportText())
  fc.assert(
    fc.property(fc.string({ minLength: 1, maxLength: 200, unit: 'binary' }), (text) => {
      const ours = sealText(key, Buffer.from(text))
      const theirs = new fernet.Token({ secret, ttl: 0 }).encode(text)
      t.equal(new fernet.Token({ secret, ttl: 0, token: ours }).decode(), text, 'reads ours')
      t.equal(openText(key, theirs).toString(), text, 'and we read its')
    }),
    seeded,
  )
  t.end()
})

await t.test('what is sealed opens, and is as long as the format says', (t) => {
  const key = FernetKey.generate()
  fc.assert(
    fc.property(bytes(70), (plaintext) => {
      const token = sealToken(key, plaintext)
      t.equal(token.length, tokenLength(plaintext.length))
      t.same(new Uint8Array(openToken(key, token)), plaintext)
    }),
    seeded,
  )
  t.end()
})

await t.test('a token in pieces is the token in one', (t) => {
  const key = FernetKey.generate()
  const options = { iv: randomBytes(16), seconds: 1 }
  fc.assert(
    fc.property(fc.array(bytes(40), { maxLength: 5 }), (pieces) => {
      const whole = sealToken(key, Buffer.concat(pieces), options)
      const sealer = new TokenSealer(key, options)
      const ciphertext = pieces.map((piece) => sealer.update(piece))
      t.same(Buffer.concat([sealer.head, ...ciphertext, sealer.final()]), whole)
      const opener = new TokenOpener(key, whole.subarray(0, 25))
      for (let at = 25; at < whole.length - 32; at += 7) {
        opener.update(whole.subarray(at, Math.min(at + 7, whole.length - 32)))
      }
      const opened = Buffer.concat(opener.final(whole.subarray(-32)))
      t.same(opened, Buffer.concat(pieces))
    }),
    seeded,
  )
  t.end()
})

await t.test('every token has a new IV and the time of its making', (t) => {
  const key = FernetKey.generate()
  const before = BigInt(Math.floor(Date.now() / 1000))
  const [one, other] = [sealToken(key, Buffer.alloc(5)), sealToken(key, Buffer.alloc(5))]
  t.notSame(one.subarray(9, 25), other.subarray(9, 25))
  t.ok(one.readBigUInt64BE(1) >= before)
  t.ok(one.readBigUInt64BE(1) <= BigInt(Math.floor(Date.now() / 1000)))
  t.end()
})

await t.test('every byte of a token counts', (t) => {
  const key = FernetKey.generate()
  const token = sealToken(key, Buffer.from('a secret'))
  for (let at = 0; at < token.length; at++) {
    for (const bit of [1, 128]) {
      const changed = Buffer.from(token)
      changed[at] = (changed[at] ?? 0) ^ bit
      const reason = at === 0 ? 'malformed' : 'unauthentic'
      t.match(
        refusalOf(() => openToken(key, changed)),
        { reason },
        `byte ${at}, bit ${bit}`,
      )
    }
  }
  for (let length = 0; length < token.length; length++) {
    t.match(
      refusalOf(() => openToken(key, token.subarray(0, length))),
      { code: 'damaged' },
    )
  }
  t.match(
    refusalOf(() => openToken(key, Buffer.concat([token, Buffer.alloc(16)]))),
    {
      reason: 'unauthentic',
    },
  )
  t.end()
})

await t.test('a wrong key is told from a token that is none', (t) => {
  const key = FernetKey.generate()
  const token = sealToken(key, Buffer.from('a secret'))
  t.match(
    refusalOf(() => openToken(FernetKey.generate(), token)),
    { reason: 'unauthentic' },
  )
  t.match(
    refusalOf(() => openToken(key, randomBytes(73))),
    { reason: /malformed|unauthentic/ },
  )
  t.match(
    refusalOf(() => openToken(key, Buffer.from('no token'))),
    { reason: 'malformed' },
  )
  t.match(
    refusalOf(() => new TokenOpener(key, token.subarray(0, 24))),
    { reason: 'malformed' },
  )
  const opener = new TokenOpener(key, token.subarray(0, 25))
  t.match(
    refusalOf(() => opener.final(token.subarray(-31))),
    { reason: 'malformed' },
  )
  t.end()
})

await t.test('each value has one text', (t) => {
  const key = FernetKey.generate()
  const text = sealText(key, Buffer.from('123'))
  t.match(text, /^[A-Za-z0-9_-]+={0,2}$/)
  t.equal(text.length % 4, 0)
  t.equal(openText(key, text).toString(), '123')
  const last = text.search(/.=*$/)
  const spellings = [
    text.replace(/=+$/, ''),
    `${text}=`,
    `${text}\n`,
    ` ${text}`,
    text.replace(/^(.{8})/, '$1\n'),
    Buffer.from(text, 'base64url').toString('base64').replace(/^g/, 'g+').replace('+', '/'),
    `${text.slice(0, last)}${text[last] === 'B' ? 'C' : 'B'}${text.slice(last + 1)}`,
  ]
  t.match(text, /=$/, 'a text with padding')
  for (const spelling of spellings) {
    t.match(
      refusalOf(() => openText(key, spelling)),
      { reason: 'malformed' },
      spelling,
    )
  }
  const standard =
    'gAAAAAAdwJ6wAAECAwQFBgcICQoLDA0ODy021cpGVWKZ/eEwCGM4BLLF/5CV9dOPmrhuVUPgJobwOz7JcbmrR64jVmpU4IwqDA=='
  t.match(
    refusalOf(() => openText(key, standard)),
    { reason: 'malformed' },
    'the other alphabet',
  )
  t.end()
})
