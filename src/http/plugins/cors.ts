import cors from '@fastify/cors'
import type { App } from '../app-type.js'

const exposedHeaders = [
  'Accept-Ranges',
  'Content-Range',
  'Content-Length',
  'Content-Disposition',
  'ETag',
  'Repr-Digest',
  'X-Request-Id',
  'Retry-After',
]

/**
 * Lets pages of these origins read answers; none: no page may. Tokens travel in a header the page
 * itself sets, so credentials of the browser's are not asked for.
 */
export function registerCors(app: App, origins: '*' | readonly string[]): void {
  if (origins.length === 0) return
  app.register(cors, {
    origin: origins === '*' ? '*' : [...origins],
    methods: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'],
    exposedHeaders,
    maxAge: 600,
    strictPreflight: false,
  })
}
