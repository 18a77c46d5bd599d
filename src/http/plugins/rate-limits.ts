import rateLimit from '@fastify/rate-limit'
import type { FastifyReply, FastifyRequest, onRequestAsyncHookHandler } from 'fastify'
import { StrongroomError } from '../../errors/strongroom-error.js'
import { networkOf } from '../../people/network.js'
import type { SharedCounts } from '../../ports/shared-ports.js'
import type { App } from '../app-type.js'
import { clientAddress, isLocal } from '../client-address.js'
import { rateCounts } from './rate-counts.js'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Asked by machines that keep the service alive: no rule of hosts, HTTPS or rates is for them. */
    readonly isHealth?: boolean
  }
}

const WINDOW_MS = 60_000
/** Callers told apart at a time by a node: of more, those that were not seen for longest are forgotten. */
const MOST_CALLERS = 20_000

export interface RateLimits {
  /** Requests in a minute; 0: no limit. */
  readonly perAddress: number
  readonly perPerson: number
  /** Where all nodes count together; absent: each by itself. */
  readonly counts: SharedCounts | undefined
}

/**
 * Limits how many requests come from one address in a minute, and prepares the hook that does so for a
 * person, on all nodes that have their counts in common. Said in `RateLimit-*` (draft-ietf-httpapi-ratelimit-headers) and, where passed, 429
 * with `Retry-After`. A program on this machine has the limit of its person alone.
 * @throws StrongroomError `too_many_requests`
 */
export function registerRateLimits(app: App, limits: RateLimits): onRequestAsyncHookHandler {
  const store = rateCounts({ most: MOST_CALLERS, shared: limits.counts })
  app.register(rateLimit, { global: false, store, timeWindow: WINDOW_MS })
  const addressOf = (request: FastifyRequest) => `address\n${networkOf(clientAddress(request))}`
  const perAddress = limiter(app, limits.perAddress, addressOf)
  app.addHook('onRequest', (request, reply, done) => {
    if (request.routeOptions.config.isHealth === true || isLocal(request)) done()
    else
      perAddress(request, reply).then(() => {
        done()
      }, done)
  })
  // Whom a service acts for, too: of many people it serves, one is not the others' limit.
  return limiter(app, limits.perPerson, personOf)
}

const personOf = ({ actor }: FastifyRequest) => `person\n${actor.service ?? ''}\n${actor.userId}`

function limiter(app: App, max: number, keyOf: (request: FastifyRequest) => string) {
  // Made with the first request: until then the plugin is being loaded.
  let check: ReturnType<App['createRateLimit']> | undefined
  return async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
    if (max === 0) return
    check ??= app.createRateLimit({ max, keyGenerator: keyOf })
    const state = await check(request)
    if (state.isAllowed) return
    const { remaining, ttlInSeconds, isExceeded } = state
    reply.headers({
      'ratelimit-limit': max,
      'ratelimit-remaining': remaining,
      'ratelimit-reset': ttlInSeconds,
    })
    if (isExceeded) throw new StrongroomError('too_many_requests', { retryAfter: ttlInSeconds })
  }
}
