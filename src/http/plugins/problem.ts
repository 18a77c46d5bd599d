import type { FastifyReply, FastifyRequest } from 'fastify'
import { type ErrorCode, statusOf, titleOf } from '../../errors/error-codes.js'
import { isStrongroomError, StrongroomError } from '../../errors/strongroom-error.js'
import type { HttpMeter } from '../../ports/meter.js'
import type { App } from '../app-type.js'

export interface ProblemOptions {
  /** Whether older clients get 400 for a file too large. */
  readonly legacyStatus: boolean
  readonly meter?: Pick<HttpMeter, 'refused'> | undefined
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** What a person is told who opens this in a browser, in place of the document. */
    readonly refusalPage?: RefusalPage
  }
}

/** A page, and the policy (CSP) it is shown under. Says nothing of the cause that the document would not. */
export type RefusalPage = (
  status: number,
  requestId: string,
) => { readonly html: string; readonly policy: string }

export const problemType = 'application/problem+json'

/** An RFC 9457 document. */
export interface ProblemDocument {
  readonly type: string
  readonly title: string
  readonly status: number
  readonly code: string
  readonly request_id: string
  readonly detail?: string
}

// What a route may have said of an answer that is now another one.
const headersOfContent = [
  'content-disposition',
  'content-encoding',
  'content-digest',
  'repr-digest',
  'etag',
  'last-modified',
]

/** Answers every error, and every path that is not there, with a problem document. */
export function registerProblems(app: App, options: ProblemOptions): void {
  app.setErrorHandler((error, request, reply) => sendProblem(error, request, reply, options))
  // Before the body is parsed: of what is not there nothing else can be wrong. After `onRequest`: rules of
  // hosts, HTTPS and rates are for what is not there, too.
  app.addHook('preParsing', (request, _reply, payload, done) => {
    done(request.is404 ? new StrongroomError('not_found') : null, payload)
  })
  app.setNotFoundHandler((request, reply) =>
    sendProblem(new StrongroomError('not_found'), request, reply, options),
  )
}

/** Sends what a caller may know of `error`; logs the rest where it is a fault of ours. */
export function sendProblem(
  error: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
  { legacyStatus, meter }: ProblemOptions,
): FastifyReply {
  const problem = asStrongroomError(error)
  meter?.refused(problem.code)
  const document = problemDocument(problem, request.id, legacyStatus)
  if (document.status >= 500) {
    request.log.error({ code: problem.code, err: error }, 'request failed')
  }
  for (const name of headersOfContent) reply.removeHeader(name)
  if (document.status === 401) reply.header('www-authenticate', challenge(problem, request))
  if (problem.retryAfter !== undefined) reply.header('retry-after', Math.ceil(problem.retryAfter))
  const page = request.routeOptions.config.refusalPage
  if (page !== undefined && wantsPage(request)) {
    const { html, policy } = page(document.status, request.id)
    reply.header('content-security-policy', policy).type('text/html; charset=utf-8')
    return reply.code(document.status).send(html)
  }
  // As bytes: to text Fastify adds a charset, which the media type does not have.
  return reply
    .code(document.status)
    .header('content-type', problemType)
    .send(Buffer.from(JSON.stringify(document)))
}

const htmlInAccept = /(?:^|,)\s*text\/html\s*(?:;|,|$)/i

/** Whether a person looks at the answer: browsers name HTML when they open a page or a frame. */
function wantsPage({ headers }: FastifyRequest): boolean {
  return htmlInAccept.test(headers.accept ?? '')
}

/** Title and code for a fault of ours, without a word of its cause; for others what was said. */
export function problemDocument(
  error: StrongroomError,
  requestId: string,
  legacyStatus = false,
): ProblemDocument {
  const { detail } = error
  // Damage has a code for logs and audit; the caller is told what every fault of ours is called.
  const code = statusOf(error.code) === 500 ? 'internal' : error.code
  const status = legacyStatus && code === 'file_too_large' ? 400 : statusOf(code)
  const title = titleOf(code)
  const own = { type: `urn:strongroom:problem:${code}`, title, status, code, request_id: requestId }
  if (status >= 500) return own
  return { ...error.extra, ...own, ...(detail === undefined ? {} : { detail }) }
}

// RFC 6750 section 3.1: no error is named where no token was given.
function challenge(error: StrongroomError, request: FastifyRequest): string {
  const gaveToken = /^Bearer +\S/i.test(request.headers.authorization ?? '')
  if (!gaveToken && error.code !== 'token_expired') return 'Bearer'
  return 'Bearer error="invalid_token"'
}

interface FrameworkError {
  readonly code?: unknown
  readonly statusCode?: unknown
  readonly validation?: unknown
  readonly validationContext?: unknown
}

const codeOfStatus = new Map<unknown, ErrorCode>([
  [404, 'not_found'],
  [408, 'request_timeout'],
  [413, 'body_too_large'],
  [415, 'unsupported_media_type'],
  [431, 'header_too_large'],
])

function asStrongroomError(error: unknown): StrongroomError {
  if (isStrongroomError(error)) return error
  if (typeof error !== 'object' || error === null) return internal(error)
  const { code, statusCode, validation, validationContext } = error as FrameworkError
  if (Array.isArray(validation)) return invalid(validation as SchemaError[], validationContext)
  // An id of any other length would be answered so.
  if (code === 'FST_ERR_MAX_PARAM_LENGTH') return new StrongroomError('not_found')
  const isClients = typeof statusCode === 'number' && statusCode >= 400 && statusCode < 500
  const isFrameworks = typeof code === 'string' && code.startsWith('FST_')
  // The parser's own errors (bad JSON, a forbidden key in it) have a status, but no code of Fastify's.
  if (!isClients || !(isFrameworks || error instanceof SyntaxError)) return internal(error)
  return new StrongroomError(codeOfStatus.get(statusCode) ?? 'bad_request', { cause: error })
}

function internal(cause: unknown): StrongroomError {
  return new StrongroomError('internal', { cause })
}

/** As TypeBox tells it. */
interface SchemaError {
  readonly keyword: string
  readonly instancePath?: string
  readonly message?: string
  readonly params?: { readonly requiredProperties?: readonly string[] }
}

const placeNames = new Map<unknown, string>([
  ['body', 'body'],
  ['querystring', 'query'],
  ['params', 'path'],
  ['headers', 'headers'],
])

/** Names of our schemas only: what the caller sent, names of unknown fields too, is not repeated. */
function invalid(errors: readonly SchemaError[], context: unknown): StrongroomError {
  const place = placeNames.get(context) ?? 'request'
  if (errors.some(({ keyword }) => keyword === 'additionalProperties')) {
    const detail = `The ${place} has a field that is not known here.`
    return new StrongroomError('unknown_field', { detail })
  }
  const { instancePath = '', message = 'is not valid', params } = errors[0] ?? {}
  const missing = params?.requiredProperties?.[0]
  const path = missing === undefined ? instancePath : `${instancePath}/${missing}`
  return new StrongroomError('invalid_field', {
    detail: `${place}${path} ${missing === undefined ? message : 'is missing'}`,
    ...(path === '' ? {} : { extra: { field: path.slice(1) } }),
  })
}
