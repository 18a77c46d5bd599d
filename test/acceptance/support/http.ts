import type { Readable } from 'node:stream'
import { Agent, type Dispatcher } from 'undici'

/** Members an answer of the service may have, as the contract names them. */
export interface Body {
  readonly status?: number | string
  readonly type?: string
  readonly title?: string
  readonly detail?: string
  readonly code?: string
  readonly request_id?: string
  readonly file_id?: string
  readonly record_id?: string
  readonly patient_id?: string
  readonly medical_record_type_id?: string
  readonly filename?: string
  readonly content_type?: string
  readonly size?: number
  readonly sha256?: string
  readonly label?: string | null
  readonly notes?: string | null
  readonly created_at?: string
  readonly deleted_at?: string | null
  readonly purge_after?: string | null
  readonly version?: number
  readonly exists?: boolean
  readonly next_cursor?: string | null
  readonly id?: string
  readonly name?: string
  readonly user_id?: string
  readonly basis?: string
  readonly can_download?: boolean
  readonly can_share?: boolean
  readonly expires_at?: string | null
  readonly purpose?: string | null
  readonly clinician_id?: string
  readonly action?: string
  readonly outcome?: string
  readonly reason?: string | null
  readonly sensitive?: boolean
  readonly files?: readonly Body[]
  readonly records?: readonly Body[]
  readonly grants?: readonly Body[]
  readonly results?: readonly Body[]
  readonly versions?: readonly Body[]
  readonly types?: readonly Body[]
  readonly assignments?: readonly Body[]
  readonly events?: readonly Body[]
  readonly entries?: readonly Body[]
}

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly bytes: Buffer
  readonly text: string
  /** The body read as JSON; an empty object where it is none. */
  readonly body: Body
}

export interface Call {
  readonly method?: string
  readonly token?: string | undefined
  readonly headers?: Readonly<Record<string, string>>
  readonly json?: unknown
  readonly body?: Buffer | string | Readable
}

/** Where a service is several processes: each request on a connection of its own, so that each goes to the next. */
const reset = process.env['TEST_NODES'] === '2'

const agents = new Map<string, Agent>()

function agentOf(origin: string): Agent {
  const known = agents.get(origin)
  if (known !== undefined) return known
  const agent = new Agent({
    connections: 64,
    headersTimeout: 30_000,
    bodyTimeout: 30_000,
    // Well before the service lets go of an idle connection: none is used as it closes.
    keepAliveTimeout: 1000,
    keepAliveMaxTimeout: 1000,
  })
  agents.set(origin, agent)
  return agent
}

/** Lets go of the connections to a server that is gone, so that a test process can end. */
export async function closeConnections(origin: string): Promise<void> {
  await agents.get(origin)?.destroy()
  agents.delete(origin)
}

function parse(text: string): Body {
  if (!text.startsWith('{')) return {}
  return JSON.parse(text) as Body
}

export function flatten(
  headers: Readonly<Record<string, string | string[] | undefined>>,
): Record<string, string | undefined> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [
      name.toLowerCase(),
      Array.isArray(value) ? value.join(', ') : value,
    ]),
  )
}

export function answerOf(
  status: number,
  headers: Readonly<Record<string, string | string[] | undefined>>,
  bytes: Buffer,
): Answer {
  const text = bytes.toString('utf8')
  const flat = flatten(headers)
  const isJson = /[/+]json\b/.test(flat['content-type'] ?? '')
  return { status, headers: flat, bytes, text, body: isJson ? parse(text) : {} }
}

function headersOf({ token, headers, json }: Call): Record<string, string> {
  return {
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    ...(json === undefined ? {} : { 'content-type': 'application/json' }),
    ...headers,
  }
}

function send(origin: string, path: string, options: Call): Promise<Dispatcher.ResponseData> {
  const { method = 'GET', json, body } = options
  return agentOf(origin).request({
    origin,
    path,
    method: method,
    reset,
    headers: headersOf(options),
    body: json === undefined ? (body ?? null) : JSON.stringify(json),
  })
}

/** One request, its answer read whole. `path` goes onto the wire as it is, dots and all. */
export async function call(origin: string, path: string, options: Call = {}): Promise<Answer> {
  const response = await send(origin, path, options)
  const bytes = Buffer.from(await response.body.arrayBuffer())
  return answerOf(response.statusCode, response.headers, bytes)
}

/** The one list in an answer. */
export function listOf({ body, text }: Answer): readonly Body[] {
  const lists = Object.values(body as Readonly<Record<string, unknown>>).filter(Array.isArray)
  const [list] = lists
  if (list === undefined || lists.length > 1) throw new Error(`No list in ${text.slice(0, 300)}`)
  return list as Body[]
}
