import t from 'tap'
import { backoffMs } from '../../../src/outbox/backoff.js'

const times = { firstMs: 5_000, maxMs: 3_600_000 }

void t.test('doubles from the first wait to the longest', (t) => {
  const longest = (failures: number) => backoffMs(failures, times, () => 1)
  t.same([1, 2, 3, 4].map(longest), [5_000, 10_000, 20_000, 40_000])
  t.equal(longest(11), 3_600_000)
  t.equal(longest(1_000_000), 3_600_000)
  t.equal(longest(0), 5_000)
  t.end()
})

void t.test('half of a wait is random', (t) => {
  t.equal(
    backoffMs(3, times, () => 0),
    10_000,
  )
  const drawn = new Set(Array.from({ length: 50 }, () => backoffMs(20, times)))
  t.ok(drawn.size > 10)
  for (const ms of drawn) t.ok(ms >= 1_800_000 && ms <= 3_600_000, String(ms))
  t.end()
})
