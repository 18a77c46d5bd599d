import { StrongroomError } from '../../errors/strongroom-error.js'
import type { App } from '../app-type.js'

/**
 * Answers only to these names (ALLOWED_HOSTS): a request for another one was sent here by a name that is
 * not ours (DNS rebinding), or its `Host` was made up (RFC 9110 section 7.4). Empty: to any.
 * @throws StrongroomError `wrong_host`
 */
export function registerHosts(app: App, allowed: readonly string[]): void {
  if (allowed.length === 0) return
  app.addHook('onRequest', (request, _reply, done) => {
    const isOurs = request.routeOptions.config.isHealth === true || isAllowed(request.host, allowed)
    done(isOurs ? undefined : new StrongroomError('wrong_host'))
  })
}

/** With the port where the list names one; `.name` is of the name and of all below. */
export function isAllowed(host: string, allowed: readonly string[]): boolean {
  const whole = host.toLowerCase()
  const bare = whole.replace(/:\d+$/, '')
  const name = bare.replace(/\.$/, '')
  return allowed.some((each) => {
    if (each.startsWith('.')) return name === each.slice(1) || name.endsWith(each)
    return each === whole || each === name
  })
}
