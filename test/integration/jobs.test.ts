import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { unsignedWriter } from '../../src/audit/audit-writer.js'
import type { Database } from '../../src/db/database.js'
import { transactions } from '../../src/db/stores.js'
import { StrongroomError } from '../../src/errors/strongroom-error.js'
import { backoffMs, type JobHandler, jobRunner } from '../../src/jobs/job-runner.js'
import { eventually } from '../acceptance/support/eventually.js'
import { createMigratedDatabase, engines } from '../helpers/databases.js'

// Each test has a kind of job of its own, as they share a database.

interface Row {
  readonly job_id: string
  readonly attempts: number
  readonly run_after: Date
  readonly lease_until: Date | null
  readonly failed_reason: string | null
}

type RunnerOptions = Parameters<typeof jobRunner>[0]

interface Problem {
  readonly error: unknown
  readonly jobId: string | undefined
}

/** Jobs of one kind: those waiting, and runners for them. */
function jobsOf(t: Test, db: Database) {
  const kind = t.name
  const { stores } = transactions(db, unsignedWriter)
  const rows = async () =>
    await db.rows<Row>(
      {
        name: 'jobs-test-rows',
        text: `select job_id, attempts, run_after, lease_until, failed_reason from jobs
          where kind = $1 order by run_after`,
      },
      [kind],
    )
  return {
    kind,
    store: stores.jobs,
    rows,
    add: async (runAfter = new Date()) => {
      const jobId = randomUUID()
      await stores.jobs.add({ jobId, kind, payload: { of: kind } }, runAfter)
      return jobId
    },
    /** As if another node had taken the job over. */
    leaseFor: async (jobId: string, attempts: number) => {
      const text = `update jobs set attempts = $2, lease_until = now() + interval '1 hour'
        where job_id = $1`
      await db.rows({ name: 'jobs-test-take', text }, [jobId, attempts])
    },
    remove: async (jobId: string) => {
      const text = 'delete from jobs where job_id = $1'
      await db.rows({ name: 'jobs-test-remove', text }, [jobId])
    },
    none: () => eventually('no job left', async () => (await rows()).length === 0),
    run: (
      handler: JobHandler,
      more: Partial<Pick<RunnerOptions, 'lookEveryMs' | 'leaseMs' | 'recurring'>> = {},
    ) => {
      const problems: Problem[] = []
      const runner = jobRunner({
        db: transactions(db, unsignedWriter),
        handlers: { [kind]: handler },
        onProblem: (error, job) => problems.push({ error, jobId: job?.jobId }),
        lookEveryMs: 20,
        ...more,
      })
      runner.start()
      t.teardown(() => runner.stop())
      return {
        wake: () => {
          runner.wake()
        },
        start: () => {
          runner.start()
        },
        stop: () => runner.stop(),
        problems,
      }
    },
  }
}

/** As a handler that is at work until it is told to stop. */
async function untilAborted(signal: AbortSignal): Promise<never> {
  if (!signal.aborted) await once(signal, 'abort')
  throw signal.reason
}

