import { randomUUID } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { unsignedWriter } from '../../src/audit/audit-writer.js'
import { transactions } from '../../src/db/stores.js'
import { type EndReason, type RunningRead, runningReads } from '../../src/files/running-reads.js'
import { eventually } from '../acceptance/support/eventually.js'
import { createMigratedDatabase } from '../helpers/databases.js'

const created = await createMigratedDatabase('embedded')
const database = await created.open()
t.teardown(async () => {
  await database.close()
  await created.drop()
})

function watching(t: Test) {
  const problems: unknown[] = []
  const running = runningReads({
    db: transactions(database, unsignedWriter),
    onProblem: (error) => problems.push(error),
  })
  t.teardown(() => running.close())
  return { running, problems }
}

/** A reading on a grant that nobody revokes, and why it was ended. */
function readingOf(stillHolds?: RunningRead['stillHolds']) {
  const ends: EndReason[] = []
  const end = (why: EndReason) => {
    ends.push(why)
    return Promise.resolve()
  }
  return { ends, reading: { grantId: randomUUID(), stillHolds, end } }
}

await t.test('a reading ends when what it rests on does, and only that', async (t) => {
  const { running, problems } = watching(t)
  let holds = true
  let asked = 0
  const resting = readingOf(() => {
    asked += 1
    return Promise.resolve(holds)
  })
  const other = readingOf(() => Promise.resolve(true))
  const own = readingOf()
  for (const { reading } of [resting, other, own]) running.add(reading)
  await eventually('it is asked about', () => asked > 0)
  t.same(resting.ends, [])
  holds = false
  await eventually('its end', () => resting.ends.length > 0)
  t.same([resting.ends, other.ends, own.ends], [['grant_ended'], [], []])
  t.same(problems, [])
})

await t.test('while it cannot be said, the reading goes on for a minute', async (t) => {
  const { running, problems } = watching(t)
  const { ends, reading } = readingOf(() => Promise.reject(new Error('the portal is away')))
  running.add(reading)
  await eventually('it is told', () => problems.length > 0)
  t.same(ends, [])
})

await t.test('a single answer that takes long stops nothing', async (t) => {
  const { running } = watching(t)
  let answered = 0
  const slow = readingOf(async () => {
    await pause(3_500)
    answered += 1
    return true
  })
  running.add(slow.reading)
  const start = performance.now()
  await pause(2_800)
  t.ok(performance.now() - start < 3_300, 'timers run meanwhile')
  await eventually('the answer', () => answered > 0)
  t.same(slow.ends, [])
})

await t.test('an answer that never comes keeps nothing else waiting', async (t) => {
  const { running } = watching(t)
  const stuck = readingOf(() => new Promise(() => undefined))
  running.add(stuck.reading)
  let asked = 0
  const forget = running.add({
    ...readingOf().reading,
    stillHolds: () => {
      asked += 1
      return Promise.resolve(true)
    },
  })
  await eventually('the question, again and again', () => asked > 2)
  forget()
  await running.endAll()
  t.same(stuck.ends, ['shutting_down'])
})
