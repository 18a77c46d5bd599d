import { serializeRequest } from '../../log.js'
import type { RequestTracer } from '../../ports/tracing.js'
import type { App } from '../app-type.js'

/** A trace for each request, with all that it sets off. */
export function registerRequestTraces(app: App, tracer: RequestTracer): void {
  app.addHook('onRequest', (request, { raw }, done) => {
    const { traceparent } = request.headers
    const { method, route } = serializeRequest(request)
    const trace = tracer.begin({
      ...{ method, route, requestId: request.id },
      traceparent: typeof traceparent === 'string' ? traceparent : undefined,
    })
    raw.once('close', () => {
      trace.end({ status: raw.statusCode, isBrokenOff: !raw.writableFinished })
    })
    trace.run(done)
  })
}
