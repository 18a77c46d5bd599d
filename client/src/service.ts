import { connect, type Fetch, textOf } from './connect.js'
import type { Operations } from './openapi.js'
import { problemOf, unexpectedAnswer } from './problem.js'
import { type Repeatable, type RetryOptions, retrying } from './retry.js'
import type { Sha256 } from './sha256.js'
import type { Transmit } from './transmit.js'

export type Operation = keyof Operations

/** Of a call: what the document says it takes, as `path`, `query` and `body`. */
export type Input<O extends Operation> = Pick<
  Operations[O],
  Extract<keyof Operations[O], 'path' | 'query' | 'body'>
>

export type Answer<O extends Operation> = Operations[O]['answer']

export interface CallOptions {
  /** Ends the call; it then throws the signal's reason. */
  readonly signal?: AbortSignal | undefined
}

/** Where the service is, and how it is reached: what every call needs. */
export interface Service {
  readonly origin: string
  readonly fetch: Fetch
  readonly transmit: Transmit
  readonly makeSha256: () => Sha256
  readonly retry: RetryOptions
  /** Headers that say who calls, asked for anew for each attempt. */
  credentials(): Promise<Record<string, string>>
}

interface CallRules extends CallOptions {
  /** If not given: `always` for GET, else `refused`. */
  readonly repeatable?: Repeatable | undefined
}

interface AnyInput {
  readonly path?: Readonly<Record<string, string>>
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>
  readonly body?: unknown
}

/**
 * Makes a call that takes and answers JSON.
 * @throws StrongroomError, ConnectionError, and the signal's reason
 */
export async function call<O extends Operation>(
  service: Service,
  operation: O,
  input: Input<O>,
  { signal, repeatable }: CallRules = {},
): Promise<Answer<O>> {
  const { path, query, body }: AnyInput = input
  const [method = '', pattern = ''] = operation.split(' ')
  const url = service.origin + pathOf(pattern, path) + queryOf(query)
  const work = async () => {
    const response = await connect(service.fetch, url, {
      method,
      headers: {
        ...(await service.credentials()),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      body: body === undefined ? null : JSON.stringify(body),
      redirect: 'error',
      signal: signal ?? null,
    })
    if (!response.ok) throw await problemOf(response)
    return (await jsonOf(response, signal)) as Answer<O>
  }
  const rule = repeatable ?? (method === 'GET' ? 'always' : 'refused')
  return await retrying(work, { retry: service.retry, signal, repeatable: () => rule })
}

/** The JSON in an answer; undefined where it has no body. Throws `unexpected_answer` for anything else. */
export async function jsonOf(
  response: Response,
  signal: AbortSignal | undefined,
): Promise<unknown> {
  const text = await textOf(response, signal)
  if (text === '') return undefined
  try {
    return JSON.parse(text)
  } catch {
    throw unexpectedAnswer(response)
  }
}

/**
 * A path with its ids in place.
 * @throws TypeError for an id that would be another path: `.` and `..`, however encoded, are steps to a URL parser
 */
export function pathOf(pattern: string, ids: Readonly<Record<string, string>> = {}): string {
  return pattern.replaceAll(/\{(\w+)\}/g, (_, name: string) => {
    const id = ids[name] ?? ''
    if (id === '' || id === '.' || id === '..') throw new TypeError(`${name} is not an id`)
    return encodeURIComponent(id)
  })
}

export function queryOf(query: AnyInput['query'] = {}): string {
  const given = Object.entries(query).flatMap(([name, value]): [string, string][] =>
    value === undefined ? [] : [[name, String(value)]],
  )
  return given.length === 0 ? '' : `?${new URLSearchParams(given).toString()}`
}
