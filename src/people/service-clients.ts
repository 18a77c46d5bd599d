import type { Role } from './roles.js'

/** What a service may be allowed to do for a person. What is not here no service does for anybody. */
export const serviceActions = ['view', 'download', 'upload', 'update', 'delete'] as const
export type ServiceAction = (typeof serviceActions)[number]

/** The roles in which a service may act for somebody: never those that keep, or oversee, the house. */
export const actingRoles = [
  'patient',
  'clinician',
  'DOC_UPL',
  'DOC_VIEW',
  'BUY',
  'SEL',
] as const satisfies readonly Role[]
export type ActingRole = (typeof actingRoles)[number]

export interface ServiceClient {
  readonly roles: readonly ActingRole[]
  readonly actions: readonly ServiceAction[]
}

/** Services by the client their tokens were issued to, or else their user id. */
export type ServiceClients = ReadonlyMap<string, ServiceClient>

/**
 * What a service may do for the person it names; undefined: nothing.
 * Its rights are these and, of these, what the person has by relation.
 */
export function mayActFor(
  service: {
    readonly userId: string
    readonly clientId: string | undefined
    readonly roles: readonly string[]
  },
  clients: ServiceClients,
): ServiceClient | undefined {
  if (!service.roles.includes('service')) return undefined
  return clients.get(service.clientId ?? service.userId)
}

/**
 * Whether an actor stands in a relation that a role is for: in person always, a service that acts for
 * somebody in the roles it may act for alone.
 */
export function actsAs(
  actor: { readonly service?: string | undefined; readonly roles: readonly string[] },
  role: ActingRole,
): boolean {
  return actor.service === undefined || actor.roles.includes(role)
}
