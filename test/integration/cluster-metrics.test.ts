import cluster, { type Worker } from 'node:cluster'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { answerForWorkers } from '../../src/metrics/cluster-metrics.js'
import { eventually } from '../acceptance/support/eventually.js'
import { parseScrape } from '../acceptance/support/scrape.js'

// Two processes as node:cluster makes them, this one their primary.

cluster.setupPrimary({
  exec: fileURLToPath(new URL('../helpers/metrics-worker.ts', import.meta.url)),
})
answerForWorkers(cluster)

interface Said {
  readonly done?: boolean
  readonly text?: string
  readonly contentType?: string
  readonly error?: string
}

/** The next thing a worker says to the test. */
function said(worker: Worker): Promise<Said> {
  return new Promise((resolve) => {
    const listen = (message: Said & { readonly type?: string }) => {
      if (message.type !== undefined) return
      worker.off('message', listen)
      resolve(message)
    }
    worker.on('message', listen)
  })
}

async function fork(): Promise<Worker> {
  const worker = cluster.fork()
  await said(worker)
  return worker
}

async function order(worker: Worker, what: string, n = 0): Promise<Said> {
  const answer = said(worker)
  worker.send({ order: what, n })
  return await answer
}

async function sumsFrom(worker: Worker) {
  const { text = '', contentType } = await order(worker, 'scrape')
  return { ...parseScrape(text), contentType }
}

const [first, second] = [await fork(), await fork()]
t.teardown(() => {
  for (const worker of Object.values(cluster.workers ?? {})) worker?.process.kill('SIGKILL')
})

await t.test('whoever is asked answers for all', async (t) => {
  await order(first, 'seal', 3)
  await order(second, 'seal', 4)
  for (const worker of [first, second]) {
    const { sum, contentType, text } = await sumsFrom(worker)
    t.match(contentType, /^text\/plain; version=0\.0\.4/)
    t.equal(sum('strongroom_sealed_files_total'), 7)
    t.equal(sum('strongroom_sealed_bytes_total'), 7_000)
    t.equal(sum('strongroom_upload_slots_limit'), 8, 'what each has of its own is added')
    t.equal(sum('strongroom_database_pool_connections', { state: 'idle' }), 2)
    t.equal(sum('strongroom_jobs_due', { kind: 'sweep' }), 4, 'what all see is not')
    t.equal(sum('strongroom_audit_lag_seconds'), 4, 'the worst of them')
    t.equal(sum('strongroom_ready', { component: 'storage' }), 1)
    t.equal(sum('strongroom_build_info', { version: '1.2.3' }), 1)
    const disk = sum('strongroom_disk_size_bytes', { folder: 'data' }) ?? 0
    t.ok(disk > 0 && disk < 1e17)
    t.match(text, /^# TYPE strongroom_storage_calls_duration_seconds histogram$/m)
  }
})

await t.test('the least ready is what counts', async (t) => {
  await order(second, 'seal', 8)
  const ready = { component: 'storage' }
  await eventually(
    'one of them is not ready',
    async () => (await sumsFrom(first)).sum('strongroom_ready', ready) === 0,
  )
  t.equal((await sumsFrom(first)).sum('strongroom_sealed_files_total'), 15)
})

await t.test(
  'what a worker counted outlives it, and it is not counted for the next one',
  async (t) => {
    second.process.kill('SIGKILL')
    await once(second, 'exit')
    const { sum } = await sumsFrom(first)
    t.equal(sum('strongroom_sealed_files_total'), 15)
    t.equal(sum('strongroom_upload_slots_limit'), 4, 'a gauge does not')
    const third = await fork()
    await order(third, 'seal', 2)
    const later = await sumsFrom(third)
    t.equal(later.sum('strongroom_sealed_files_total'), 17)
    third.process.kill('SIGKILL')
    await once(third, 'exit')
    t.equal((await sumsFrom(first)).sum('strongroom_sealed_files_total'), 17)
  },
)

await t.test(
  'where one does not answer, there is no answer: a smaller sum would be a lie',
  async (t) => {
    const hung = await fork()
    hung.send({ order: 'hang' })
    t.same(await order(first, 'scrape'), { error: 'metrics_unavailable' })
    hung.process.kill('SIGKILL')
    await once(hung, 'exit')
    t.equal((await sumsFrom(first)).sum('strongroom_sealed_files_total'), 17)
  },
)
