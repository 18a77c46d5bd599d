import { type Aggregator, Counter, Gauge, Histogram, type Registry } from 'prom-client'

/** What all our names begin with; those of the process and of Node keep the names everybody gives them. */
const PREFIX = 'strongroom_'

interface GaugeOptions {
  readonly labels?: readonly string[]
  /** What becomes of the values of several processes of one node; absent: their sum. */
  readonly aggregator?: Aggregator
}

interface HistogramOptions {
  readonly labels?: readonly string[]
  /** Upper bounds in seconds. */
  readonly buckets: readonly number[]
}

/** Makes what measures, in one registry. Labels **must** be of closed lists. */
export function instruments(registry: Registry) {
  const common = (name: string, help: string, labels: readonly string[] = []) => ({
    name: `${PREFIX}${name}`,
    help,
    labelNames: [...labels],
    registers: [registry],
  })
  return {
    counter: (name: string, help: string, labels?: readonly string[]) =>
      new Counter(common(name, help, labels)),
    gauge: (name: string, help: string, { labels, aggregator = 'sum' }: GaugeOptions = {}) =>
      new Gauge({ ...common(name, help, labels), aggregator }),
    histogram: (name: string, help: string, { labels, buckets }: HistogramOptions) =>
      new Histogram({ ...common(name, help, labels), buckets: [...buckets] }),
  }
}

export type Instruments = ReturnType<typeof instruments>

/** Upper bounds for what should take milliseconds and may take a minute. */
export const callSeconds = [0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10, 60] as const
