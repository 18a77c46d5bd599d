import {
  type Context,
  type ContextManager,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  trace,
} from '@opentelemetry/api'
import { parseTraceParent } from '@opentelemetry/core'
import { type Outcome, outcomeOf } from '../errors/outcome-of.js'
import type { RequestTracer, TracedCall } from '../ports/tracing.js'
import type { JobWatch, Watch } from '../ports/watch.js'

export interface Tracing {
  readonly tracer: Tracer
  readonly contexts: ContextManager
}

/**
 * A span for each request, named by its route. The caller's trace goes on; their `tracestate` does not: it
 * may hold anything.
 */
export function requestSpans({ tracer, contexts }: Tracing): RequestTracer {
  return {
    begin: ({ method, route, requestId, traceparent }) => {
      const attributes = {
        'http.request.method': method,
        'http.route': route,
        'strongroom.request_id': requestId,
      }
      const options = { kind: SpanKind.SERVER, attributes }
      const span = tracer.startSpan(`${method} ${route}`, options, callersContext(traceparent))
      return {
        run: (work) => {
          contexts.with(trace.setSpan(ROOT_CONTEXT, span), work)
        },
        end: ({ status, isBrokenOff }) => {
          span.setAttribute('http.response.status_code', status)
          if (isBrokenOff) span.setAttribute('strongroom.broken_off', true)
          if (status >= 500) span.setStatus({ code: SpanStatusCode.ERROR })
          span.end()
        },
      }
    },
  }
}

function callersContext(traceparent: string | undefined): Context {
  const found = traceparent === undefined ? null : parseTraceParent(traceparent)
  if (found === null) return ROOT_CONTEXT
  return trace.setSpanContext(ROOT_CONTEXT, { ...found, isRemote: true })
}

/** A call to somebody else, with what makes their spans part of the trace. */
export function outboundSpans({ tracer, contexts }: Tracing): TracedCall {
  return async (target, send) => {
    const active = contexts.active()
    const options = { kind: SpanKind.CLIENT, attributes: { 'peer.service': target } }
    const span = tracer.startSpan(`call ${target}`, options, active)
    try {
      return await contexts.with(trace.setSpan(active, span), () =>
        send({
          headers: { traceparent: traceparentOf(span) },
          answered: (status) => {
            span.setAttribute('http.response.status_code', status)
            if (status >= 400) span.setStatus({ code: SpanStatusCode.ERROR })
          },
        }),
      )
    } catch (error) {
      fail(span, outcomeOf(error))
      throw error
    } finally {
      span.end()
    }
  }
}

/** W3C Trace Context, section 3.2. */
function traceparentOf(span: Span): string {
  const { traceId, spanId, traceFlags } = span.spanContext()
  return `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}`
}

/**
 * Statements, storage and key provider, where they belong to something that is traced: what the service
 * looks at again and again by itself would be traces of nothing.
 */
export function workSpans({ tracer, contexts }: Tracing) {
  return (watch: Watch): Watch => ({
    begin: (kind, operation) => {
      const end = watch.begin(kind, operation)
      const active = contexts.active()
      if (trace.getSpan(active) === undefined) return end
      const attributes = { 'strongroom.work': kind, 'strongroom.operation': operation }
      const options = { kind: SpanKind.CLIENT, attributes }
      const span = tracer.startSpan(`${kind} ${operation}`, options, active)
      return (outcome, seconds) => {
        if (outcome !== 'ok') fail(span, outcome)
        span.end()
        end(outcome, seconds)
      }
    },
  })
}

/** A trace for each run of a job, but for those that never end. */
export function jobSpans({ tracer, contexts }: Tracing, endless: ReadonlySet<string>) {
  return (watch: JobWatch): JobWatch => ({
    around: (kind, work) => {
      if (endless.has(kind)) return watch.around(kind, work)
      return watch.around(kind, async () => {
        const options = { attributes: { 'strongroom.job': kind } }
        const span = tracer.startSpan(`job ${kind}`, options, ROOT_CONTEXT)
        try {
          return await contexts.with(trace.setSpan(ROOT_CONTEXT, span), work)
        } catch (error) {
          fail(span, outcomeOf(error))
          throw error
        } finally {
          span.end()
        }
      })
    },
  })
}

/** An error's message may repeat what was sent: only how it ended is told. */
function fail(span: Span, outcome: Outcome): void {
  span.setAttribute('strongroom.outcome', outcome)
  if (outcome !== 'refused') span.setStatus({ code: SpanStatusCode.ERROR })
}