const tests: Record<string, (t: Test, db: Database) => Promise<void>> = {
  'a job that is due is done once, and is gone': async (t, db) => {
    const jobs = jobsOf(t, db)
    const jobId = await jobs.add()
    const done: unknown[] = []
    jobs.run((job) => {
      done.push(job)
      return Promise.resolve()
    })
    await jobs.none()
    const payload = { of: jobs.kind }
    t.same(done, [{ jobId, kind: jobs.kind, payload, attempts: 1, failures: 0, progress: null }])
  },
  'what no time mends is not tried for ever': async (t, db) => {
    const jobs = jobsOf(t, db)
    await jobs.add()
    const { problems } = jobs.run(() => Promise.reject(new StrongroomError('not_found')))
    await jobs.none()
    t.match(problems, [{ error: { code: 'not_found' } }], 'said once')
  },
  'waking it up spares the wait': async (t, db) => {
    const jobs = jobsOf(t, db)
    const { wake } = jobs.run(() => Promise.resolve(), { lookEveryMs: 3_600_000 })
    for (let turn = 0; turn < 5; turn++) {
      await jobs.add()
      wake()
      await jobs.none()
    }
    t.same(await jobs.rows(), [])
  },
  'a job is not done before its time, and others need not wait for it': async (t, db) => {
    const jobs = jobsOf(t, db)
    const later = await jobs.add(new Date(Date.now() + 3_600_000))
    const now = await jobs.add()
    const done: string[] = []
    jobs.run((job) => {
      done.push(job.jobId)
      return Promise.resolve()
    })
    await eventually('the other', async () => (await jobs.rows()).length === 1)
    t.same(done, [now])
    t.match(await jobs.rows(), [{ job_id: later, attempts: 0 }])
  },
  'jobs of kinds it does not know are left to others': async (t, db) => {
    const jobs = jobsOf(t, db)
    const other = randomUUID()
    await jobs.store.add({ jobId: other, kind: 'other', payload: {} }, new Date(0))
    await jobs.add()
    jobs.run(() => Promise.resolve())
    await jobs.none()
    const claimed = await jobs.store.claim(['other'], new Date(), new Date())
    t.match(claimed, { jobId: other, attempts: 1 })
    await jobs.store.done({ jobId: other, attempts: 1 })
  },
  'a failure is told, kept with its code, and tried again after a while': async (t, db) => {
    const jobs = jobsOf(t, db)
    const jobId = await jobs.add()
    const error = new StrongroomError('assignments_unavailable')
    const starts: number[] = []
    let mended = false
    const { problems } = jobs.run(() => {
      starts.push(performance.now())
      return mended ? Promise.resolve() : Promise.reject(error)
    })
    const reason = async () => (await jobs.rows())[0]?.failed_reason
    await eventually('the failure', async () => (await reason()) != null)
    t.equal(await reason(), 'assignments_unavailable')
    t.same(problems[0], { error, jobId })
    mended = true
    await jobs.none()
    const [first = 0, second = 0] = starts
    t.ok(second - first >= 990, `again after ${Math.round(second - first)} ms`)
  },
  'of an error that is none of ours no word is kept': async (t, db) => {
    const jobs = jobsOf(t, db)
    await jobs.add()
    jobs.run(() => Promise.reject(new Error('margarethe')))
    await eventually('the failure', async () => (await jobs.rows())[0]?.failed_reason != null)
    t.match(await jobs.rows(), [{ failed_reason: 'internal' }])
  },
  'a job that fails holds up no other': async (t, db) => {
    const jobs = jobsOf(t, db)
    const bad = await jobs.add(new Date(0))
    for (let turn = 0; turn < 3; turn++) await jobs.add()
    jobs.run((job) => (job.jobId === bad ? Promise.reject(new Error()) : Promise.resolve()))
    await eventually('the others', async () => (await jobs.rows()).length === 1)
    t.match(await jobs.rows(), [{ job_id: bad }])
  },
  'the job of a holder that is gone is taken over when its lease is over': async (t, db) => {
    const jobs = jobsOf(t, db)
    const jobId = await jobs.add()
    const now = new Date()
    const leaseUntil = new Date(now.getTime() + 800)
    t.match(await jobs.store.claim([jobs.kind], now, leaseUntil), { jobId })
    const taken: { at: number; attempts: number }[] = []
    jobs.run(({ attempts }) => {
      taken.push({ at: Date.now(), attempts })
      return Promise.resolve()
    })
    await jobs.none()
    t.match(taken, [{ attempts: 2 }])
    t.ok((taken[0]?.at ?? 0) >= leaseUntil.getTime(), 'not before')
  },
  'a handler may take longer than a lease, which is renewed': async (t, db) => {
    const jobs = jobsOf(t, db)
    await jobs.add()
    const seen: string[] = []
    const node = async (name: string) => {
      seen.push(`${name} begins`)
      await pause(2_500)
      seen.push(`${name} is done`)
    }
    const runners = ['one', 'other'].map((name) => jobs.run(() => node(name), { leaseMs: 800 }))
    await jobs.none()
    t.equal(seen.length, 2, seen.join(', '))
    t.same(
      runners.flatMap(({ problems }) => problems),
      [],
    )
  },
  'a holder that cannot renew its lease is told before another may begin': async (t, db) => {
    const jobs = jobsOf(t, db)
    const jobId = await jobs.add()
    const seen: { lease: number; told: number }[] = []
    const { problems } = jobs.run(
      async (_job, { signal }) => {
        const [row] = await jobs.rows()
        await jobs.leaseFor(jobId, 99)
        await untilAborted(signal).catch((error: unknown) => {
          seen.push({ lease: row?.lease_until?.getTime() ?? 0, told: Date.now() })
          throw error
        })
      },
      { leaseMs: 1000 },
    )
    await eventually('the end', () => seen.length > 0)
    const [first] = seen
    t.ok(first !== undefined && first.told < first.lease, JSON.stringify(first))
    await eventually('the problem', () => problems.length > 0)
    t.match(problems, [{ error: { name: 'TimeoutError' }, jobId }])
    t.match(await jobs.rows(), [{ attempts: 99, failed_reason: null }], 'left to its new holder')
    await jobs.store.done({ jobId, attempts: 99 })
  },
  'a job that recurs is there again when it is done, and only once': async (t, db) => {
    const jobs = jobsOf(t, db)
    const recurring = { jobId: randomUUID(), kind: jobs.kind, everyMs: 300 }
    const times: number[] = []
    const handler = () => {
      times.push(Date.now())
      return times.length === 2 ? Promise.reject(new Error()) : Promise.resolve()
    }
    const options = { recurring: [recurring] }
    const runners = [jobs.run(handler, options), jobs.run(handler, options)]
    await eventually('four times', () => times.length >= 4)
    for (const runner of runners) await runner.stop()
    const [first = 0, second = 0, third = 0] = times
    t.ok(second - first >= 290, `not before its time: ${second - first} ms`)
    t.ok(third - second >= 990, `a failure waits: ${third - second} ms`)
    t.match(await jobs.rows(), [{ job_id: recurring.jobId, failed_reason: null }])
    await jobs.remove(recurring.jobId)
  },
  'jobs of several kinds are done beside each other': async (t, db) => {
    const jobs = jobsOf(t, db)
    const other = `${jobs.kind}, other`
    const runner = jobRunner({
      db: transactions(db, unsignedWriter),
      handlers: {
        [jobs.kind]: async (_job, { signal }) => {
          await untilAborted(signal)
        },
        [other]: () => Promise.resolve(),
      },
      onProblem: () => undefined,
      lookEveryMs: 20,
    })
    t.teardown(() => runner.stop())
    const stuck = await jobs.add()
    runner.start()
    await eventually('the first', async () => (await jobs.rows())[0]?.attempts === 1)
    const jobId = randomUUID()
    await jobs.store.add({ jobId, kind: other, payload: {} }, new Date())
    runner.wake()
    const left = { name: 'jobs-test-other', text: 'select 1 from jobs where job_id = $1' }
    await eventually('the other', async () => (await db.rows(left, [jobId])).length === 0)
    await runner.stop()
    await jobs.remove(stuck)
  },
  'a stop ends what is under way, gives it back at once, and waits for it': async (t, db) => {
    const jobs = jobsOf(t, db)
    const jobId = await jobs.add()
    let begun = false
    let tidied = false
    const first = jobs.run(async (_job, { signal }) => {
      begun = true
      await untilAborted(signal).catch(async (error: unknown) => {
        await jobs.rows()
        tidied = true
        throw error
      })
    })
    await eventually('the beginning', () => begun)
    await first.stop()
    t.ok(tidied, 'waited for')
    t.match(await jobs.rows(), [{ job_id: jobId, lease_until: null }])
    t.ok(((await jobs.rows())[0]?.run_after.getTime() ?? Infinity) <= Date.now(), 'due at once')
    t.same(first.problems, [], 'which is no failure')
    jobs.run(() => Promise.resolve())
    await jobs.none()
  },
  'after a stop nothing begins, woken or not': async (t, db) => {
    const jobs = jobsOf(t, db)
    let done = 0
    const runner = jobs.run(() => {
      done++
      return Promise.resolve()
    })
    await runner.stop()
    await jobs.add()
    runner.start()
    runner.wake()
    await runner.stop()
    t.equal(done, 0)
    t.equal((await jobs.rows()).length, 1)
  },
  'two nodes share the work, each job is done by one of them': async (t, db) => {
    const jobs = jobsOf(t, db)
    const ids: string[] = []
    for (let turn = 0; turn < 20; turn++) ids.push(await jobs.add())
    const done: string[] = []
    const handler: JobHandler = async (job) => {
      await jobs.rows()
      done.push(job.jobId)
    }
    for (let node = 0; node < 3; node++) jobs.run(handler)
    await jobs.none()
    t.same([...done].sort(), [...ids].sort())
  },
}

