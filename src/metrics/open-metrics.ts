import {
  collectDefaultMetrics,
  type MetricObjectWithValues,
  type MetricValue,
  Registry,
} from 'prom-client'
import type { Scrape } from '../ports/meter.js'
import { httpMetrics } from './http-metrics.js'
import { instruments } from './instruments.js'
import { type Sources, stateGauges } from './state-gauges.js'
import { jobMetrics, type KnownOperations, roomMetrics, workMetrics } from './work-metrics.js'

export interface MetricsOptions {
  readonly version: string
  readonly known: Pick<KnownOperations, 'storage' | 'keys'>
}

/** A process's own values, as another process can add them to its own. */
export type ProcessMetrics = readonly MetricObjectWithValues<MetricValue<string>>[]

/** Of no use to an operator, or named as what they are not (`promtool check metrics`). */
const leftOut = [
  'nodejs_active_handles',
  'nodejs_active_handles_total',
  'nodejs_active_requests',
  'nodejs_active_requests_total',
  'nodejs_active_resources',
  'nodejs_active_resources_total',
  'nodejs_heap_space_size_available_bytes',
  'nodejs_heap_space_size_total_bytes',
  'nodejs_heap_space_size_used_bytes',
  'nodejs_version_info',
]

/** Everything this process measures, from the start on; what is looked at is known once it is composed. */
export function openMetrics({ version, known }: MetricsOptions) {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  for (const name of leftOut) registry.removeSingleMetric(name)
  const make = instruments(registry)
  make
    .gauge('build_info', 'Always 1: which build runs on which Node', {
      labels: ['version', 'node'],
      aggregator: 'first',
    })
    .set({ version, node: process.version }, 1)
  const http = httpMetrics(make)
  return {
    watch: workMetrics(make, known),
    jobs: jobMetrics(make),
    meter: roomMetrics(make, known),
    http: http.meter,
    /** To be called once. */
    lookAt: (sources: Sources) => {
      const look = stateGauges(make, sources)
      const refresh = async () => {
        http.refresh()
        await look()
      }
      return {
        scrape: async (): Promise<Scrape> => {
          await refresh()
          return { contentType: registry.contentType, text: await registry.metrics() }
        },
        /** For whoever adds them to those of other processes. */
        values: async (): Promise<ProcessMetrics> => {
          await refresh()
          return await registry.getMetricsAsJSON()
        },
      }
    },
  }
}

export type Metrics = ReturnType<typeof openMetrics>
