import fc from 'fast-check'
import t from 'tap'
import { inStep } from '../../../src/files/in-step.js'

async function* of(words: readonly string[], closed: () => void = () => undefined) {
  try {
    for (const word of words) yield await Promise.resolve(word)
  } finally {
    closed()
  }
}

const sorted = fc
  .uniqueArray(fc.string({ minLength: 1, maxLength: 3, unit: fc.constantFrom('a', 'b', '0') }))
  .map((words) => words.sort())
const keyOf = { left: (word: string) => word, right: (word: string) => word }

await t.test('every key of either side once, in order, with what each side has', async (t) => {
  await fc.assert(
    fc.asyncProperty(sorted, sorted, async (lefts, rights) => {
      const seen: unknown[] = []
      for await (const step of inStep(of(lefts), of(rights), keyOf)) seen.push(step)
      const keys = [...new Set([...lefts, ...rights])].sort()
      const expected = keys.map((key) => ({
        left: lefts.includes(key) ? key : undefined,
        right: rights.includes(key) ? key : undefined,
      }))
      t.same(seen, expected)
    }),
    { numRuns: 200 },
  )
})

await t.test('who stops early closes both sources', async (t) => {
  let closed = 0
  const close = () => {
    closed += 1
  }
  for await (const step of inStep(of(['a', 'b'], close), of(['b', 'c'], close), keyOf)) {
    t.same(step, { left: 'a', right: undefined })
    break
  }
  t.equal(closed, 2)
})
