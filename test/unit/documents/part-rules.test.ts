import t from 'tap'
import { checkWhole, MIN_PART_BYTES, wholeSize } from '../../../src/documents/part-rules.js'

const parts = (...sizes: (readonly [partNumber: number, size: number])[]) =>
  sizes.map(([partNumber, size]) => ({
    documentId: 'd',
    fileId: `f${partNumber}`,
    partNumber,
    size,
  }))

const enough = MIN_PART_BYTES

await t.test('parts that are a whole', (t) => {
  for (const whole of [
    parts([1, 0]),
    parts([1, enough], [2, 1]),
    parts([1, enough], [2, enough + 1], [3, 0]),
  ]) {
    t.doesNotThrow(() => {
      checkWhole(whole, {})
    })
    t.doesNotThrow(() => {
      checkWhole(whole, { numbers: whole.map(({ partNumber }) => partNumber) })
    })
  }
  t.equal(wholeSize(parts([1, enough], [2, 7])), enough + 7)
  t.end()
})

await t.test('parts that are none', (t) => {
  for (const [what, some, numbers, code] of [
    ['none has come', [], undefined, 'not_uploaded'],
    ['the first is missing', parts([2, enough]), undefined, 'not_uploaded'],
    ['one between is missing', parts([1, enough], [3, 1]), undefined, 'not_uploaded'],
    ['one that is said is missing', parts([1, enough]), [1, 2], 'not_uploaded'],
    ['one that is not said has come', parts([1, enough], [2, 1]), [1], 'content_mismatch'],
    ['another is said', parts([1, enough], [2, 1]), [1, 0], 'content_mismatch'],
    ['one is said twice', parts([1, enough], [2, 1]), [1, 1], 'content_mismatch'],
    ['too small', parts([1, enough - 1], [2, enough]), undefined, 'content_mismatch'],
  ] as const) {
    t.throws(
      () => {
        checkWhole(some, { numbers })
      },
      { code },
      what,
    )
  }
  t.end()
})
