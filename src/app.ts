import type { FastifyBaseLogger } from 'fastify'
import type { Services } from './compose.js'
import type { Config } from './config.js'
import type { App } from './http/app-type.js'
import { createFrame } from './http/frame.js'
import { registerAuthentication } from './http/plugins/authenticate.js'
import { registerCors } from './http/plugins/cors.js'
import { registerHelmet } from './http/plugins/helmet.js'
import { registerHosts } from './http/plugins/hosts.js'
import { registerHttpsOnly } from './http/plugins/https-only.js'
import { registerMethodNotAllowed } from './http/plugins/method-not-allowed.js'
import { registerOpenapi } from './http/plugins/openapi.js'
import { registerRateLimits } from './http/plugins/rate-limits.js'
import { registerRefusals } from './http/plugins/refusals.js'
import { demandSecondFactor } from './http/plugins/second-factor.js'
import { registerAuditRoutes } from './http/routes/audit/index.js'
import { registerBucketRoutes } from './http/routes/buckets/index.js'
import { registerDocumentRoutes } from './http/routes/documents/index.js'
import { registerEmergencyRoutes } from './http/routes/emergency/index.js'
import { registerFileRoutes } from './http/routes/files/index.js'
import { registerHealthRoutes } from './http/routes/health/index.js'
import { homeRoute } from './http/routes/home.js'
import { registerLoginRoutes, registerPeopleRoutes } from './http/routes/people/index.js'
import { registerRecordRoutes } from './http/routes/records/index.js'
import { registerTicketRoutes, registerTicketUse } from './http/routes/tickets/index.js'

export interface AppOptions {
  readonly config: Config
  readonly log: FastifyBaseLogger
  readonly services: Services
}

/** The HTTP service, ready to listen: plugins and route scopes in the order in which they apply. */
export async function buildApp({ config, log, services }: AppOptions): Promise<App> {
  const { trustProxy, legacyStatus, corsAllowedOrigins, metricsToken } = config.http
  const { allowedHosts, requiresHttps, rateLimits } = config.http
  const bodyTimeLimitMs = config.uploads.idleSeconds * 1_000
  const app = createFrame({
    ...{ log, trustProxy, legacyStatus, bodyTimeLimitMs },
    meter: services.measured?.http,
    tracer: services.measured?.tracer,
  })
  registerHelmet(app, { hsts: requiresHttps })
  registerHosts(app, allowedHosts)
  if (requiresHttps) registerHttpsOnly(app)
  const limitPerson = registerRateLimits(app, { ...rateLimits, counts: services.shared.counts })
  registerCors(app, corsAllowedOrigins)
  const refuseOtherMethods = registerMethodNotAllowed(app)
  registerOpenapi(app)
  const refusals = registerRefusals(app, services.audit)
  const authenticate = registerAuthentication(app, {
    ...services.callers,
    clockToleranceSeconds: config.jwt.clockToleranceSeconds,
    serviceClients: config.jwt.serviceClients,
    cookieAuth: config.http.cookieAuth,
    refusals,
  })

  app.register((open, _options, done) => {
    homeRoute(open)
    registerLoginRoutes(open, services)
    registerTicketUse(open, { ...services, refusals })
    registerHealthRoutes(open, {
      ...{ ready: services.ready, beside: services.shared.isThere, metricsToken },
      ...(services.measured === undefined ? {} : { scrape: services.measured.scrape }),
    })
    done()
  })
  app.register((authenticated, _options, done) => {
    authenticated.addHook('onRequest', authenticate)
    authenticated.addHook('onRequest', limitPerson)
    authenticated.addHook('onRequest', demandSecondFactor(config.secondFactorFor, services.audit))
    registerFileRoutes(authenticated, services)
    registerRecordRoutes(authenticated, services)
    registerTicketRoutes(authenticated, services)
    registerDocumentRoutes(authenticated, services)
    registerBucketRoutes(authenticated, services)
    registerEmergencyRoutes(authenticated, services)
    registerAuditRoutes(authenticated, services)
    registerPeopleRoutes(authenticated, services)
    done()
  })
  refuseOtherMethods()
  await app.ready()
  return app
}
