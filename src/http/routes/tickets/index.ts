import type { ReceiveUpload } from '../../../documents/receive-upload.js'
import type { TicketBook } from '../../../tickets/ticket-book.js'
import type { App } from '../../app-type.js'
import type { BodyLimits } from '../../multipart/upload-request.js'
import type { Refusals } from '../../plugins/refusals.js'
import { endTicketRoute } from './end.js'
import { issueTicketRoute } from './issue.js'
import { type OpenTicketUse, openTicketRoute } from './open.js'
import { postByTicketRoute } from './post-form.js'
import { putByTicketRoute } from './put.js'

/** What the calls on tickets need. */
export interface TicketRouteServices {
  readonly config: {
    readonly http: { readonly frameAncestors: readonly string[] }
    readonly uploads: BodyLimits
  }
  readonly tickets: {
    readonly book: TicketBook
    readonly open: OpenTicketUse['openByTicket']
  }
  readonly documents: { readonly receive: ReceiveUpload }
  readonly buckets: { readonly receive: ReceiveUpload }
}

/** Asking for a ticket, and ending it. */
export function registerTicketRoutes(app: App, { tickets }: TicketRouteServices): void {
  issueTicketRoute(app, { tickets: tickets.book })
  endTicketRoute(app, { tickets: tickets.book })
}

/** Using one, which takes no token. */
export function registerTicketUse(
  app: App,
  {
    config,
    tickets,
    documents,
    buckets,
    refusals,
  }: TicketRouteServices & { readonly refusals: Refusals },
): void {
  openTicketRoute(app, {
    ...{ tickets: tickets.book, openByTicket: tickets.open, refusals },
    frameAncestors: config.http.frameAncestors,
  })
  const uploading = {
    ...{ tickets: tickets.book, refusals, bodyLimits: config.uploads },
    receive: (...[actor, ticket, incoming]: Parameters<ReceiveUpload>) =>
      (ticket.kind === 'object' ? buckets : documents).receive(actor, ticket, incoming),
  }
  postByTicketRoute(app, uploading)
  app.register((raw, _options, done) => {
    // What comes is nobody's to parse: bytes of whatever type was asked for.
    raw.removeAllContentTypeParsers()
    raw.addContentTypeParser('*', (_request, _payload, parsed) => {
      parsed(null)
    })
    putByTicketRoute(raw, uploading)
    done()
  })
}
