import { type Client, type ClientOptions, clientOn } from './client.js'
import { nodeSha256 } from './node-sha256.js'
import { transmitByFetch } from './transmit-by-fetch.js'

export * from './public.js'

/** A client of the service, in Node. @throws TypeError for an origin that is no URL of http or https */
export function createClient(options: ClientOptions): Client {
  return clientOn({ makeSha256: nodeSha256, transmit: transmitByFetch }, options)
}
