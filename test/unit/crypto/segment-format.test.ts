import fc from 'fast-check'
import t from 'tap'
import {
  decodeHeader,
  decodeSealedId,
  encodeHeader,
  encodeLabel,
  encodeSealedId,
  peekSealedId,
  sealedLength,
  sealedSegmentLength,
  segmentCount,
  segmentPlace,
} from '../../../src/crypto/segment-format.js'
import { refusalOf } from '../../helpers/sealed-files.js'

const sealedId = '0192c7a4-5b1e-4c3d-8e2f-a1b2c3d4e5f6'
const idHex = '0192c7a45b1e4c3d8e2fa1b2c3d4e5f6'
const S = 65536

await t.test('the header, byte by byte', (t) => {
  const header = encodeHeader({ sealedId, segmentSizeLog2: 18 })
  t.equal(header.toString('hex'), `5354524f4e47523112${'00'.repeat(7)}${idHex}`)
  t.same(decodeHeader(header, sealedId), { sealedId, segmentSizeLog2: 18 })
  t.equal(peekSealedId(header), sealedId)
  for (const log2 of [16, 17, 18, 19, 20, 21, 22]) {
    const decoded = decodeHeader(encodeHeader({ sealedId, segmentSizeLog2: log2 }), sealedId)
    t.equal(decoded.segmentSizeLog2, log2)
  }
  t.end()
})

await t.test(
  'a header that is changed in any bit is refused, or says another segment size',
  (t) => {
    const header = encodeHeader({ sealedId, segmentSizeLog2: 18 })
    for (let bit = 0; bit < 256; bit++) {
      const changed = Buffer.from(header)
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      const log2 = changed[8] ?? 0
      if (bit >> 3 === 8 && log2 >= 16 && log2 <= 22) {
        t.equal(decodeHeader(changed, sealedId).segmentSizeLog2, log2)
      } else {
        t.match(
          refusalOf(() => decodeHeader(changed, sealedId)),
          { reason: 'header', sealedId },
          `bit ${bit}`,
        )
      }
    }
    t.match(
      refusalOf(() => decodeHeader(header.subarray(0, 31), sealedId)),
      { reason: 'header' },
    )
    t.match(
      refusalOf(() => decodeHeader(Buffer.concat([header, header]), sealedId)),
      { reason: 'header' },
    )
    t.match(
      refusalOf(() => decodeHeader(Buffer.alloc(0), sealedId)),
      { reason: 'header' },
    )
    t.equal(peekSealedId(Buffer.alloc(32)), undefined)
    t.equal(peekSealedId(header.subarray(0, 31)), undefined)
    t.end()
  },
)

await t.test('the label, byte by byte', (t) => {
  const header = { sealedId, segmentSizeLog2: 16 }
  const hex = (...[part]: [Parameters<typeof encodeLabel>[1]]) =>
    encodeLabel(header, part).toString('hex')
  t.equal(hex({ index: 0, last: true }), `${idHex}${'00'.repeat(8)}0110${'00'.repeat(6)}`)
  t.equal(hex({ index: 258, last: false }), `${idHex}00000000000001020010${'00'.repeat(6)}`)
  t.equal(hex({ index: 2 ** 32 - 1, last: true }), `${idHex}00000000ffffffff0110${'00'.repeat(6)}`)
  t.equal(hex('metadata'), `${idHex}${'ff'.repeat(8)}0210${'00'.repeat(6)}`)
  t.end()
})

await t.test('a sealed id is a UUID in lower case, its bytes in RFC 9562 order', (t) => {
  t.equal(encodeSealedId(sealedId).toString('hex'), idHex)
  fc.assert(
    fc.property(fc.uuid(), (id) => decodeSealedId(encodeSealedId(id)) === id),
    { seed: 5 },
  )
  const wrong = ['', idHex, sealedId.toUpperCase(), `${sealedId}\n`, sealedId.replace('0', 'g')]
  for (const id of wrong) t.throws(() => encodeSealedId(id), RangeError, id)
  t.end()
})

await t.test('lengths', (t) => {
  const rows: [data: number, sealed: number][] = [
    [0, 137],
    [1, 137],
    [15, 137],
    [16, 153],
    [S - 1, 32 + S - 16 + 105],
    [S, 32 + S + 105],
    [S + 1, 32 + S + 105 + 105],
    [2 * S - 1, 32 + S + 105 + S - 16 + 105],
    [2 * S, 32 + 2 * (S + 105)],
    [2 * S + 1, 32 + 2 * (S + 105) + 105],
    [2 ** 48, 32 + 2 ** 32 * (S + 105)],
  ]
  for (const [data, sealed] of rows) t.equal(sealedLength(data, 16), sealed, `${data} bytes`)
  t.equal(sealedSegmentLength(S), S + 105)
  for (const wrong of [-1, 0.5, Number.NaN, 2 ** 48 + 1, 2 ** 60]) {
    t.throws(() => sealedLength(wrong, 16), RangeError, String(wrong))
  }
  for (const log2 of [15, 23, 16.5, Number.NaN, -16]) {
    t.throws(() => sealedLength(1, log2), RangeError, String(log2))
    t.throws(() => encodeHeader({ sealedId, segmentSizeLog2: log2 }), RangeError, String(log2))
  }
  t.end()
})

await t.test('the segments of a file follow each other without a gap', (t) => {
  const sizes = fc.tuple(fc.nat({ max: 40 * S }), fc.integer({ min: 16, max: 22 }))
  fc.assert(
    fc.property(sizes, ([dataLength, log2]) => {
      const count = segmentCount(dataLength, log2)
      let [sealed, data] = [32, 0]
      for (let index = 0; index < count; index++) {
        const place = segmentPlace(dataLength, log2, index)
        t.equal(place.sealedStart, sealed)
        t.equal(place.dataStart, data)
        t.equal(place.last, index === count - 1)
        t.ok(place.dataLength > 0 || dataLength === 0)
        sealed = place.sealedEnd
        data += place.dataLength
      }
      t.equal(data, dataLength)
      t.equal(sealed, sealedLength(dataLength, log2))
    }),
    { seed: 7, numRuns: 40 },
  )
  t.end()
})
