import { setTimeout as wait } from 'node:timers/promises'
import t from 'tap'
import { askedRarely } from '../../../src/metrics/asked-rarely.js'
import { openMetrics } from '../../../src/metrics/open-metrics.js'
import type { Sources } from '../../../src/metrics/state-gauges.js'
import { parseScrape } from '../../acceptance/support/scrape.js'

const never = () => new Promise<never>(() => undefined)

function looking(more: Partial<Sources> = {}) {
  const metrics = openMetrics({ version: '1', known: { storage: ['put'], keys: ['wrap'] } })
  const { scrape } = metrics.lookAt({
    uploads: () => ({ inUse: 1, most: 4 }),
    runningReads: () => 2,
    pool: () => ({ size: 5, idle: 3, waiting: 1, most: 10 }),
    auditLag: () => 1.5,
    jobs: () =>
      Promise.resolve([
        { kind: 'sweep', due: 1, running: 0, failed: 1, oldestDue: new Date(Date.now() - 60_000) },
        { kind: 'of a newer version', due: 2, running: 1, failed: 0, oldestDue: null },
      ]),
    jobKinds: ['sweep', 'scrub'],
    outbox: () =>
      Promise.resolve([{ destination: 'sink', waiting: 3, dead: 2, oldest: new Date(0) }]),
    ready: { database: () => Promise.resolve(true) },
    folders: { data: '/' },
    ...more,
  })
  return { ...metrics, scrape: async () => parseScrape((await scrape()).text) }
}

void t.test('what it is told, it shows', async (t) => {
  const { sum } = await looking().scrape()
  t.equal(sum('strongroom_upload_slots_in_use'), 1)
  t.equal(sum('strongroom_downloads_running'), 2)
  t.equal(sum('strongroom_database_pool_connections', { state: 'busy' }), 2)
  t.equal(sum('strongroom_database_pool_waiting'), 1)
  t.equal(sum('strongroom_audit_lag_seconds'), 1.5)
  t.equal(sum('strongroom_jobs_due', { kind: 'sweep' }), 1)
  t.equal(sum('strongroom_jobs_due', { kind: 'scrub' }), 0)
  t.equal(sum('strongroom_jobs_due', { kind: 'other' }), 2, 'a kind nobody knows has no name')
  t.equal(Math.round(sum('strongroom_jobs_oldest_due_seconds') ?? 0), 60)
  t.equal(sum('strongroom_outbox_pending', { destination: 'webhook' }), 0)
  t.equal(sum('strongroom_outbox_dead', { destination: 'sink' }), 2)
  t.ok((sum('strongroom_outbox_oldest_seconds', { destination: 'sink' }) ?? 0) > 1e9)
})

void t.test('what fails or hangs is absent, and keeps nothing else', async (t) => {
  let asked = 0
  const { scrape } = looking({
    jobs: () => Promise.reject(new Error('away')),
    outbox: () => {
      asked += 1
      return never()
    },
    ready: { database: never, keys: () => Promise.resolve(true) },
    folders: { data: '/not/there' },
  })
  const start = performance.now()
  await scrape()
  const { sum } = await scrape()
  t.ok(performance.now() - start < 4_000, 'a second each')
  t.equal(asked, 1, 'what hangs is asked once')
  for (const name of ['jobs_due', 'jobs_oldest_due_seconds', 'outbox_pending', 'disk_free_bytes']) {
    t.equal(sum(`strongroom_${name}`), undefined, name)
  }
  for (const source of ['jobs', 'outbox', 'disk']) {
    t.equal(sum('strongroom_scrape_errors_total', { source }), 2, source)
  }
  t.equal(sum('strongroom_ready', { component: 'database' }), 0)
  t.equal(sum('strongroom_ready', { component: 'keys' }), 1)
  t.equal(sum('strongroom_downloads_running'), 2)
})

void t.test('a value that was there goes when it cannot be had any more', async (t) => {
  let isAway = false
  const { scrape } = looking({
    jobs: () => (isAway ? Promise.reject(new Error('away')) : Promise.resolve([])),
  })
  t.equal((await scrape()).sum('strongroom_jobs_oldest_due_seconds'), 0)
  isAway = true
  t.equal((await scrape()).sum('strongroom_jobs_oldest_due_seconds'), 0, 'remembered')
  await wait(5_100)
  t.equal((await scrape()).sum('strongroom_jobs_oldest_due_seconds'), undefined)
})

void t.test('a question is asked again when its answer is old, and shared meanwhile', async (t) => {
  let asked = 0
  const ask = askedRarely(() => Promise.resolve(++asked), { forMs: 30, withinMs: 100 })
  t.same(await Promise.all([ask(), ask()]), [1, 1])
  t.equal(await ask(), 1)
  await wait(40)
  t.equal(await ask(), 2)
})

void t.test('operations nobody knows have no name of their own', async (t) => {
  const { meter, watch, jobs, http, scrape } = looking()
  meter.storageRetried({ operation: 'patients/anna/x-ray.pdf', reason: 'network' })
  watch.begin('storage', 'patients/anna')('ok')
  watch.begin('database', 'files-insert')('failed')
  http.began()({
    ...{ method: 'anna', route: '/a/:b', status: 200, seconds: 1, isBrokenOff: true },
  })
  await t.rejects(jobs.around('sweep', () => Promise.reject(new Error('no'))))
  await t.rejects(jobs.around('sweep', () => Promise.reject(new DOMException('x', 'AbortError'))))
  const { sum, text } = await scrape()
  t.notMatch(text, /anna/)
  t.equal(sum('strongroom_storage_retries_total', { operation: 'other', reason: 'network' }), 1)
  t.equal(sum('strongroom_storage_calls_total', { operation: 'other', outcome: 'ok' }), 1)
  const failed = { operation: 'statement', outcome: 'failed' }
  t.equal(sum('strongroom_database_calls_total', failed), 1)
  t.equal(sum('strongroom_http_requests_total', { method: 'OTHER', route: '/a/:b' }), 1)
  t.equal(sum('strongroom_http_broken_off_total'), 1)
  t.equal(sum('strongroom_job_runs_total', { kind: 'sweep', outcome: 'failed' }), 1)
  t.equal(sum('strongroom_job_runs_total', { kind: 'sweep', outcome: 'broken_off' }), 1)
})
