/** The roles this service knows (docs/ACCESS.md). A and B need none but `admin`: relations decide. */
export const roles = [
  'patient',
  'clinician',
  'auditor',
  'admin',
  'service',
  'DOC_UPL',
  'DOC_UPLALL',
  'DOC_VIEW',
  'DOC_VIEWALL',
  'BUY',
  'SEL',
  'ADM',
] as const

export type Role = (typeof roles)[number]

/** Claims of a verified token that may hold roles. */
export interface RoleClaims {
  readonly role?: unknown
  readonly roles?: unknown
  readonly realm_access?: unknown
  readonly resource_access?: unknown
}

/**
 * The roles a token gives: what `map` says of a name, else the name itself where it is one of ours.
 * Unknown names give nothing, and so do roles at other clients than `clients` (Keycloak's
 * `resource_access`).
 */
export function rolesOf(
  claims: RoleClaims,
  map: ReadonlyMap<string, readonly string[]>,
  clients: readonly string[] = [],
): Role[] {
  const names = [
    ...strings(claims.role),
    ...strings(claims.roles),
    ...strings(member(claims.realm_access, 'roles')),
    ...clients.flatMap((client) =>
      strings(member(member(claims.resource_access, client), 'roles')),
    ),
  ]
  const given = new Set(names.flatMap((name) => map.get(name) ?? [name]))
  return roles.filter((role) => given.has(role))
}

function strings(value: unknown): string[] {
  if (typeof value === 'string') return [value]
  return Array.isArray(value) ? value.filter((each) => typeof each === 'string') : []
}

function member(value: unknown, name: string): unknown {
  const isThere = typeof value === 'object' && value !== null && Object.hasOwn(value, name)
  return isThere ? Reflect.get(value, name) : undefined
}
