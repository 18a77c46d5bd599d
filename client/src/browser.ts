import { type Client, type ClientOptions, clientOn } from './client.js'
import { portableSha256 } from './sha256.js'
import { transmitByXhr } from './transmit-by-xhr.js'

export * from './public.js'

/** A client of the service, in a page. @throws TypeError for an origin that is no URL of http or https */
export function createClient(options: ClientOptions): Client {
  return clientOn({ makeSha256: portableSha256, transmit: transmitByXhr }, options)
}
