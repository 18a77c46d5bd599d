import type { FastifyReply, FastifyRequest } from 'fastify'
import { serializeRequest } from '../../log.js'
import type { HttpMeter } from '../../ports/meter.js'
import type { App } from '../app-type.js'

/** Measures each request until its answer has been sent or broken off: the route, never the URL. */
export function registerRequestMetrics(app: App, meter: HttpMeter): void {
  app.server.on('connection', (socket) => {
    meter.connected(socket)
  })
  app.addHook('onRequest', (request, reply, done) => {
    measureWhenOver(request, reply, meter)
    done()
  })
}

export function measureWhenOver(
  request: FastifyRequest,
  { raw }: FastifyReply,
  meter: HttpMeter,
): void {
  const over = meter.began()
  const start = performance.now()
  raw.once('close', () => {
    const { method, route } = serializeRequest(request)
    over({
      ...{ method, route, status: raw.statusCode },
      seconds: (performance.now() - start) / 1_000,
      isBrokenOff: !raw.writableFinished,
    })
  })
}
