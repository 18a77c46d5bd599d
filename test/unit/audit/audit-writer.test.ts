import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import t from 'tap'
import { auditEvent } from '../../../src/audit/audit-log.js'
import { auditWriter } from '../../../src/audit/audit-writer.js'
import { isIn, parseRanges } from '../../../src/audit/number-ranges.js'

const keys = { events: randomBytes(32) }
const actor = { userId: 'anna', roles: [], ip: '-', userAgent: '-', requestId: '-' }
const event = () => auditEvent(actor, { action: 'file.view', outcome: 'success' })

const steps = fc.array(
  fc.oneof(
    fc.record({ is: fc.constant('begin' as const), events: fc.integer({ min: 1, max: 3 }) }),
    fc.record({
      is: fc.constantFrom('committed' as const, 'rolledBack' as const, 'unknown' as const),
      which: fc.nat(),
    }),
    fc.record({ is: fc.constant('seal' as const), holds: fc.boolean() }),
    fc.record({ is: fc.constant('resolve' as const), isThere: fc.boolean() }),
  ),
  { maxLength: 60 },
)

await t.test('each number becomes one event or is told as unused, in whatever order', (t) => {
  fc.assert(
    fc.property(steps, (plan) => {
      const writer = auditWriter(keys)
      const open: { scope: ReturnType<typeof writer.begin>; numbers: number[] }[] = []
      const committed = new Set<number>()
      const doubtful: number[] = []
      const sealed = new Set<number>()
      const unused = new Set<number>()
      const settled = new Set<number>()
      const seal = (holds: boolean) => {
        const taken = writer.take(5)
        if (!holds) {
          writer.giveBack(taken)
          return
        }
        for (const { number } of taken.events) {
          t.notOk(sealed.has(number), 'sealed once')
          sealed.add(number)
        }
        for (const number of taken.unused) unused.add(number)
        const place = writer.place(taken)
        const beyond = parseRanges(place.sealedBeyond) ?? []
        writer.sealed(taken)
        for (let number = 1; number <= writer.highest(); number++) {
          const isTold = number <= place.sealedTo || isIn(beyond, number)
          t.equal(isTold, sealed.has(number) || unused.has(number), `${number} is told of`)
        }
      }
      for (const step of plan) {
        if (step.is === 'begin') {
          const scope = writer.begin()
          const placed = Array.from({ length: step.events }, () => scope.place(event()))
          for (const each of placed) {
            for (let n = 1; n <= each.settled; n++) {
              t.ok(committed.has(n) || unused.has(n), 'what it says is certain is')
            }
            settled.add(each.settled)
          }
          open.push({ scope, numbers: placed.map(({ number }) => number) })
        } else if (step.is === 'seal') {
          seal(step.holds)
        } else if (step.is === 'resolve') {
          const number = doubtful.pop()
          if (number === undefined) continue
          writer.resolve(number, step.isThere)
          if (step.isThere) committed.add(number)
        } else {
          const [one] = open.splice(step.which % Math.max(open.length, 1), 1)
          if (one === undefined) continue
          one.scope[step.is]()
          if (step.is === 'committed') for (const number of one.numbers) committed.add(number)
          if (step.is === 'unknown') doubtful.push(...one.numbers)
        }
      }
      for (const { scope } of open) scope.rolledBack()
      for (const number of doubtful) writer.resolve(number, false)
      while (sealed.size < committed.size) seal(true)
      t.same([...sealed].sort(), [...committed].sort(), 'all that was committed is sealed')
      for (const number of unused) t.notOk(committed.has(number))
    }),
    { numRuns: 200 },
  )
  t.end()
})

await t.test('an event after the end of its transaction is refused', (t) => {
  const scope = auditWriter(keys).begin()
  scope.committed()
  t.throws(() => scope.place(event()), /has ended/)
  t.end()
})
