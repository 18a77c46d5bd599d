import type { Actor } from '../../../audit/audit-events.js'
import { StrongroomError } from '../../../errors/strongroom-error.js'
import { asUser } from '../../../log-context.js'
import type { TicketRow } from '../../../tickets/ports.js'
import type { TicketBook } from '../../../tickets/ticket-book.js'
import type { Refusals } from '../../plugins/refusals.js'
import { actorOf } from './open.js'

interface Use {
  readonly tickets: Pick<TicketBook, 'idIn' | 'useForUpload'>
  readonly refusals: Refusals
}

/**
 * The upload ticket in a URL, and its person as who acts. The person is named in the log from here on.
 * @throws StrongroomError `not_found`, `ticket_over`, on record
 */
export async function uploadTicketIn(
  text: string,
  caller: Actor,
  { tickets, refusals }: Use,
): Promise<{ readonly ticket: TicketRow; readonly actor: Actor }> {
  const ticketId = tickets.idIn(text)
  if (ticketId === undefined) {
    await refusals.note(caller, 'unauthenticated')
    throw new StrongroomError('not_found')
  }
  const ticket = await tickets.useForUpload(ticketId)
  if (ticket === undefined) {
    const facts = { action: 'ticket.refused', subjectId: ticketId } as const
    await refusals.note(caller, 'ticket_over', facts)
    throw new StrongroomError('ticket_over')
  }
  const actor = actorOf(ticket, caller)
  asUser(actor.userId)
  return { ticket, actor }
}
