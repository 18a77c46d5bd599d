import fc from 'fast-check'
import t from 'tap'
import {
  countIn,
  isIn,
  meet,
  type NumberRange,
  parseRanges,
  rangesOf,
  rangesText,
  without,
} from '../../../src/audit/number-ranges.js'

const numbers = fc.uniqueArray(fc.integer({ min: 1, max: 60 }))
const range = fc
  .tuple(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 0, max: 20 }))
  .map(([first, more]): NumberRange => [first, first + more])
const all = (ranges: readonly NumberRange[]) =>
  Array.from({ length: 90 }, (_, n) => n).filter((n) => isIn(ranges, n))

await t.test('numbers become ranges, and text, and come back', (t) => {
  t.equal(rangesText(rangesOf([7, 1, 2, 3])), '1-3,7')
  fc.assert(
    fc.property(numbers, (some) => {
      const ranges = rangesOf(some)
      t.same(
        all(ranges),
        [...some].sort((a, b) => a - b),
      )
      t.equal(countIn(ranges), some.length)
      t.same(parseRanges(rangesText(ranges)), ranges)
    }),
  )
  t.end()
})

await t.test('only what is written is read', (t) => {
  for (const text of ['1-', '0', '-1', '3-2', '1,2', '2,1', '1-3,3', '1, 3', '01', 'x', '1-3,']) {
    t.equal(parseRanges(text), undefined, text)
  }
  t.same(parseRanges(''), [])
  t.end()
})

await t.test('what two have in common, and what one has alone', (t) => {
  fc.assert(
    fc.property(numbers, range, (some, other) => {
      const ranges = rangesOf(some)
      const inOther = (n: number) => isIn([other], n)
      t.same(all(meet(ranges, other)), all(ranges).filter(inOther))
      t.same(
        all(without(ranges, other)),
        all(ranges).filter((n) => !inOther(n)),
      )
    }),
  )
  t.end()
})
