import type { FastifyReply, FastifyRequest } from 'fastify'
import { serializeRequest } from '../../log.js'
import type { App } from '../app-type.js'
import { actorOf } from './actor.js'

/** One line for each request when its answer has been sent or broken off: the route, never the URL. */
export function registerRequestLog(app: App): void {
  app.addHook('onRequest', (request, reply, done) => {
    logWhenOver(request, reply)
    done()
  })
}

export function logWhenOver(request: FastifyRequest, reply: FastifyReply): void {
  const start = performance.now()
  const { raw } = reply
  raw.once('close', () => {
    const user = actorOf(request)?.userId
    const { method, route } = serializeRequest(request)
    // The request's logger adds its id.
    request.log.info(
      {
        method,
        route,
        status: raw.statusCode,
        ms: Math.round(performance.now() - start),
        ...(user === undefined ? {} : { user_id: user }),
        ...(raw.writableFinished ? {} : { broken_off: true }),
      },
      'request',
    )
  })
}
