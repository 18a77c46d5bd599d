import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Actor } from '../../../audit/audit-events.js'
import { StrongroomError } from '../../../errors/strongroom-error.js'
import type { Reading } from '../../../files/read-file.js'
import { asUser } from '../../../log-context.js'
import type { ReadingTicket, TicketRow } from '../../../tickets/ports.js'
import type { TicketBook } from '../../../tickets/ticket-book.js'
import type { App } from '../../app-type.js'
import { isShownInline, serveBytes } from '../../bytes/serve-bytes.js'
import { callerOf } from '../../plugins/actor.js'
import type { Refusals } from '../../plugins/refusals.js'
import { openTicketParams } from '../../schemas/ticket-schemas.js'
import { endedPage } from './ended-page.js'

export interface OpenTicketUse {
  readonly tickets: Pick<TicketBook, 'idIn' | 'use'>
  readonly openByTicket: (
    actor: Actor,
    ticket: ReadingTicket,
    options: {
      readonly head: boolean
      readonly isShown: (contentType: string) => boolean
    },
  ) => Promise<Reading>
  readonly refusals: Refusals
  readonly frameAncestors: readonly string[]
}

/** GET and HEAD /t/:ticket, for whoever has the URL. */
export function openTicketRoute(app: App, use: OpenTicketUse): void {
  const { tickets, frameAncestors } = use
  app.route({
    method: ['GET', 'HEAD'],
    url: '/t/:ticket',
    config: { refusalPage: endedPage(frameAncestors) },
    schema: {
      summary: 'The bytes of a file, by ticket',
      description:
        'Without a token. `Range`, `If-Range`, `If-None-Match`, `If-Match` and their dates are honoured. 410: the ticket has ended, or is another client’s; a page for browsers, else a problem document.',
      params: openTicketParams,
      security: [],
      produces: ['application/octet-stream'],
    },
    handler: async (request, reply) => {
      reply.header('referrer-policy', 'no-referrer').header('cache-control', 'private, no-store')
      const caller = callerOf(request)
      const ticketId = tickets.idIn(request.params.ticket)
      if (ticketId === undefined) {
        await use.refusals.note(caller, 'unauthenticated')
        throw new StrongroomError('not_found')
      }
      const head = request.method === 'HEAD'
      const cookie = cookieIn(request)
      const used = await tickets.use(ticketId, { caller, cookie, opens: !head })
      if (!used.serves) {
        const facts = {
          action: 'ticket.refused',
          subjectId: ticketId,
          fileId: used.fileId,
        } as const
        await use.refusals.note(caller, 'ticket_over', facts)
        throw new StrongroomError('ticket_over')
      }
      const { ticket } = used
      if (used.cookie !== undefined) bind(reply, used.cookie, request.params.ticket)
      const actor = actorOf(ticket, caller)
      asUser(actor.userId)
      const reading = await use.openByTicket(actor, ticket, { head, isShown: isShownInline })
      return await serveBytes(request, reply, reading, {
        ...{ view: ticket.action === 'view', frameAncestors },
      })
    },
  })
}

/** Who acts by a ticket: its person, from where the request comes. */
export function actorOf({ userId, service, roles }: TicketRow, caller: Actor): Actor {
  return { ...caller, userId, roles, ...(service === null ? {} : { service }) }
}

const name = 'strongroom_ticket'
const pair = new RegExp(`(?:^|;)\\s*${name}=([\\w-]{1,64})\\s*(?:;|$)`)

function cookieIn({ headers }: FastifyRequest): string | undefined {
  return pair.exec(headers.cookie ?? '')?.[1]
}

/** Kept apart for each page that embeds it (CHIPS), and sent back to this one URL alone. */
function bind(reply: FastifyReply, value: string, text: string): void {
  const flags = 'HttpOnly; Secure; SameSite=None; Partitioned'
  reply.header('set-cookie', `${name}=${value}; Path=/t/${text}; ${flags}`)
}