await t.test('the wait doubles from a second to an hour', (t) => {
  t.same([1, 2, 3, 12, 13, 14, 5000].map(backoffMs), [
    ...[1000, 2000, 4000, 2_048_000],
    ...[3_600_000, 3_600_000, 3_600_000],
  ])
  t.end()
})

for (const engine of engines) {
  await t.test(engine, async (t) => {
    const test = await createMigratedDatabase(engine)
    t.teardown(() => test.drop())
    const db = await test.open()
    t.teardown(() => db.close())
    for (const [name, run] of Object.entries(tests)) {
      await t.test(name, async (t) => {
        await run(t, db)
      })
    }
  })
}

await t.test(
  'a database that is away is told of, and the work goes on when it is back',
  async (t) => {
    const test = await createMigratedDatabase('embedded')
    t.teardown(() => test.drop())
    const db = await test.open()
    const { stores, ...bound } = transactions(db, unsignedWriter)
    let isAway = true
    const problems: unknown[] = []
    const claim: typeof stores.jobs.claim = (...args) =>
      isAway
        ? Promise.reject(new StrongroomError('database_unavailable'))
        : stores.jobs.claim(...args)
    const runner = jobRunner({
      db: { ...bound, stores: { ...stores, jobs: { ...stores.jobs, claim } } },
      handlers: { work: () => Promise.resolve() },
      onProblem: (error) => problems.push(error),
      lookEveryMs: 20,
    })
    t.teardown(async () => {
      await runner.stop()
      await db.close()
    })
    await stores.jobs.add({ jobId: randomUUID(), kind: 'work', payload: {} }, new Date())
    runner.start()
    await eventually('the problem', () => problems.length > 1)
    t.match(problems[0], { code: 'database_unavailable' })
    isAway = false
    const text = 'select job_id from jobs'
    await eventually('the work', async () => {
      return (await db.rows({ name: 'jobs-test-left', text })).length === 0
    })
  },
)
