import { TypeBoxValidatorCompiler } from '@fastify/type-provider-typebox'
import fastify, {
  type FastifyBaseLogger,
  type FastifyReply,
  type FastifyRequest,
  LogController,
} from 'fastify'
import type { HttpMeter } from '../ports/meter.js'
import type { RequestTracer } from '../ports/tracing.js'
import type { App } from './app-type.js'
import { registerEarlyRefusal } from './multipart/early-refusal.js'
import { registerBodyTimeLimit } from './plugins/body-time-limit.js'
import { answerClientError, registerClientErrors } from './plugins/client-errors.js'
import { registerClosing } from './plugins/closing.js'
import { registerCommonHeaders, setCommonHeaders } from './plugins/common-headers.js'
import { registerExpectContinue } from './plugins/expect-continue.js'
import { registerLogContext } from './plugins/log-context.js'
import { registerMultipart } from './plugins/multipart.js'
import { registerProblems, sendProblem } from './plugins/problem.js'
import { requestId } from './plugins/request-id.js'
import { logWhenOver, registerRequestLog } from './plugins/request-log.js'
import { measureWhenOver, registerRequestMetrics } from './plugins/request-metrics.js'
import { registerRequestTraces } from './plugins/request-traces.js'

export interface FrameOptions {
  readonly log: FastifyBaseLogger
  /** Hops or addresses of the proxies whose `X-Forwarded-*` headers are believed. */
  readonly trustProxy: false | number | readonly string[]
  readonly legacyStatus: boolean
  /** Milliseconds until a body that is parsed has to be there. */
  readonly bodyTimeLimitMs: number
  /** Absent: nothing is measured. */
  readonly meter?: HttpMeter | undefined
  /** Absent: nothing is traced. */
  readonly tracer?: RequestTracer | undefined
}

/** Bytes of a body that is parsed; uploads are streams and have limits of their own. */
const maxParsedBytes = 64 * 1024
/** Time for a request's headers; its body has limits where it is read. */
const headersTimeout = 15_000

/** A number alone would make Fastify believe nobody: hops are counted here. */
function believed(trustProxy: FrameOptions['trustProxy']) {
  if (typeof trustProxy === 'number') return (_address: string, hop: number) => hop < trustProxy
  return trustProxy === false ? false : [...trustProxy]
}

/** A server with everything that holds for each request, whatever its route. */
export function createFrame(options: FrameOptions): App {
  const { log, trustProxy, legacyStatus, bodyTimeLimitMs, meter, tracer } = options
  const app: App = fastify({
    loggerInstance: log,
    logController: new LogController({
      disableRequestLogging: true,
      requestIdLogLabel: 'request_id',
    }),
    requestIdHeader: false,
    genReqId: requestId,
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: 2_048 },
    bodyLimit: maxParsedBytes,
    trustProxy: believed(trustProxy),
    // What comes while closing is answered by the closing plugin, in our form.
    return503OnClosing: false,
    forceCloseConnections: 'idle',
    requestTimeout: 0,
    http: { headersTimeout, requestTimeout: 0, connectionsCheckingInterval: 5_000 },
    clientErrorHandler: answerClientError,
    frameworkErrors: (error, request, reply) => {
      answerOutsideOfHooks(error, request, reply)
    },
  }).setValidatorCompiler(TypeBoxValidatorCompiler)

  function answerOutsideOfHooks(error: Error, request: FastifyRequest, reply: FastifyReply) {
    logWhenOver(request, reply)
    if (meter !== undefined) measureWhenOver(request, reply, meter)
    setCommonHeaders(request, reply)
    void sendProblem(error, request, reply, { legacyStatus, meter })
  }

  // JSON is the only text that is parsed here: anything else is 415.
  app.removeContentTypeParser('text/plain')
  registerLogContext(app)
  if (tracer !== undefined) registerRequestTraces(app, tracer)
  registerRequestLog(app)
  if (meter !== undefined) registerRequestMetrics(app, meter)
  registerClientErrors(app)
  registerCommonHeaders(app)
  registerExpectContinue(app)
  registerBodyTimeLimit(app, bodyTimeLimitMs)
  registerEarlyRefusal(app)
  registerClosing(app)
  registerProblems(app, { legacyStatus, meter })
  registerMultipart(app)
  return app
}
