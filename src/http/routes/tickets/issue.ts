import type { FastifyRequest } from 'fastify'
import type { AskedWith, TicketBook } from '../../../tickets/ticket-book.js'
import type { App } from '../../app-type.js'
import { isShownInline } from '../../bytes/serve-bytes.js'
import { tokenOf } from '../../plugins/actor.js'
import { issuedTicket, ticketBody } from '../../schemas/ticket-schemas.js'

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
        url: `${request.protocol}://${request.host}/t/${issued.text}`,
        expires_at: issued.opensUntil.toISOString(),
      })
    },
  )
}

function askedWith(request: FastifyRequest): AskedWith {
  const token = tokenOf(request)
  const { sub, jti, epoch, exp } = token?.claims ?? {}
  const isLocal = token?.identity.source === 'local'
  return {
    endsAt: typeof exp === 'number' ? new Date(exp * 1_000) : undefined,
    login:
      isLocal && typeof sub === 'string' && typeof jti === 'string' && typeof epoch === 'number'
        ? { subject: sub, tokenId: jti, epoch }
        : undefined,
  }
}
