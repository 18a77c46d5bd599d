import type { Fetch } from './connect.js'
import { type Documents, documentsOf } from './documents.js'
import { type Files, filesOf } from './files.js'
import { type Records, recordsOf } from './records.js'
import type { RetryOptions } from './retry.js'
import type { Service } from './service.js'
import type { Sha256 } from './sha256.js'
import { type Tickets, ticketsOf } from './tickets.js'
import type { Transmit } from './transmit.js'

export interface ClientOptions {
  /** `https://files.example.org`; a path before the service's own is kept. */
  readonly origin: string
  /** A JWT, or who gives one: asked for each request, so that it may be a fresh one. */
  readonly token: string | (() => string | Promise<string>)
  /** In place of the runtime's own; in browsers uploads go by XMLHttpRequest in any case. */
  readonly fetch?: Fetch | undefined
  readonly retry?: RetryOptions | undefined
  /** The person a service acts for, where the token is a service's. */
  readonly onBehalfOf?: string | undefined
}

export interface Client {
  readonly files: Files
  readonly records: Records
  readonly documents: Documents
  readonly tickets: Tickets
}

/** What differs between Node and browsers. */
export interface Platform {
  readonly makeSha256: () => Sha256
  readonly transmit: (use: { fetch: Fetch; makeSha256: () => Sha256 }) => Transmit
}

/** @throws TypeError for an origin that is no URL of http or https */
export function clientOn(platform: Platform, options: ClientOptions): Client {
  const { token, retry = {}, onBehalfOf } = options
  const { makeSha256 } = platform
  // Called as a method of anything else, browsers refuse it.
  const fetch: Fetch = options.fetch ?? ((input, init) => globalThis.fetch(input, init))
  const service: Service = {
    origin: baseOf(options.origin),
    ...{ fetch, retry, makeSha256 },
    transmit: platform.transmit({ fetch, makeSha256 }),
    credentials: async () => ({
      authorization: `Bearer ${typeof token === 'string' ? token : await token()}`,
      ...(onBehalfOf === undefined ? {} : { 'x-on-behalf-of': onBehalfOf }),
    }),
  }
  return {
    files: filesOf(service),
    records: recordsOf(service),
    documents: documentsOf(service),
    tickets: ticketsOf(service),
  }
}

function baseOf(origin: string): string {
  const { protocol, host, pathname, username, password } = new URL(origin)
  if (!/^https?:$/.test(protocol) || username !== '' || password !== '') {
    throw new TypeError('origin is http or https, without credentials')
  }
  return `${protocol}//${host}${pathname.replace(/\/+$/, '')}`
}
