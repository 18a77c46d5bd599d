import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import t, { type Test } from 'tap'
import { unsignedWriter } from '../../src/audit/audit-writer.js'
import type { Database } from '../../src/db/database.js'
import { transactions } from '../../src/db/stores.js'
import { StrongroomError } from '../../src/errors/strongroom-error.js'
import { byHand } from '../../src/jobs/by-hand.js'
import { type JobContext, jobRunner } from '../../src/jobs/job-runner.js'
import { eventually } from '../acceptance/support/eventually.js'
import { createMigratedDatabase, engines } from '../helpers/databases.js'

// Jobs that somebody has done and waits for. Each test has a kind of its own.

function jobsOf(t: Test, database: Database) {
  const db = transactions(database, unsignedWriter)
  const kind = t.name
  const problems: unknown[] = []
  const job = { jobId: randomUUID(), kind, payload: { about: 'ann' } }
  const onProblem = (error: unknown) => problems.push(error)
  const watching = { signal: new AbortController().signal, tell: () => undefined }
  const listed = async () =>
    (await db.stores.jobs.list(100)).find(({ jobId }) => jobId === job.jobId)
  const hand = (leaseMs?: number) =>
    byHand({ db, onProblem, ...(leaseMs === undefined ? {} : { leaseMs }) })
  return { db, kind, job, problems, watching, listed, hand }
}

/** As work that goes on until it is told to stop. */
async function untilAborted({ signal }: Pick<JobContext, 'signal'>): Promise<never> {
  if (!signal.aborted) await once(signal, 'abort')
  throw signal.reason
}

const tests: Record<string, (t: Test, database: Database) => Promise<void>> = {
  'is a job of the database while it lasts': async (t, database) => {
    const { hand, job, watching, listed } = jobsOf(t, database)
    const told: unknown[] = []
    const tell = (...numbers: unknown[]) => told.push(numbers)
    const result = await hand()(
      job,
      async (row, { saveProgress, tell }) => {
        t.match(row, { ...job, attempts: 1, progress: null })
        tell(1, 2)
        await saveProgress({ done: 1 })
        const now = await listed()
        t.match(now, { progress: { done: 1 }, failedReason: null })
        t.ok((now?.leaseUntil ?? new Date(0)) > new Date(), 'leased')
        return 'done'
      },
      { ...watching, tell },
    )
    t.same([result, told, await listed()], ['done', [[1, 2]], undefined])
  },
  'one at a time': async (t, database) => {
    const { hand, job, watching } = jobsOf(t, database)
    await hand()(
      job,
      async () => {
        const again = hand()(job, () => Promise.resolve(), watching)
        await t.rejects(again, { code: 'conflict', message: /strongroom jobs/ })
      },
      watching,
    )
  },
  'what fails, or is broken off, is given up: they know': async (t, database) => {
    const { hand, job, watching, listed, problems } = jobsOf(t, database)
    const failure = new StrongroomError('not_found')
    await t.rejects(
      hand()(job, () => Promise.reject(failure), watching),
      { code: 'not_found' },
    )
    t.equal(await listed(), undefined)
    const interrupt = new AbortController()
    const work = hand()(job, (_row, context) => untilAborted(context), {
      ...watching,
      signal: interrupt.signal,
    })
    interrupt.abort(new Error('Ctrl-C'))
    await t.rejects(work, { message: 'Ctrl-C' })
    t.same([await listed(), problems], [undefined, []])
  },
  'a service that stops goes on with it when it is back': async (t, database) => {
    const { hand, job, watching, listed } = jobsOf(t, database)
    const stop = new AbortController()
    const work = hand()(
      job,
      async (_row, context) => {
        await context.saveProgress({ after: 'this' })
        stop.abort(new StrongroomError('shutting_down'))
        return await untilAborted(context)
      },
      { ...watching, signal: stop.signal },
    )
    await t.rejects(work, { code: 'shutting_down' })
    t.match(await listed(), { leaseUntil: null, failures: 0, progress: { after: 'this' } })
  },
  'where its process is gone a node takes it over, once': async (t, database) => {
    const { db, kind, job, listed } = jobsOf(t, database)
    // As `begin` left it in a process that was killed.
    const leaseUntil = new Date(Date.now() + 300)
    const row = await db.stores.jobs.begin(job, new Date(), leaseUntil)
    if (row === undefined) throw new Error('it is leased')
    await db.stores.jobs.saveProgress(row, { after: 'that' })
    const done: unknown[] = []
    const runner = jobRunner({
      ...{ db, lookEveryMs: 20, onProblem: (error: unknown) => t.error(error) },
      handlers: {
        [kind]: ({ progress, payload }) => {
          t.ok(new Date() > leaseUntil, 'not before')
          done.push([progress, payload])
          return Promise.resolve()
        },
      },
    })
    runner.start()
    t.teardown(() => runner.stop())
    await eventually('done', async () => (await listed()) === undefined)
    t.same(done, [[{ after: 'that' }, job.payload]])
  },
  'a lease that is over is taken, with the progress': async (t, database) => {
    const { db, hand, job, watching, listed } = jobsOf(t, database)
    const row = await db.stores.jobs.begin(job, new Date(), new Date())
    if (row === undefined) throw new Error('it is leased')
    await db.stores.jobs.saveProgress(row, { after: 'that' })
    await hand()(
      job,
      ({ progress, attempts }) => {
        t.same([progress, attempts], [{ after: 'that' }, 2])
        return Promise.resolve()
      },
      watching,
    )
    t.equal(await listed(), undefined)
  },
  'the one process that owns a database lets go of all leases': async (t, database) => {
    const { db, job, listed } = jobsOf(t, database)
    await db.stores.jobs.begin(job, new Date(), new Date(Date.now() + 60_000))
    await db.stores.jobs.releaseAll()
    t.match(await listed(), { leaseUntil: null, attempts: 1 })
  },
  'who lost the lease stops': async (t, database) => {
    const { hand, job, watching, listed } = jobsOf(t, database)
    const text = 'update jobs set attempts = attempts + 1 where job_id = $1'
    const work = hand(200)(
      job,
      async (_row, context) => {
        await database.rows({ name: 'by-hand-test-take', text }, [job.jobId])
        return await untilAborted(context)
      },
      watching,
    )
    await t.rejects(work, { name: 'TimeoutError' })
    t.match(await listed(), { attempts: 2 }, 'it is another’s now')
  },
}

for (const engine of engines) {
  await t.test(engine, async (t) => {
    const test = await createMigratedDatabase(engine)
    t.teardown(() => test.drop())
    const database = await test.open()
    t.teardown(() => database.close())
    for (const [name, run] of Object.entries(tests)) {
      await t.test(name, async (t) => {
        await run(t, database)
      })
    }
  })
}
