import { type Answer, type CallOptions, call, type Service } from './service.js'

export type Ticket = Answer<'POST /api/tickets'>

export interface TicketWish {
  /** A file of the caller's own, or a medical record. */
  readonly fileId: string
  /** `view`: shown in the browser, where its type can be; `download`: handed out. */
  readonly action: 'view' | 'download'
  /** Until it is first opened; the service cuts it to what it allows. */
  readonly expirySeconds?: number | undefined
}

export type Tickets = ReturnType<typeof ticketsOf>

/** URLs that show or hand out one file without a token. Whoever opens one first is served: log none. */
export function ticketsOf(service: Service) {
  return {
    issue: (wish: TicketWish, options?: CallOptions): Promise<Ticket> => {
      const { fileId, action, expirySeconds } = wish
      const body = { file_id: fileId, action, expiry_seconds: expirySeconds }
      return call(service, 'POST /api/tickets', { body }, options)
    },

    /** What is being read by it is broken off. */
    end: async (ticketId: string, options?: CallOptions): Promise<void> => {
      const path = { ticket_id: ticketId }
      await call(service, 'DELETE /api/tickets/{ticket_id}', { path }, options)
    },
  }
}
