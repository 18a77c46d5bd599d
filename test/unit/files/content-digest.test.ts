import { createHash } from 'node:crypto'
import t from 'tap'
import {
  parseDigestHeader,
  parseHexDigest,
  verifyDigests,
} from '../../../src/files/content-digest.js'

const digest = createHash('sha256').update('bytes').digest()
const other = createHash('sha256').update('others').digest()
const text = digest.toString('base64')

await t.test('64 hexadecimal digits', (t) => {
  t.same(parseHexDigest(digest.toString('hex')), digest)
  t.same(parseHexDigest(digest.toString('hex').toUpperCase()), digest)
  const hex = digest.toString('hex')
  for (const wrong of ['', hex.slice(1), `${hex}0`, `${hex}\n`, ` ${hex}`, `${hex.slice(1)}g`]) {
    t.throws(() => parseHexDigest(wrong), { code: 'invalid_field' }, JSON.stringify(wrong))
  }
  t.end()
})

await t.test('the sha-256 member of a Content-Digest header (RFC 9530)', (t) => {
  t.same(parseDigestHeader(`sha-256=:${text}:`), digest)
  t.same(parseDigestHeader(`SHA-256=:${text}:`), digest)
  t.same(parseDigestHeader(`sha-512=:AAAA:, sha-256=:${text}:`), digest)
  t.same(parseDigestHeader(`sha-256=:${text}:,sha-512=:AAAA:`), digest)
  t.equal(parseDigestHeader('sha-512=:AAAA:'), undefined, 'another algorithm')
  const wrong = ['', 'sha-256', `sha-256=${text}`, 'sha-256=:AAAA:', 'sha-256=:!:', 'sha-256=::']
  for (const header of [...wrong, `sha-256=:${text}:,`, `sha-256=:${text}: x`]) {
    t.throws(() => parseDigestHeader(header), { code: 'invalid_field' }, header)
  }
  t.end()
})

await t.test('every digest given is of these bytes', (t) => {
  t.doesNotThrow(() => {
    verifyDigests(digest, [])
  })
  t.doesNotThrow(() => {
    verifyDigests(digest, [digest, Buffer.from(digest)])
  })
  for (const given of [[other], [digest, other], [other, digest]]) {
    t.throws(
      () => {
        verifyDigests(digest, given)
      },
      { code: 'digest_mismatch' },
    )
  }
  t.end()
})
