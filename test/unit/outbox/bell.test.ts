import t from 'tap'
import { bell } from '../../../src/outbox/bell.js'

const never = 60_000

await t.test('wakes all who wait, and those who would have missed it', async (t) => {
  const rings = bell()
  const seen = rings.rung()
  const { signal } = new AbortController()
  const waiting = [rings.wait(seen, never, signal), rings.wait(seen, never, signal)]
  rings.ring()
  await Promise.all(waiting)
  await rings.wait(seen, never, signal)
  t.equal(rings.rung(), seen + 1)
})

await t.test('time and abort end it, too', async (t) => {
  const rings = bell()
  const stop = new AbortController()
  await rings.wait(0, 1, stop.signal)
  const waiting = rings.wait(0, never, stop.signal)
  stop.abort()
  await waiting
  await rings.wait(0, never, stop.signal)
  t.equal(rings.rung(), 0)
})
