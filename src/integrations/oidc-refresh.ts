import { createHash } from 'node:crypto'
import { type Agent, request } from 'undici'
import { StrongroomError } from '../errors/strongroom-error.js'
import type { RefreshedTokens, SessionRefresh } from '../people/ports.js'
import type { SharedAnswers } from '../ports/shared-ports.js'
import type { WorkLog } from '../ports/work-log.js'
import type { OidcMetadata } from './oidc-metadata.js'

export interface OidcRefreshOptions {
  readonly metadata: Pick<OidcMetadata, 'tokenEndpoint'>
  readonly agent: Agent
  readonly timeoutMs: number
  readonly clientId: string
  /** Absent: a public client. */
  readonly clientSecret: string | undefined
  readonly log: Pick<WorkLog, 'info' | 'error'>
  /** Absent: each node asks by itself. */
  readonly answers: SharedAnswers | undefined
}

/** For so long an answer is shared: a page's requests come together, each with the same cookies. */
const SHARED_MS = 30_000
const maxShared = 10_000
const retryAfter = 5

/** Exchanges refresh tokens at an OpenID provider (RFC 6749 section 6), as a confidential or public client. */
export function oidcRefresh(options: OidcRefreshOptions): SessionRefresh {
  const shared = new Map<string, Promise<Refreshed>>()
  return {
    exchange: async (refreshToken) => {
      // The token itself is not kept.
      const name = createHash('sha256').update(refreshToken).digest('base64')
      const answer = shared.get(name) ?? askOnce(options, name, refreshToken)
      if (!shared.has(name) && shared.size < maxShared) {
        shared.set(name, answer)
        const forget = () => shared.delete(name)
        answer.then(({ ageMs }) => setTimeout(forget, SHARED_MS - ageMs).unref(), forget)
      }
      return (await answer).tokens
    },
  }
}

interface Refreshed {
  readonly tokens: RefreshedTokens | undefined
  /** Milliseconds since another node was told. */
  readonly ageMs: number
}

/** Once among all nodes, where they have something in common. */
async function askOnce(
  options: OidcRefreshOptions,
  name: string,
  refreshToken: string,
): Promise<Refreshed> {
  const { answers, timeoutMs } = options
  if (answers === undefined) return { tokens: await ask(options, refreshToken), ageMs: 0 }
  const asText = async () => JSON.stringify((await ask(options, refreshToken)) ?? null)
  // Where to ask may have to be asked first.
  const { text, ageMs } = await answers.once(name, asText, 2 * timeoutMs)
  return { tokens: (JSON.parse(text) as RefreshedTokens | null) ?? undefined, ageMs }
}

async function ask(options: OidcRefreshOptions, refreshToken: string) {
  const { metadata, agent, timeoutMs, log } = options
  const start = performance.now()
  let status: number | undefined
  try {
    const { statusCode, body } = await request(await metadata.tokenEndpoint(), {
      dispatcher: agent,
      method: 'POST',
      headers: {
        accept: 'application/json',
        'content-type': 'application/x-www-form-urlencoded',
        ...credentials(options),
      },
      body: new URLSearchParams({
        grant_type: 'refresh_token',
        refresh_token: refreshToken,
        ...(options.clientSecret === undefined ? { client_id: options.clientId } : {}),
      }).toString(),
      signal: AbortSignal.timeout(timeoutMs),
    })
    status = statusCode
    const text = await body.text()
    // RFC 6749 section 5.2: what the provider says of the token is a 400; 401 is said of our client.
    if (statusCode === 400) return undefined
    if (statusCode !== 200) throw new Error(`The identity provider answered ${statusCode}`)
    return tokensIn(JSON.parse(text))
  } catch (cause) {
    log.error({ err: cause }, 'the identity provider exchanged no token')
    throw new StrongroomError('identity_unavailable', { cause, retryAfter })
  } finally {
    const ms = Math.round(performance.now() - start)
    log.info({ target: 'identity provider', status, ms }, 'outbound call')
  }
}

/** RFC 6749 section 2.3.1: both parts in form encoding, before base64. */
function credentials({ clientId, clientSecret }: OidcRefreshOptions): Record<string, string> {
  if (clientSecret === undefined) return {}
  const pair = [clientId, clientSecret].map(encodeURIComponent).join(':')
  return { authorization: `Basic ${Buffer.from(pair).toString('base64')}` }
}

function tokensIn(answer: unknown): RefreshedTokens {
  const { access_token, refresh_token, expires_in } = (
    typeof answer === 'object' && answer !== null ? answer : {}
  ) as Readonly<Record<string, unknown>>
  if (typeof access_token !== 'string') throw new Error('The answer has no access token')
  return {
    accessToken: access_token,
    refreshToken: typeof refresh_token === 'string' ? refresh_token : undefined,
    expiresIn: typeof expires_in === 'number' && expires_in > 0 ? expires_in : undefined,
  }
}
