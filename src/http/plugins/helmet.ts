import helmet from '@fastify/helmet'
import type { FastifyReply } from 'fastify'
import fp from 'fastify-plugin'
import type { App } from '../app-type.js'

const YEAR_SECONDS = 31_536_000

/**
 * Headers that tell browsers to be careful; policies of content and framing are each route's own. They are the
 * same for every answer, and Helmet would think about them anew for each: so it is asked with the first.
 */
export function registerHelmet(app: App, { hsts }: { readonly hsts: boolean }): void {
  app.register(helmet, {
    global: false,
    contentSecurityPolicy: false,
    // Of documents in a portal's page `frame-ancestors` decides, which knows several origins.
    xFrameOptions: false,
    referrerPolicy: { policy: 'no-referrer' },
    // Subdomains are other people's.
    strictTransportSecurity: hsts ? { maxAge: YEAR_SECONDS, includeSubDomains: false } : false,
  })
  app.register(
    fp((scope: App, _options, done) => {
      let known: Readonly<Record<string, string>> | undefined
      scope.addHook('onRequest', (_request, reply, next) => {
        known ??= askOnce(reply)
        reply.headers(known)
        next()
      })
      done()
    }),
  )
}

/** What Helmet sets, it sets past the framework. */
function askOnce(reply: FastifyReply): Readonly<Record<string, string>> {
  void reply.helmet()
  return Object.fromEntries(
    Object.entries(reply.raw.getHeaders()).flatMap(([name, value]) =>
      typeof value === 'string' ? [[name, value]] : [],
    ),
  )
}
