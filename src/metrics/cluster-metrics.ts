import type { Cluster, Worker } from 'node:cluster'
import { AggregatorRegistry, type MetricObjectWithValues, type MetricValue } from 'prom-client'
import { StrongroomError } from '../errors/strongroom-error.js'
import type { Scrape } from '../ports/meter.js'
import type { ProcessMetrics } from './open-metrics.js'

// A scrape comes to one worker: it asks the primary, which asks all workers and adds up what they say.

type Message =
  /** A worker to the primary: what do all say? */
  | { readonly type: 'metrics/scrape'; readonly id: number }
  /** Its answer; without a text there is none. */
  | { readonly type: 'metrics/scraped'; readonly id: number; readonly text?: string }
  /** The primary to each worker: what do you say? */
  | { readonly type: 'metrics/ask'; readonly id: number }
  | { readonly type: 'metrics/told'; readonly id: number; readonly values: ProcessMetrics }

/** Milliseconds all workers together have to answer, and the primary to answer with them. */
const WORKERS_MS = 3_000
const PRIMARY_MS = 4_000

/**
 * In the primary: answers workers that ask for the metrics of all. What a worker had counted when it was
 * last heard stays in the sums after it is gone: counters do not fall.
 */
export function answerForWorkers(cluster: Pick<Cluster, 'on' | 'workers'>): void {
  const questions = openQuestions<ProcessMetrics>()
  const lastOf = new Map<number, ProcessMetrics>()
  let gone: Promise<ProcessMetrics> = Promise.resolve([])

  const ask = async (worker: Worker): Promise<ProcessMetrics> => {
    const { id, answer } = questions.begin(WORKERS_MS)
    send(worker, { type: 'metrics/ask', id })
    const values = await answer
    if (!worker.isDead()) lastOf.set(worker.id, values)
    return values
  }
  const textOfAll = async (): Promise<string> => {
    const workers = Object.values(cluster.workers ?? {}).filter(
      (worker) => worker?.isConnected() === true,
    )
    const told = await Promise.all(workers.map((worker) => ask(worker as Worker)))
    return await AggregatorRegistry.aggregate([await gone, ...told]).metrics()
  }
  const answer = async (worker: Worker, id: number) => {
    const text = await textOfAll().catch(() => undefined)
    send(worker, { type: 'metrics/scraped', id, ...(text === undefined ? {} : { text }) })
  }
  cluster.on('message', (worker: Worker, message: unknown) => {
    if (!isOurs(message)) return
    if (message.type === 'metrics/scrape') void answer(worker, message.id)
    if (message.type === 'metrics/told') questions.end(message.id, message.values)
  })
  cluster.on('exit', (worker: Worker) => {
    const last = lastOf.get(worker.id)
    lastOf.delete(worker.id)
    if (last === undefined) return
    gone = gone.then((before) =>
      AggregatorRegistry.aggregate([before, last.filter(countsUp)]).getMetricsAsJSON(),
    )
  })
}

/**
 * In a worker: what all workers say.
 * @param own what this one says
 * @returns a scrape that throws StrongroomError `metrics_unavailable` where not all of them answer
 */
export function askForWorkers(
  worker: Pick<NodeJS.Process, 'on' | 'send'>,
  own: () => Promise<ProcessMetrics>,
): () => Promise<Scrape> {
  const questions = openQuestions<string>()
  worker.on('message', (message: unknown) => {
    if (!isOurs(message)) return
    if (message.type === 'metrics/ask') {
      const { id } = message
      // Without an answer the primary's limit tells.
      own().then(
        (values) => worker.send?.({ type: 'metrics/told', id, values } satisfies Message),
        () => undefined,
      )
    }
    if (message.type === 'metrics/scraped') questions.end(message.id, message.text)
  })
  return async () => {
    const { id, answer } = questions.begin(PRIMARY_MS)
    worker.send?.({ type: 'metrics/scrape', id } satisfies Message)
    return { contentType: AggregatorRegistry.PROMETHEUS_CONTENT_TYPE, text: await answer }
  }
}

function isOurs(message: unknown): message is Message {
  if (typeof message !== 'object' || message === null || !('type' in message)) return false
  return typeof message.type === 'string' && message.type.startsWith('metrics/')
}

function send(worker: Worker, message: Message): void {
  // One that is gone by now does not answer; who waits is told by their limit.
  if (worker.isConnected()) worker.send(message, () => undefined)
}

/** Questions under way, by number. An answer of nothing is none. */
function openQuestions<T>() {
  const open = new Map<number, (answer: T | undefined) => void>()
  let last = 0
  return {
    begin: (ms: number) => {
      const id = ++last
      const answer = new Promise<T>((resolve, reject) => {
        const fail = () => {
          open.delete(id)
          reject(new StrongroomError('metrics_unavailable', { retryAfter: 5 }))
        }
        const timer = setTimeout(fail, ms)
        open.set(id, (value) => {
          clearTimeout(timer)
          open.delete(id)
          if (value === undefined) fail()
          else resolve(value)
        })
      })
      return { id, answer }
    },
    end: (id: number, value: T | undefined) => {
      open.get(id)?.(value)
    },
  }
}

type Metric = MetricObjectWithValues<MetricValue<string>>

const typesThatCountUp: ReadonlySet<unknown> = new Set(['counter', 'histogram'])

function countsUp({ type }: Metric): boolean {
  return typesThatCountUp.has(type)
}
