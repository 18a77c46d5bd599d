import { StrongroomError } from './errors.js'

/** What we keep of an answer that is no problem document. */
const MOST_CHARACTERS = 65_536

/** The error an answer stands for. Reads its body. */
export async function problemOf(response: Response): Promise<StrongroomError> {
  const document = documentIn(await textOf(response))
  const { title, code, detail, request_id: requestId } = document
  return new StrongroomError({
    status: response.status,
    code: typeof code === 'string' ? code : 'unexpected_answer',
    title: typeof title === 'string' ? title : 'The answer is not one of the service',
    detail: typeof detail === 'string' ? detail : undefined,
    requestId:
      typeof requestId === 'string'
        ? requestId
        : (response.headers.get('x-request-id') ?? undefined),
    retryAfter: secondsOf(response.headers.get('retry-after')),
    extra: typeof code === 'string' ? furtherMembers(document) : {},
  })
}

const standardMembers = new Set(['type', 'title', 'status', 'code', 'detail', 'request_id'])

function furtherMembers(document: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(document).filter(([name]) => !standardMembers.has(name)))
}

/** Of an answer that succeeded, but is not what the call is answered with. */
export function unexpectedAnswer(response: Pick<Response, 'status' | 'headers'>): StrongroomError {
  return new StrongroomError({
    status: response.status,
    code: 'unexpected_answer',
    title: 'The answer is not one of the service',
    requestId: response.headers.get('x-request-id') ?? undefined,
  })
}

async function textOf(response: Response): Promise<string> {
  try {
    return (await response.text()).slice(0, MOST_CHARACTERS)
  } catch {
    // The status says enough where its document broke off.
    return ''
  }
}

function documentIn(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? { ...value } : {}
  } catch {
    return {}
  }
}

/** `Retry-After` in seconds or as a date (RFC 9110, 10.2.3). */
export function secondsOf(header: string | null, now = Date.now()): number | undefined {
  if (header === null) return undefined
  if (/^\d{1,9}$/.test(header)) return Number(header)
  const time = Date.parse(header)
  return Number.isNaN(time) ? undefined : Math.max(0, Math.ceil((time - now) / 1000))
}
