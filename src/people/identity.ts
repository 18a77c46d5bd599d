import { isPortalId } from './portal-id.js'
import { type Role, type RoleClaims, rolesOf } from './roles.js'

/**
 * Where people are known: a portal's shared secret, an OpenID provider, accounts of our own. The ids of
 * all but the primary one carry its name, so that no two people are one.
 */
export const sourceNames = ['shared', 'oidc', 'local'] as const
export type SourceName = (typeof sourceNames)[number]

/** Claims of a token whose signature, issuer, audience and times hold. */
export type Claims = RoleClaims & Readonly<Record<string, unknown>>

/** Who a token says is calling. */
export interface Identity {
  readonly source: SourceName
  readonly userId: string
  readonly roles: readonly Role[]
  /** The client it was issued to (`azp`, RFC 9068 `client_id`); a service's, its name in SERVICE_CLIENTS. */
  readonly clientId: string | undefined
  /** How they proved who they are (RFC 8176), as `pwd`, `otp`. */
  readonly methods: readonly string[]
}

export interface IdentityRules {
  readonly source: SourceName
  readonly isPrimary: boolean
  /** Claim of the user id; absent: `sub`, else `user_id`. */
  readonly userClaim: string | undefined
  readonly roleMap: ReadonlyMap<string, readonly string[]>
  /** Clients whose roles in `resource_access` count. */
  readonly roleClients?: readonly string[]
}

/** Undefined where the claims name nobody that can be one here. */
export function identityOf(claims: Claims, rules: IdentityRules): Identity | undefined {
  const userId = userIdOf(claims, rules)
  if (userId === undefined) return undefined
  return {
    source: rules.source,
    userId,
    roles: rolesOf(claims, rules.roleMap, rules.roleClients),
    clientId: textOf(claims['azp']) ?? textOf(claims['client_id']),
    methods: Array.isArray(claims['amr'])
      ? claims['amr'].filter((each) => typeof each === 'string')
      : [],
  }
}

/** How ids of other sources, and of spaces, begin: a primary source that uses it would take them over. */
const reserved = new RegExp(`^(?:${[...sourceNames, 'space'].join('|')})\\|`)

/** Whether an id is of the form that another source's person, or a space, has. */
export function isReservedId(id: string): boolean {
  return reserved.test(id)
}

/** The id here of whom `source` calls `id`. */
export function idOf(
  id: string,
  { source, isPrimary }: Pick<IdentityRules, 'source' | 'isPrimary'>,
) {
  return isPrimary ? id : `${source}|${id}`
}

/** A number is its decimal string. */
function userIdOf(claims: Claims, rules: IdentityRules): string | undefined {
  const { userClaim } = rules
  const claim = userClaim === undefined ? (claims['sub'] ?? claims['user_id']) : claims[userClaim]
  const id = Number.isSafeInteger(claim) ? String(claim) : claim
  if (typeof id !== 'string' || id === '' || (rules.isPrimary && isReservedId(id))) return undefined
  const ours = idOf(id, rules)
  // Half a character would be stored as another one, and so make two people one.
  return isPortalId(ours) && !/\p{Cs}/u.test(ours) ? ours : undefined
}

const textOf = (value: unknown) => (typeof value === 'string' && value !== '' ? value : undefined)
