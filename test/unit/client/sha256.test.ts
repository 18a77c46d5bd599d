import { createHash } from 'node:crypto'
import fc from 'fast-check'
import t from 'tap'
import { portableSha256 } from '../../../client/src/sha256.js'

const hexOf = (pieces: readonly Uint8Array[]) => {
  const hash = portableSha256()
  for (const piece of pieces) hash.update(piece)
  return hash.hex()
}
const expected = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

void t.test('the examples of FIPS 180', (t) => {
  const long = 'abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq'
  for (const [text, hex] of [
    ['', 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'],
    ['abc', 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'],
    [long, '248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1'],
  ] as const) {
    t.equal(hexOf([Buffer.from(text)]), hex)
  }
  const million = Array.from({ length: 1000 }, () => Buffer.alloc(1000, 'a'))
  t.equal(hexOf(million), 'cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0')
  t.end()
})

void t.test('every length around a block, whole and byte by byte', (t) => {
  for (let length = 0; length <= 200; length++) {
    const bytes = Uint8Array.from({ length }, (_, i) => (i * 37) % 256)
    const single = Array.from(bytes, (byte) => Uint8Array.of(byte))
    if (hexOf([bytes]) !== expected(bytes)) t.fail(`${length} bytes`)
    if (hexOf(single) !== expected(bytes)) t.fail(`${length} bytes, one by one`)
  }
  t.pass('as OpenSSL has them')
  t.end()
})

void t.test('any pieces, wherever they lie in their buffers', (t) => {
  const piece = fc.uint8Array({ maxLength: 300 })
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), fc.nat(70), (pieces, offset) => {
      const moved = pieces.map((each) => {
        const larger = new Uint8Array(each.length + offset + 5)
        larger.set(each, offset)
        return larger.subarray(offset, offset + each.length)
      })
      return hexOf(moved) === expected(Buffer.concat(pieces))
    }),
    { numRuns: 500 },
  )
  t.end()
})

void t.test('more than 2^32 bits', (t) => {
  const piece = Buffer.alloc(64 * 1024 * 1024, 7)
  const hash = portableSha256()
  const other = createHash('sha256')
  for (let i = 0; i < 9; i++) {
    hash.update(piece)
    other.update(piece)
  }
  t.equal(hash.hex(), other.digest('hex'))
  t.end()
})
