import { isAbsolute } from 'node:path'

/** As libpq defines them (PostgreSQL manual, 34.19 "SSL Support"); those that fall back in silence are refused. */
export const tlsModes = ['disable', 'require', 'verify-ca', 'verify-full'] as const
export type TlsMode = (typeof tlsModes)[number]

/** Where a PostgreSQL is, and how it is spoken to. */
export interface PostgresAddress {
  /** A name or address; of a socket, its folder. */
  readonly host: string
  readonly port: number
  /** Absent: as the driver finds them (PGUSER, PGPASSWORD, the user of the process). */
  readonly user: string | undefined
  readonly password: string | undefined
  readonly database: string | undefined
  readonly isSocket: boolean
  /** Absent: not said, which is `disable`. */
  readonly tlsMode: TlsMode | undefined
  /** Certificates of those who may have signed the server's; absent: the public ones known to Node. */
  readonly rootCertFile: string | undefined
  /** What this side shows, where the server asks for it. */
  readonly certFile: string | undefined
  readonly keyFile: string | undefined
  readonly options: string | undefined
  /** How the server's own lists call its connections; absent: `strongroom`. */
  readonly applicationName: string
}

/** A URL that says something else than is done; `message` completes "expected …" and repeats no value. */
export class WrongPostgresUrl extends Error {
  override readonly name = 'WrongPostgresUrl'
}

const parameters = [
  ...(['sslmode', 'sslrootcert', 'sslcert', 'sslkey', 'host', 'options'] as const),
  'application_name',
] as const

/**
 * Reads `postgres://user:password@host:port/name?sslmode=verify-full&sslrootcert=/…/ca.pem`, or
 * `postgres:///name?host=/run/postgresql` for a socket. The driver's own reading is not used: it
 * takes words of TLS for others than libpq does, and passes over what it does not know.
 *
 * Throws WrongPostgresUrl.
 */
export function readPostgresUrl(text: string): PostgresAddress {
  const url = parse(text)
  const given = parametersOf(url.searchParams)
  const host = decoded(url.hostname).replace(/^\[|\]$/g, '')
  const named = given.get('host')
  if (named !== undefined && (host !== '' || !isAbsolute(named))) {
    throw new WrongPostgresUrl('host= to be the folder of a socket, and no other host')
  }
  // The driver takes a host that is a path for a socket, however it is written.
  const folder = named ?? (isAbsolute(host) ? host : undefined)
  const address = {
    host: folder ?? (host || 'localhost'),
    port: url.port === '' ? 5432 : Number(url.port),
    user: decoded(url.username) || undefined,
    password: decoded(url.password) || undefined,
    database: decoded(url.pathname.slice(1)) || undefined,
    isSocket: folder !== undefined,
    tlsMode: tlsModeOf(given.get('sslmode')),
    rootCertFile: given.get('sslrootcert'),
    certFile: given.get('sslcert'),
    keyFile: given.get('sslkey'),
    options: given.get('options'),
    applicationName: given.get('application_name') ?? 'strongroom',
  }
  checkCertificates(address)
  return address
}

function parse(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !['postgres:', 'postgresql:'].includes(url.protocol)) {
    throw new WrongPostgresUrl('a URL, postgres://… or postgresql://…')
  }
  return url
}

function parametersOf(given: URLSearchParams): ReadonlyMap<string, string> {
  for (const name of given.keys()) {
    const isKnown = parameters.some((each) => each === name)
    if (!isKnown || given.getAll(name).length > 1) {
      throw new WrongPostgresUrl(`each of ${parameters.join(', ')} once, and no other parameter`)
    }
  }
  return new Map(given)
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    throw new WrongPostgresUrl('a % in the URL to be written as %25')
  }
}

function tlsModeOf(word: string | undefined): TlsMode | undefined {
  if (word === undefined) return undefined
  const mode = tlsModes.find((each) => each === word)
  if (mode === undefined) throw new WrongPostgresUrl(`sslmode to be one of ${tlsModes.join(', ')}`)
  return mode
}

function checkCertificates(address: PostgresAddress): void {
  const { tlsMode, isSocket, rootCertFile, certFile, keyFile } = address
  const files = [rootCertFile, certFile, keyFile].filter((file) => file !== undefined)
  if (files.length > 0 && (tlsMode === undefined || tlsMode === 'disable')) {
    throw new WrongPostgresUrl('an sslmode with sslrootcert, sslcert and sslkey')
  }
  if (isSocket && tlsMode !== undefined && tlsMode !== 'disable') {
    throw new WrongPostgresUrl('no sslmode on a socket, which does not leave the machine')
  }
  // Anybody gets a certificate for a name of their own from a public authority.
  if (tlsMode === 'verify-ca' && rootCertFile === undefined) {
    throw new WrongPostgresUrl('sslrootcert with sslmode=verify-ca')
  }
  if ((certFile === undefined) !== (keyFile === undefined)) {
    throw new WrongPostgresUrl('both sslcert and sslkey, or neither')
  }
}

/** Whether it is certain who answers: a certificate was held against a root. */
export function isVerified({ tlsMode, rootCertFile }: PostgresAddress): boolean {
  if (tlsMode === 'require') return rootCertFile !== undefined
  return tlsMode === 'verify-ca' || tlsMode === 'verify-full'
}
