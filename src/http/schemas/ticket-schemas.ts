import { Type } from 'typebox'
import { ticketActions } from '../../tickets/ports.js'

/** Fields that are not known are passed over, as old clients may send more. */
export const ticketBody = Type.Object({
  file_id: Type.String({ maxLength: 128, description: 'A file of yours, or a medical record.' }),
  action: Type.Union(
    ticketActions.map((action) => Type.Literal(action)),
    { description: 'view: shown in the browser, where its type can be; download: handed out.' },
  ),
  expiry_seconds: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: 31_536_000,
      description: 'Until it is first opened; cut to TICKET_MAX_SECONDS.',
    }),
  ),
})

export const issuedTicket = Type.Object({
  ticket_id: Type.String({ format: 'uuid' }),
  url: Type.String({ description: 'Whoever opens it first is served: tell it to nobody else.' }),
  expires_at: Type.String({ format: 'date-time' }),
})

export const ticketParams = Type.Object({ ticket_id: Type.String() })

export const openTicketParams = Type.Object({ ticket: Type.String() })
