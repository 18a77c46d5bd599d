import { isVerified, readPostgresUrl } from '../db/postgres-url.js'
import { isEncryptedOrLocal, isLoopback } from './addresses.js'
import type { arrange } from './arrange.js'
import type { Reading } from './read-variables.js'

type Settings = ReturnType<typeof arrange>

interface Findings {
  readonly problems: string[]
  readonly notices: string[]
}

/**
 * Production speaks to what it depends on over TLS, where that is on another machine. Servers on a
 * network that nobody else is on are named by the operator, one by one.
 */
export function checkTransport(
  { values }: Reading,
  settings: Settings,
  { problems, notices }: Findings,
): void {
  const { production, clearTextHosts } = settings
  const isTrusted = (host: string) => isLoopback(host) || clearTextHosts.includes(host)
  for (const [name, address] of webAddresses(values, settings)) {
    if (address === undefined || isEncryptedOrLocal(address)) continue
    if (!production || isTrusted(hostOf(address))) continue
    problems.push(`${name}: expected https://…, loopback or CLEARTEXT_HOSTS (NODE_ENV=production)`)
  }
  const { redisUrl } = settings
  const isOpen = redisUrl !== undefined && !redisUrl.startsWith('rediss:')
  if (isOpen && production && !isTrusted(hostOf(redisUrl))) {
    problems.push(
      'REDIS_URL: expected rediss://…, loopback or CLEARTEXT_HOSTS (NODE_ENV=production)',
    )
  }
  for (const [name, url] of [
    ['DATABASE_URL', settings.databaseUrl],
    ['DATABASE_OWNER_URL', settings.databaseOwnerUrl],
    ['DATABASE_MOVE_URL', settings.databaseMoveUrl],
  ] as const) {
    if (url === undefined) continue
    const address = readPostgresUrl(url)
    if (address.isSocket || isVerified(address) || isTrusted(address.host)) continue
    if (production) {
      problems.push(
        `${name}: expected sslmode=verify-full, loopback or CLEARTEXT_HOSTS (NODE_ENV=production)`,
      )
    } else notices.push(`${name}: without sslmode=verify-full, refused in production`)
  }
  if (clearTextHosts.length > 0) {
    notices.push(`CLEARTEXT_HOSTS: nobody but the service may reach ${clearTextHosts.join(', ')}`)
  }
}

function webAddresses(values: Reading['values'], { keys, oidc, s3 }: Settings) {
  return [
    ['VAULT_ADDR', keys.vault.address],
    ['KMS_ENDPOINT', keys.kms.endpoint],
    ['OIDC_ISSUER', oidc.issuer],
    ['OIDC_JWKS_URI', oidc.jwksUri],
    ['S3_ENDPOINT', s3.endpoint],
    ['STS_ENDPOINT', s3.credentials.stsEndpoint],
    ['AUDIT_SINK_URL', values.AUDIT_SINK_URL],
    ['WEBHOOK_URL', values.WEBHOOK_URL],
  ] as const
}

const hostOf = (address: string) => new URL(address).hostname.replace(/^\[|\]$/g, '')
