import {
  type DestinationStream,
  type Logger,
  type LoggerOptions,
  pino,
  stdTimeFunctions,
} from 'pino'
import pretty from 'pino-pretty'
import type { Config } from './config.js'
import { isStrongroomError } from './errors/strongroom-error.js'

/** Facts about an error that are ours, not the caller's. */
export interface LoggedError {
  readonly type: string
  readonly code?: string
  /** The system call that failed. */
  readonly syscall?: string
  /** The table and constraint a database error names. */
  readonly table?: string
  readonly constraint?: string
  readonly context?: Readonly<Record<string, string | number | undefined>>
  /** Where it was thrown: frames only, as the message may repeat what was sent. */
  readonly stack?: string
  readonly cause?: LoggedError
}

/** Facts about a request: the route's pattern, never its URL, headers or query. */
export interface LoggedRequest {
  readonly method: string
  readonly route: string
  readonly request_id?: string
}

// Second line of defence: the serializers never let these through.
const secretNames = ['authorization', 'cookie', '["set-cookie"]', 'token', 'password', 'secret']

const under = (parent: string, name: string) =>
  name.startsWith('[') ? `${parent}${name}` : `${parent}.${name}`

const redactedPaths = secretNames.flatMap((name) => [
  name,
  ...['*', 'headers', '*.headers', 'req.headers', 'res.headers'].map((each) => under(each, name)),
])

const MAX_CAUSES = 5

// A line of a V8 stack trace: "at", then a place with line and column.
const frame =
  /^ {4}at (?:.+ \()?(?:async )?(?:file:\/\/|node:|\/|[A-Z]:\\|<anonymous>|wasm:\/\/)[^\n]*:\d+:\d+\)?$/

/** An error without its message: of one of ours the code says it, another's may quote the request. */
export function serializeError(error: unknown, depth = 0): LoggedError {
  if (!(error instanceof Error)) return { type: typeof error }
  const stack = framesOf(error)
  return {
    type: error.constructor.name,
    ...identifiersOf(error),
    ...(isStrongroomError(error) ? { context: error.context } : {}),
    ...(stack === '' ? {} : { stack }),
    ...(error.cause === undefined || depth >= MAX_CAUSES
      ? {}
      : { cause: serializeError(error.cause, depth + 1) }),
  }
}

const identifiers = ['code', 'syscall', 'table', 'constraint'] as const

// Plain words only: a value in their place is not passed on.
function identifiersOf(error: Error): Partial<Record<(typeof identifiers)[number], string>> {
  const found = identifiers.flatMap((name) => {
    const value: unknown = Reflect.get(error, name)
    return typeof value === 'string' && /^\w{1,64}$/.test(value) ? [[name, value]] : []
  })
  return Object.fromEntries(found) as ReturnType<typeof identifiersOf>
}

function framesOf({ stack, message }: Error): string {
  const body = stack?.slice(Math.max(stack.indexOf(message), 0) + message.length) ?? ''
  return body
    .split('\n')
    .filter((line) => frame.test(line))
    .join('\n')
}

/** A request by its route. Takes Fastify's request without knowing Fastify. */
export function serializeRequest(request: unknown): LoggedRequest {
  const { method, routeOptions, id } = request as {
    method?: unknown
    routeOptions?: { url?: unknown }
    id?: unknown
  }
  return {
    method: typeof method === 'string' ? method : 'unknown',
    route: typeof routeOptions?.url === 'string' ? routeOptions.url : 'unmatched',
    ...(typeof id === 'string' ? { request_id: id } : {}),
  }
}

function serializeReply(reply: unknown): { status: number | undefined } {
  const { statusCode } = reply as { statusCode?: unknown }
  return { status: typeof statusCode === 'number' ? statusCode : undefined }
}

// Pino, and Fastify's own handler, make an error's message the line's; it may quote the request.
function withOwnMessage(args: unknown[]): unknown[] {
  const [first, message, ...rest] = args
  const facts = first instanceof Error ? { err: first } : first
  if (typeof facts !== 'object' || facts === null || !('err' in facts)) return args
  const repeated = facts.err instanceof Error && facts.err.message === message
  return [facts, message === undefined || repeated ? 'failed' : message, ...rest]
}

const options: LoggerOptions = {
  base: { service: 'strongroom' },
  timestamp: stdTimeFunctions.isoTime,
  formatters: { level: (level) => ({ level }) },
  messageKey: 'msg',
  errorKey: 'err',
  serializers: {
    err: (error: unknown) => serializeError(error),
    error: (error: unknown) => serializeError(error),
    req: serializeRequest,
    res: serializeReply,
  },
  hooks: {
    logMethod(args, method) {
      method.apply(this, withOwnMessage(args) as typeof args)
    },
  },
  // The multipart library traces the headers it is given.
  redact: { paths: [...redactedPaths, 'busboyOptions'], censor: '[redacted]' },
}

/**
 * The logger: JSON lines, or easy to read in a terminal.
 *
 * @param destination where lines go; absent: standard output
 */
export function makeLogger(
  config: Pick<Config, 'logLevel'>,
  destination: DestinationStream = standardOutput(),
): Logger {
  return pino({ ...options, level: config.logLevel }, destination)
}

function standardOutput(): DestinationStream {
  if (!process.stdout.isTTY) return pino.destination({ dest: 1, sync: true })
  return pretty({ sync: true, ignore: 'pid,hostname,service', translateTime: 'SYS:HH:MM:ss.l' })
}
