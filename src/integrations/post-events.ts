import { type Agent, request } from 'undici'
import type { Destination, Receipt } from '../outbox/ports.js'
import type { TracedCall } from '../ports/tracing.js'
import { untraced } from './untraced.js'

export interface EventPost {
  readonly destination: Destination
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

interface Options {
  readonly agent: Agent
  /** Milliseconds until the answer has come. */
  readonly timeoutMs: number
  readonly traced?: TracedCall | undefined
}

/** Of an answer nothing is read but its status; so much of its body is let through to keep the connection. */
const MOST_ANSWER_BYTES = 65_536

/** Idle connections are closed before a receiver may close them: a request would meet nobody. */
export const KEEP_ALIVE_MS = 1_000

/** What is said of the content rather than of the receiver: another message may well be taken. */
const refusals = new Set([400, 409, 413, 415, 422])

/**
 * Posts JSON to a receiver and says what it made of it: 2xx is taken, a redirect is not followed. Never
 * rejects; nothing where `signal` aborted, since the receiver may have it or not.
 */
export async function postEvents(
  { destination, url, headers, body }: EventPost,
  { agent, timeoutMs, traced = untraced }: Options,
  signal: AbortSignal,
): Promise<Receipt | undefined> {
  const limit = AbortSignal.timeout(timeoutMs)
  const either = AbortSignal.any([signal, limit])
  try {
    return await traced(destination, async (call) => {
      const answer = await request(url, {
        dispatcher: agent,
        method: 'POST',
        headers: {
          ...{ 'content-type': 'application/json', 'user-agent': 'Strongroom' },
          ...{ ...call.headers, ...headers },
        },
        body,
        signal: either,
      })
      call.answered(answer.statusCode)
      // The status has come: a body that does not, or is long, costs the connection and nothing else.
      await answer.body.dump({ limit: MOST_ANSWER_BYTES, signal: either }).catch(() => undefined)
      return judge(answer.statusCode, answer.headers['retry-after'])
    })
  } catch {
    if (signal.aborted) return undefined
    return { kind: 'away', reason: limit.aborted ? 'timeout' : 'unreachable' }
  }
}

function judge(status: number, retryAfter: string | string[] | undefined): Receipt {
  const reason = `status_${status}`
  if (status >= 200 && status < 300) return { kind: 'delivered' }
  if (status === 410) return { kind: 'gone', reason }
  if (refusals.has(status)) return { kind: 'refused', reason }
  const isAsked = status === 429 || status === 503
  return { kind: 'away', reason, ...(isAsked ? { retryAfterMs: msOf(retryAfter) } : {}) }
}

/** RFC 9110 section 10.2.3: seconds, or a date. */
function msOf(retryAfter: string | string[] | undefined): number | undefined {
  if (typeof retryAfter !== 'string') return undefined
  if (/^\d{1,9}$/.test(retryAfter)) return Number(retryAfter) * 1_000
  const date = Date.parse(retryAfter)
  return Number.isNaN(date) ? undefined : Math.max(date - Date.now(), 0)
}
