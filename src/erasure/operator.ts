import type { Actor } from '../audit/audit-events.js'
import { StrongroomError } from '../errors/strongroom-error.js'
import { isPortalId } from '../people/portal-id.js'

/** Whoever gives a command on the machine: no user of the portal, which the role says. */
export function operatorActor(name: string): Actor {
  return {
    userId: checkedId(name, 'by'),
    roles: ['operator'],
    ip: '-',
    userAgent: '-',
    requestId: 'command',
  }
}

/** @throws StrongroomError `invalid_field` */
export function checkedId(text: string, field: string): string {
  if (isPortalId(text)) return text
  throw new StrongroomError('invalid_field', {
    detail: `${field}: expected 1 to 128 characters, none of them a control character`,
  })
}

export function legalHold(): StrongroomError {
  return new StrongroomError('legal_hold', {
    detail: 'Under legal hold: `strongroom hold list` says which',
  })
}
