import type { FastifyBaseLogger } from 'fastify'
import type { Services } from './compose.js'
import type { Config, JwtSecret } from './config.js'
import type { App } from './http/app-type.js'
import { createFrame } from './http/frame.js'
import { registerAuthentication } from './http/plugins/authenticate.js'
import { registerCors } from './http/plugins/cors.js'
import { registerMethodNotAllowed } from './http/plugins/method-not-allowed.js'
import { registerOpenapi } from './http/plugins/openapi.js'
import { registerAuditRoutes } from './http/routes/audit/index.js'
import { registerEmergencyRoutes } from './http/routes/emergency/index.js'
import { registerFileRoutes } from './http/routes/files/index.js'
import { registerHealthRoutes } from './http/routes/health/index.js'
import { homeRoute } from './http/routes/home.js'
import { registerRecordRoutes } from './http/routes/records/index.js'

export interface AppOptions {
  readonly config: Config
  /** At least one. */
  readonly jwtSecrets: readonly JwtSecret[]
  readonly log: FastifyBaseLogger
  readonly services: Services
}

/** The HTTP service, ready to listen: plugins and route scopes in the order in which they apply. */
export async function buildApp({ config, jwtSecrets, log, services }: AppOptions): Promise<App> {
  const { trustProxy, legacyStatus, corsAllowedOrigins, metricsToken } = config.http
  const bodyTimeLimitMs = config.uploads.idleSeconds * 1_000
  const app = createFrame({ log, trustProxy, legacyStatus, bodyTimeLimitMs })
  registerCors(app, corsAllowedOrigins)
  const refuseOtherMethods = registerMethodNotAllowed(app)
  registerOpenapi(app)
  const authenticate = registerAuthentication(app, {
    ...config.jwt,
    secrets: jwtSecrets,
    roleMap: config.roleMap,
    audit: services.audit,
  })

  app.register((open, _options, done) => {
    homeRoute(open)
    registerHealthRoutes(open, { ready: services.ready, metricsToken })
    done()
  })
  app.register((authenticated, _options, done) => {
    authenticated.addHook('onRequest', authenticate)
    registerFileRoutes(authenticated, services)
    registerRecordRoutes(authenticated, services)
    registerEmergencyRoutes(authenticated, services)
    registerAuditRoutes(authenticated, services)
    done()
  })
  refuseOtherMethods()
  await app.ready()
  return app
}
