import type { TicketBook } from '../../../tickets/ticket-book.js'
import type { App } from '../../app-type.js'
import type { Refusals } from '../../plugins/refusals.js'
import { endTicketRoute } from './end.js'
import { issueTicketRoute } from './issue.js'
import { type OpenTicketUse, openTicketRoute } from './open.js'

/** What the calls on tickets need. */
export interface TicketRouteServices {
  readonly config: { readonly http: { readonly frameAncestors: readonly string[] } }
  readonly tickets: {
    readonly book: TicketBook
    readonly open: OpenTicketUse['openByTicket']
  }
}

/** Asking for a ticket, and ending it. */
export function registerTicketRoutes(app: App, { tickets }: TicketRouteServices): void {
  issueTicketRoute(app, { tickets: tickets.book })
  endTicketRoute(app, { tickets: tickets.book })
}

/** Opening one, which takes no token. */
export function registerOpenTicket(
  app: App,
  { config, tickets, refusals }: TicketRouteServices & { readonly refusals: Refusals },
): void {
  openTicketRoute(app, {
    ...{ tickets: tickets.book, openByTicket: tickets.open, refusals },
    frameAncestors: config.http.frameAncestors,
  })
}
