import { StrongroomError } from '../../errors/strongroom-error.js'
import type { App } from '../app-type.js'

/**
 * Refuses what reached the proxy in front without TLS, as that one says (`X-Forwarded-Proto`): a token sent
 * in the clear is known to others, and being sent on to https would hide it.
 * @throws StrongroomError `https_required`
 */
export function registerHttpsOnly(app: App): void {
  app.addHook('onRequest', (request, _reply, done) => {
    const isFine = request.protocol === 'https' || request.routeOptions.config.isHealth === true
    done(isFine ? undefined : new StrongroomError('https_required'))
  })
}
