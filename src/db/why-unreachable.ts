import { isStrongroomError } from '../errors/strongroom-error.js'

/** How the driver, TLS and the system name what keeps a database away, and what that means for an operator. */
const meanings: readonly (readonly [RegExp, string])[] = [
  [/^CERT_HAS_EXPIRED$/, 'its certificate has expired'],
  [/^ERR_TLS_CERT_ALTNAME_INVALID$/, 'its certificate is for another name than its URL’s'],
  [
    /CERT|UNABLE_TO_VERIFY|ISSUER/,
    'its certificate is of no known authority: sslrootcert in its URL',
  ],
  [/not support SSL/, 'it speaks no TLS: sslmode in its URL'],
  [/^28/, 'it does not let this user in: name, password, pg_hba.conf'],
  [/^3D000$/, 'it has no database of this name'],
  [/^53300$/, 'it has no connection to spare: max_connections'],
  [/^57P03$/, 'it is starting, or stopping'],
  [/^STANDBY$/, 'it is a standby, which only reads'],
  [/^SILENT$/, 'it takes connections, and does not answer'],
  [/^(?:ENOTFOUND|EAI_AGAIN)$/, 'its host name is not known'],
  [/^(?:ECONNREFUSED|ENOENT)$/, 'nothing listens there'],
]

/**
 * Why a connection could not be made, for whoever runs the service: the cause of a
 * `database_unavailable` in words, without address, user or password. Absent where there are none.
 */
export function whyUnreachable(error: unknown): string | undefined {
  if (!isStrongroomError(error) || !(error.cause instanceof Error)) return undefined
  const { cause } = error
  const names = ['code' in cause ? cause.code : undefined, cause.message]
  const known = meanings.find(([name]) => names.some((each) => name.test(String(each))))
  return known?.[1]
}
