import type { TicketBook } from '../../../tickets/ticket-book.js'
import type { App } from '../../app-type.js'
import { isShownInline } from '../../bytes/serve-bytes.js'
import { issuedTicket, ticketBody } from '../../schemas/ticket-schemas.js'
import { askedWith, ticketUrl } from './asked-with.js'

interface Use {
  readonly tickets: Pick<TicketBook, 'issue'>
}

/** POST /api/tickets */
export function issueTicketRoute(app: App, { tickets }: Use): void {
  app.post(
    '/api/tickets',
    {
      // As the one of two that may do more: what a ticket is for stands in the body.
      config: { forPerson: 'download' },
      schema: {
        summary: 'A URL that shows or hands out one file without a token, for a while',
        description:
          'It serves whoever opens it first, by the rights you have at that moment, and ends with the token it was asked for with.',
        body: ticketBody,
        response: { 201: issuedTicket },
      },
    },
    async (request, reply) => {
      const { file_id: fileId, action, expiry_seconds: seconds } = request.body
      const wish = { fileId, action, seconds, isShown: isShownInline }
      const issued = await tickets.issue(request.actor, wish, askedWith(request))
      reply.header('cache-control', 'no-store')
      return await reply.code(201).send({
        ticket_id: issued.ticketId,
        url: ticketUrl(request, issued),
        expires_at: issued.opensUntil.toISOString(),
      })
    },
  )
}
