import type { TicketBook } from '../../../tickets/ticket-book.js'
import type { App } from '../../app-type.js'
import { ticketParams } from '../../schemas/ticket-schemas.js'

interface Use {
  readonly tickets: Pick<TicketBook, 'end'>
}

/** DELETE /api/tickets/:ticket_id */
export function endTicketRoute(app: App, { tickets }: Use): void {
  app.delete(
    '/api/tickets/:ticket_id',
    {
      config: { forPerson: 'download' },
      schema: {
        summary: 'End a ticket of yours; answers under way by it are broken off',
        params: ticketParams,
      },
    },
    async ({ actor, params }, reply) => {
      await tickets.end(actor, params.ticket_id)
      return await reply.code(204).send()
    },
  )
}
