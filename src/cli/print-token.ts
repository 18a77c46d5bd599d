import { provideJwtSecrets } from '../config/development-secrets.js'
import { readConfig } from '../config.js'
import { roles as knownRoles } from '../people/roles.js'
import { type ExitCode, type Terminal, UsageError } from './context.js'
import { signToken } from './sign-token.js'

export interface TokenOptions {
  readonly user: string
  readonly role: readonly string[]
  readonly email?: string
  readonly expires: string
}

/** `strongroom token`: prints a token for curl, signed as the portal signs them. */
export async function printToken(terminal: Terminal, options: TokenOptions): Promise<ExitCode> {
  const config = readConfig(terminal.loadEnvironment(), terminal.cwd)
  const seconds = parseDuration(options.expires)
  if (options.user === '' || options.user.length > 128) {
    throw new UsageError('--user: expected an id of 1 to 128 characters')
  }
  checkRoles(options.role, config.roleMap)
  if (config.production) {
    terminal.err('error: no tokens are made with NODE_ENV=production: the portal signs them there')
    return 1
  }
  const { jwtSecrets, notices } = await provideJwtSecrets(config)
  for (const notice of notices) terminal.err(`notice: ${notice}`)
  const [first] = jwtSecrets
  if (first === undefined) throw new Error('there is no JWT secret')
  terminal.out(signToken(claimsOf(options, config.jwt, seconds), first))
  return 0
}

function claimsOf(
  { user, role, email }: TokenOptions,
  { userClaim, issuer, audience }: ReturnType<typeof readConfig>['jwt'],
  seconds: number,
): Record<string, unknown> {
  const now = Math.floor(Date.now() / 1000)
  return {
    sub: user,
    ...(userClaim === undefined ? {} : { [userClaim]: user }),
    ...(role.length === 0 ? {} : { roles: role }),
    ...(email === undefined ? {} : { email }),
    ...(issuer === undefined ? {} : { iss: issuer }),
    ...(audience === undefined ? {} : { aud: audience }),
    iat: now,
    exp: now + seconds,
  }
}

function checkRoles(roles: readonly string[], roleMap: ReadonlyMap<string, unknown>): void {
  const known = new Set<string>([...knownRoles, ...roleMap.keys()])
  const unknown = roles.filter((role) => !known.has(role))
  if (unknown.length > 0) {
    throw new UsageError(`--role ${unknown.join(', ')}: expected ${[...known].join(', ')}`)
  }
}

const unitSeconds: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 }
const MAX_TOKEN_SECONDS = 30 * 86_400

/** Seconds of a time such as 90s, 15m, 1h or 7d; at most 30 days. Throws UsageError. */
export function parseDuration(text: string): number {
  const [, number = '', unit = ''] = /^(\d{1,8})([smhd])$/.exec(text) ?? []
  const seconds = Number(number) * (unitSeconds[unit] ?? 0)
  if (seconds < 1 || seconds > MAX_TOKEN_SECONDS) {
    throw new UsageError('--expires: expected a time such as 90s, 15m, 1h or 7d, at most 30d')
  }
  return seconds
}
