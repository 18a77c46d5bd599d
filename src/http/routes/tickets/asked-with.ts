import type { FastifyRequest } from 'fastify'
import type { AskedWith } from '../../../tickets/ticket-book.js'
import { tokenOf } from '../../plugins/actor.js'

/** When the token a ticket is asked for with ends, as the ticket does. */
export function askedWith(request: FastifyRequest): AskedWith {
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

/** Where a ticket is used: to be told to nobody but who asked. */
export function ticketUrl(
  { protocol, host }: Pick<FastifyRequest, 'protocol' | 'host'>,
  { text }: { readonly text: string },
): string {
  return `${protocol}://${host}/t/${text}`
}
