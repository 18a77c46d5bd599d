import { StrongroomError } from '../../errors/strongroom-error.js'
import type { App } from '../app-type.js'

/**
 * Once the service is being closed, refuses what still comes over open connections, and lets go of a
 * connection when the answer under way on it is complete.
 */
export function registerClosing(app: App): void {
  let closing = false
  app.addHook('preClose', (done) => {
    closing = true
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
