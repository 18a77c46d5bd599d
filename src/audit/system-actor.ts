import type { Actor } from './audit-events.js'

/** The service itself, where no person asked. */
export function systemActor(requestId: string): Actor {
  return { userId: 'strongroom', roles: ['service'], ip: '-', userAgent: '-', requestId }
}
