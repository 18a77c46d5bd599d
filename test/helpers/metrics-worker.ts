import { askForWorkers } from '../../src/metrics/cluster-metrics.js'
import { openMetrics } from '../../src/metrics/open-metrics.js'

// A worker that does nothing but measure: told how many files it sealed, it says when it has; told to
// scrape, it says what all workers say.

const metrics = openMetrics({ version: '1.2.3', known: { storage: ['put'], keys: ['wrap'] } })
let due = 0
const looked = metrics.lookAt({
  uploads: () => ({ inUse: 1, most: 4 }),
  runningReads: () => 0,
  pool: () => ({ size: 2, idle: 1, waiting: 0, most: 10 }),
  auditLag: () => due,
  jobs: () =>
    Promise.resolve([{ kind: 'sweep', due, running: 0, failed: 0, oldestDue: new Date(0) }]),
  jobKinds: ['sweep'],
  outbox: () => Promise.resolve([]),
  ready: { storage: () => Promise.resolve(due < 7) },
  folders: { data: process.cwd() },
})
const scrape = askForWorkers(process, looked.values)

process.on('message', (message: { readonly order?: string; readonly n?: number }) => {
  if (message.order === 'seal') {
    for (let n = 0; n < (message.n ?? 0); n++) metrics.meter.sealed(1_000, 0.5)
    due = message.n ?? 0
    process.send?.({ done: true })
  }
  if (message.order === 'hang') for (;;);
  if (message.order === 'scrape') {
    scrape().then(
      ({ text, contentType }) => process.send?.({ text, contentType }),
      (error: unknown) => process.send?.({ error: String(Reflect.get(Object(error), 'code')) }),
    )
  }
})
process.send?.({ done: true })
