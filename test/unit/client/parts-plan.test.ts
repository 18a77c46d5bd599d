import t from 'tap'
import { planOf } from '../../../client/src/parts-upload.js'

const MiB = 1024 * 1024
const limits = { minPartSize: 5 * MiB, maxPartSize: 64 * MiB, maxParts: 1_000 }

await t.test('every byte is in one part, in order', (t) => {
  for (const [size, wish, count] of [
    [0, 5 * MiB, 1],
    [1, 5 * MiB, 1],
    [5 * MiB, 5 * MiB, 1],
    [5 * MiB + 1, 5 * MiB, 2],
    [5_000 * MiB, 5 * MiB, 1_000],
    // More bytes each than was wished for, as there would be too many.
    [5_000 * MiB + 1, 5 * MiB, 834],
    [64_000 * MiB, 8 * MiB, 1_000],
  ] as const) {
    const plan = planOf(size, wish, limits)
    t.equal(plan.length, count, `${size} bytes`)
    let at = 0
    for (const [n, part] of plan.entries()) {
      if (part.partNumber !== n + 1 || part.start !== at) t.fail(`part ${n + 1} begins elsewhere`)
      const bytes = part.end - part.start
      const isLast = n === plan.length - 1
      if (bytes > limits.maxPartSize || (!isLast && bytes < limits.minPartSize)) {
        t.fail(`part ${n + 1} has ${bytes} bytes`)
      }
      at = part.end
    }
    t.equal(at, size)
  }
  t.end()
})

await t.test('parts the service does not take', (t) => {
  for (const [size, wish] of [
    [1, 5 * MiB - 1],
    [1, 64 * MiB + 1],
    [1, 5 * MiB + 0.5],
    [1, Number.NaN],
    [64_000 * MiB + 1, 8 * MiB],
  ] as const) {
    t.throws(() => planOf(size, wish, limits), RangeError, `${size} by ${wish}`)
  }
  t.end()
})
