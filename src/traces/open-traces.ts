import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { ExportResultCode } from '@opentelemetry/core'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto'
import { resourceFromAttributes } from '@opentelemetry/resources'
import type { Sampler, SpanExporter } from '@opentelemetry/sdk-trace'
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  BatchSpanProcessor,
  ParentBasedSampler,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace'
import type { WorkLog } from '../ports/work-log.js'
import { jobSpans, outboundSpans, requestSpans, type Tracing, workSpans } from './spans.js'

export interface TraceSettings {
  /** Whole, with its path. */
  readonly endpoint: string
  readonly headers: Readonly<Record<string, string>>
  readonly serviceName: string
  readonly attributes: Readonly<Record<string, string>>
  readonly sampler: SamplerName
  /** Share of traces that are kept, 0 to 1, where the sampler's name says so. */
  readonly ratio: number
}

export type SamplerName = `${'' | 'parentbased_'}${'always_on' | 'always_off' | 'traceidratio'}`

interface Options {
  readonly settings: TraceSettings
  readonly version: string
  readonly log: Pick<WorkLog, 'info' | 'warn'>
  /** Jobs that go on for as long as the process: as one span they would say nothing. */
  readonly endlessJobs: readonly string[]
}

/** Of a collector that is away: spans past so many are dropped. */
const MOST_WAITING = 2_048
const EXPORT_MS = 5_000
/** At the end what is left gets so long. */
const CLOSING_MS = 2_000

/**
 * Spans of what this process does, sent to a collector (OTLP over HTTP, protobuf). One that is away, or
 * slow, costs the spans and nothing else.
 */
export function openTraces({ settings, version, log, endlessJobs }: Options) {
  const { endpoint, headers, serviceName, attributes } = settings
  const exporter = new OTLPTraceExporter({
    url: endpoint,
    headers: { ...headers },
    timeoutMillis: EXPORT_MS,
    concurrencyLimit: 2,
  })
  const processor = new BatchSpanProcessor({
    exporter: told(exporter, log),
    maxQueueSize: MOST_WAITING,
    exportTimeoutMillis: EXPORT_MS,
  })
  const provider = new TracerProvider({
    resource: resourceFromAttributes({
      'service.version': version,
      ...attributes,
      'service.name': serviceName,
    }),
    sampler: samplerOf(settings),
    spanProcessors: [processor],
  })
  const tracing: Tracing = {
    tracer: provider.getTracer('strongroom', version),
    contexts: new AsyncLocalStorageContextManager().enable(),
  }
  return {
    requests: requestSpans(tracing),
    call: outboundSpans(tracing),
    watch: workSpans(tracing),
    jobs: jobSpans(tracing, new Set(endlessJobs)),
    close: async () => {
      let timer: NodeJS.Timeout | undefined
      const limit = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, CLOSING_MS)
      })
      await Promise.race([provider.shutdown().catch(() => undefined), limit])
      clearTimeout(timer)
    },
  }
}

export type Traces = ReturnType<typeof openTraces>

function samplerOf({ sampler, ratio }: TraceSettings): Sampler {
  const name = sampler.replace(/^parentbased_/, '')
  const root =
    name === 'traceidratio'
      ? new TraceIdRatioBasedSampler(ratio)
      : name === 'always_off'
        ? new AlwaysOffSampler()
        : new AlwaysOnSampler()
  return sampler.startsWith('parentbased_') ? new ParentBasedSampler({ root }) : root
}

/** The same exporter; the log says when its collector takes nothing, and when it does again. */
function told(exporter: SpanExporter, log: Pick<WorkLog, 'info' | 'warn'>): SpanExporter {
  let isAway = false
  return {
    export: (spans, done) => {
      exporter.export(spans, (result) => {
        const fails = result.code !== ExportResultCode.SUCCESS
        if (fails && !isAway) log.warn({ spans: spans.length }, 'the collector takes no traces')
        if (!fails && isAway) log.info({}, 'the collector takes traces again')
        isAway = fails
        done(result)
      })
    },
    forceFlush: () => exporter.forceFlush?.() ?? Promise.resolve(),
    shutdown: () => exporter.shutdown(),
  }
}
