import type { FastifyRequest } from 'fastify'
import { StrongroomError } from '../../errors/strongroom-error.js'
import type { Identity } from '../../people/identity.js'
import { isPersonId } from '../../people/portal-id.js'
import { mayActFor, type ServiceAction, type ServiceClients } from '../../people/service-clients.js'

declare module 'fastify' {
  interface FastifyContextConfig {
    /**
     * What a service has to be allowed to do for a person to call this for them; `content`: to view or
     * to download, as the request wishes; `transfer`: to upload and to download, as which of them stands in the
     * body. Absent: no service does this for anybody.
     */
    readonly forPerson?: ServiceAction | 'content' | 'transfer'
  }
}

const header = 'x-on-behalf-of'

/** Who acts, and for whom. */
interface Acting {
  readonly userId: string
  readonly service?: string
  readonly roles: readonly string[]
}

/**
 * Whom a request is from: the caller, or, where a service names one in `X-On-Behalf-Of`, a person, in the
 * roles and for the actions that SERVICE_CLIENTS gives that service.
 * @throws StrongroomError `invalid_field`, `not_acted_for`
 */
export function actingFor(
  request: FastifyRequest,
  { userId, clientId, roles }: Identity,
  clients: ServiceClients,
): Acting {
  const personId = request.headers[header]
  if (personId === undefined) return { userId, roles }
  if (typeof personId !== 'string' || !isPersonId(personId)) {
    throw new StrongroomError('invalid_field', { detail: 'X-On-Behalf-Of: the id of a person' })
  }
  const client = mayActFor({ userId, clientId, roles }, clients)
  const actions = actionsOf(request)
  const may = actions?.every((action) => client?.actions.includes(action)) ?? false
  if (client === undefined || !may) throw new StrongroomError('not_acted_for')
  return { userId: personId, service: clientId ?? userId, roles: ['service', ...client.roles] }
}

function actionsOf(request: FastifyRequest): readonly ServiceAction[] | undefined {
  const { forPerson } = request.routeOptions.config
  if (forPerson === undefined) return undefined
  if (forPerson === 'transfer') return ['upload', 'download']
  if (forPerson !== 'content') return [forPerson]
  const { view } = request.query as { readonly view?: unknown }
  return [view === 'true' ? 'view' : 'download']
}
