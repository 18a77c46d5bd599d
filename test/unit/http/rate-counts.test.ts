import { setTimeout as pause } from 'node:timers/promises'
import t from 'tap'
import { rateCounts } from '../../../src/http/plugins/rate-counts.js'
import type { Count, SharedCounts } from '../../../src/ports/shared-ports.js'

const windowMs = 60_000
const max = 5

/** Counts that other nodes add to as well, or that cannot be had. */
function others() {
  const state = { current: 0, ttl: windowMs, isThere: true, asked: 0 }
  const counts: SharedCounts = {
    add: () => {
      state.asked += 1
      if (!state.isThere) return Promise.resolve(undefined)
      state.current += 1
      return Promise.resolve({ current: state.current, ttl: state.ttl })
    },
  }
  return { state, counts }
}

function storeOf(shared?: SharedCounts, most = 100) {
  const store = new (rateCounts({ most, shared }))()
  return (name: string, ms = windowMs) =>
    new Promise<Count>((resolve, reject) => {
      store.incr(
        name,
        (error, count) => {
          if (count === undefined) reject(error ?? new Error('no count'))
          else resolve(count)
        },
        ms,
        max,
      )
    })
}

void t.test('alone, each name has its count, which begins again', async (t) => {
  const count = storeOf()
  t.equal((await count('a', 50)).current, 1)
  t.match(await count('a'), { current: 2 })
  t.equal((await count('b')).current, 1)
  await pause(60)
  t.equal((await count('a')).current, 1)
})

void t.test('of too many names, those not seen for longest are forgotten', async (t) => {
  const count = storeOf(undefined, 2)
  for (const name of ['a', 'b', 'a', 'c']) await count(name)
  t.equal((await count('a')).current, 3)
  t.equal((await count('b')).current, 1)
})

void t.test('what others counted counts, and their window is ours', async (t) => {
  const { state, counts } = others()
  const count = storeOf(counts)
  Object.assign(state, { current: 3, ttl: 1_000 })
  const first = await count('a')
  t.equal(first.current, 4)
  t.ok(first.ttl <= 1_000)
})

void t.test('without them it goes on from the last count of all', async (t) => {
  const { state, counts } = others()
  const count = storeOf(counts)
  state.current = 3
  await count('a')
  state.isThere = false
  t.equal((await count('a')).current, 5)
  state.isThere = true
  state.current = 0
  t.equal((await count('a')).current, 6, 'Redis came back empty: nothing is given twice')
})

void t.test('whoever is past the limit here costs no question', async (t) => {
  const { state, counts } = others()
  const count = storeOf(counts)
  for (let nth = 0; nth < max + 3; nth++) await count('a')
  t.equal(state.asked, max)
})

void t.test('their window began anew a moment before ours: ours is not made longer', async (t) => {
  const { state, counts } = others()
  const count = storeOf(counts)
  Object.assign(state, { current: 3, ttl: 80 })
  await count('a')
  Object.assign(state, { current: 0, ttl: windowMs })
  t.ok((await count('a')).ttl <= 80)
  await pause(90)
  t.equal((await count('a')).current, 2, 'then theirs is')
})

void t.test(
  'many at once are told what each of them is, in whatever mixture with others',
  async (t) => {
    const { state, counts } = others()
    const slow: SharedCounts = {
      add: async (name, ms) => {
        const told = await counts.add(name, ms)
        await pause(10)
        return told
      },
    }
    const [here, there] = [storeOf(slow), storeOf(slow)]
    const all = await Promise.all(
      Array.from({ length: 40 }, async (_, nth) => {
        await pause(nth % 7)
        return await (nth % 2 === 0 ? here : there)('a')
      }),
    )
    t.equal(all.filter(({ current }) => current <= max).length, max)
    t.ok(state.asked <= 40)
  },
)
