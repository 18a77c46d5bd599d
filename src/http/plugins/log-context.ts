import { asRequest } from '../../log-context.js'
import type { App } from '../app-type.js'

/** Whatever a request sets off is logged with its id. Must be the first hook. */
export function registerLogContext(app: App): void {
  app.addHook('onRequest', (request, _reply, done) => {
    asRequest(request.id, done)
  })
}
