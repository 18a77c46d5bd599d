import type { Socket } from 'node:net'
import { StrongroomError } from '../../errors/strongroom-error.js'
import type { App } from '../app-type.js'

/**
 * Once the service is being closed, refuses what still comes over open connections, and lets go of a
 * connection when the answer under way on it is complete, at once where nothing was ever sent on it.
 * Closing is over when the handlers are: also those whose connection was broken off, which tidy up.
 */
export function registerClosing(app: App): void {
  let closing = false
  waitForHandlers(app)
  const letGoOfUnused = watchUnused(app)
  app.addHook('preClose', (done) => {
    closing = true
    letGoOfUnused()
    done()
  })
  app.addHook('onRequest', (_request, reply, done) => {
    if (!closing) {
      done()
      return
    }
    reply.header('connection', 'close')
    done(new StrongroomError('shutting_down', { retryAfter: 5 }))
  })
  app.addHook('onResponse', (_request, _reply, done) => {
    if (closing)
      setImmediate(() => {
        app.server.closeIdleConnections()
      })
    done()
  })
}

/** Must be called before any route is registered. `onClose` runs when all connections are gone. */
function waitForHandlers(app: App): void {
  const running = new Set<Promise<unknown>>()
  app.addHook('onRoute', (route) => {
    const { handler } = route
    route.handler = function (request, reply) {
      const result: unknown = handler.call(this, request, reply)
      if (result instanceof Promise) {
        running.add(result)
        const forget = () => running.delete(result)
        result.then(forget, forget)
      }
      return result
    }
  })
  app.addHook('onClose', async () => {
    // One that was still before its handler may have begun meanwhile.
    while (running.size > 0) await Promise.allSettled(running)
  })
}

/**
 * Browsers open connections ahead of need. Node counts one on which nothing was sent yet as awaiting
 * its first request, not as idle, and would wait for it until its time for headers is over.
 * Called once, the function given lets go of those there are and of any that still come.
 */
function watchUnused(app: App): () => void {
  const connections = new Set<Socket>()
  let closing = false
  app.server.on('connection', (socket: Socket) => {
    if (closing) {
      socket.destroy()
      return
    }
    connections.add(socket)
    socket.once('close', () => connections.delete(socket))
  })
  return () => {
    closing = true
    for (const socket of connections) if (socket.bytesRead === 0) socket.destroy()
  }
}
