import { join, relative, sep } from 'node:path'
import { isLoopback } from './addresses.js'
import type { arrange } from './arrange.js'
import { regionOfKmsKey } from './key-places.js'
import type { Reading } from './read-variables.js'
import { checkAwsKeys, checkS3 } from './rules-s3.js'
import { checkTransport } from './rules-transport.js'
import { weaknessOf } from './secrets.js'
import type { VariableName } from './variables.js'

type Settings = ReturnType<typeof arrange>

interface Findings {
  readonly problems: string[]
  readonly notices: string[]
}

/** Rules that span several variables. A variable that is already wrong by itself is not said to be absent. */
export function findProblems(reading: Reading, settings: Settings): Findings {
  const findings: Findings = { problems: [], notices: [] }
  checkSecrets(reading, settings, findings)
  checkProduction(reading, settings, findings)
  checkExposure(reading, settings, findings)
  checkFolders(settings, findings)
  checkKeys(reading, settings, findings)
  checkS3(reading, settings, findings)
  checkAssignments(reading, settings, findings)
  checkOutbox(reading, findings)
  checkAnchor(settings, findings)
  if (settings.databaseOwnerUrl !== undefined && settings.databaseUrl === undefined) {
    findings.problems.push('DATABASE_OWNER_URL: expected with DATABASE_URL only')
  }
  if (settings.databaseMoveUrl !== undefined && settings.databaseUrl !== undefined) {
    findings.notices.push('DATABASE_MOVE_URL has no effect beside DATABASE_URL: the move is over')
  }
  checkTickets(reading, findings)
  checkTransport(reading, settings, findings)
  checkCallers(reading, settings, findings)
  if (settings.workers > 1 && !reading.given.has('DATABASE_URL')) {
    findings.problems.push('WORKERS: expected 1, as the embedded database serves one process')
  }
  if (settings.workers > 1) {
    const connections = settings.workers * settings.databasePoolSize
    findings.notices.push(
      `WORKERS=${settings.workers}: up to ${connections} connections to PostgreSQL; limits of uploads and rates are each worker’s`,
    )
  }
  return findings
}

const hasJwtSecret = ({ given }: Reading) =>
  given.has('JWT_SECRET_KEY') || given.has('JWT_SECRET_KEYS')

function checkAnchor({ audit, production }: Settings, { problems, notices }: Findings): void {
  const { anchor } = audit
  if (anchor === undefined) {
    notices.push(
      'AUDIT_ANCHOR is off: a cut or rewritten audit log is seen only while a process runs',
    )
  } else if ('url' in anchor) {
    const url = URL.canParse(anchor.url) ? new URL(anchor.url) : undefined
    if (url === undefined || url.username !== '' || url.password !== '') {
      problems.push('AUDIT_ANCHOR: expected a path, off, or a URL without credentials')
    } else if (production && url.protocol !== 'https:') {
      problems.push('AUDIT_ANCHOR: NODE_ENV=production expects https')
    }
  }
}

/** Weak secrets: refused in production, else said. */
function checkSecrets(reading: Reading, { production }: Settings, findings: Findings): void {
  const { JWT_SECRET_KEY: single, JWT_SECRET_KEYS: several = [] } = reading.values
  const named: [VariableName, string][] = several.map(({ secret }) => ['JWT_SECRET_KEYS', secret])
  if (single !== undefined) named.unshift(['JWT_SECRET_KEY', single])
  for (const [name, secret] of named) {
    const weakness = weaknessOf(secret)
    if (weakness === undefined) continue
    if (production) {
      findings.problems.push(`${name} ${weakness}: NODE_ENV=production expects random secrets`)
    } else findings.notices.push(`${name} ${weakness}: refused in production`)
  }
}

/** Where others hold the master key, keys of our own open what they wrapped before, and may be absent. */
function needsMasterKeys({ given }: Reading, { keys }: Settings): boolean {
  return keys.provider === 'local' && !given.has('MASTER_KEYS')
}

function checkKeys(reading: Reading, settings: Settings, { problems, notices }: Findings): void {
  const { given } = reading
  const { keys } = settings
  const expect = (isThere: boolean, rule: string) => {
    if (!isThere) problems.push(rule)
  }
  const [usesKms, usesVault] = [given.has('KMS_KEY_IDS'), given.has('VAULT_TRANSIT_KEYS')]
  if (keys.provider === 'aws-kms') {
    expect(usesKms, 'KMS_KEY_IDS: expected the KMS keys (KEY_PROVIDER=aws-kms)')
  }
  if (keys.provider === 'vault') {
    expect(usesVault, 'VAULT_TRANSIT_KEYS: expected the Transit keys (KEY_PROVIDER=vault)')
  }
  if (usesVault) {
    expect(given.has('VAULT_ADDR'), 'VAULT_ADDR: expected where Vault is (VAULT_TRANSIT_KEYS)')
    expect(given.has('VAULT_TOKEN'), 'VAULT_TOKEN: expected a token (VAULT_TRANSIT_KEYS)')
  }
  if (usesKms) checkAws(reading, settings, { problems, notices })
  if (keys.outageMs > 0 && keys.outageMs < keys.cacheMs) {
    notices.push('KEY_OUTAGE_SECONDS is shorter than KEY_CACHE_SECONDS: no outage is bridged')
  }
}

function checkAws({ given }: Reading, { keys: { kms } }: Settings, findings: Findings): void {
  checkAwsKeys(given, findings.problems)
  if (given.has('AWS_ROLE_ARN')) {
    findings.notices.push(
      'AWS_ROLE_ARN is not assumed for KMS, unless the SDK does by AWS_WEB_IDENTITY_TOKEN_FILE of the environment',
    )
  }
  const regions = kms.keyIds.map(regionOfKmsKey)
  if (
    kms.endpoint === undefined &&
    regions.some((region) => region !== undefined && region !== kms.region)
  ) {
    findings.problems.push('KMS_KEY_IDS: expected keys of AWS_REGION, as they are asked there')
  }
}

function checkProduction(reading: Reading, settings: Settings, { problems }: Findings): void {
  if (!settings.production) return
  const refuse = (rule: string) => problems.push(`${rule} (NODE_ENV=production)`)
  if (needsMasterKeys(reading, settings)) {
    refuse('MASTER_KEYS: expected at least one Fernet key, as development keys are refused')
  }
  if (!settings.knowsCallers) {
    refuse(
      'JWT_SECRET_KEY, JWT_SECRET_KEYS, OIDC_ISSUER or LOCAL_ACCOUNTS: expected, as development secrets are refused',
    )
  }
  if (settings.http.corsAllowedOrigins === '*') {
    refuse('CORS_ALLOWED_ORIGINS: expected origins by name, not *')
  }
  if (!reading.given.has('DATABASE_URL') && !reading.values.ALLOW_EMBEDDED) {
    refuse('DATABASE_URL: expected PostgreSQL, or ALLOW_EMBEDDED=true for the embedded database')
  }
}

function checkExposure(reading: Reading, settings: Settings, { problems }: Findings): void {
  if (settings.production || isLoopback(settings.http.host)) return
  const rule = 'as development secrets serve on loopback only (HOST)'
  if (needsMasterKeys(reading, settings)) {
    problems.push(`MASTER_KEYS: expected at least one Fernet key, ${rule}`)
  }
  if (!settings.knowsCallers) {
    problems.push(
      `JWT_SECRET_KEY, JWT_SECRET_KEYS, OIDC_ISSUER or LOCAL_ACCOUNTS: expected, ${rule}`,
    )
  }
}

/** The sealed files have a folder to themselves: the sweeper removes what it does not know there. */
function checkFolders({ dataDir, filesDir }: Settings, { problems }: Findings): void {
  const others = ['database', 'keys'].map((name) => join(dataDir, name))
  const contains = (outer: string, inner: string) => relative(outer, inner).split(sep)[0] !== '..'
  if (others.some((each) => contains(filesDir, each) || contains(each, filesDir))) {
    problems.push(
      'FILE_STORAGE_PATH: expected a folder of its own, apart from DATA_DIR, its database and its keys',
    )
  }
}

function checkAssignments(reading: Reading, settings: Settings, findings: Findings): void {
  const { url, token } = settings.assignments
  if (reading.given.has('ASSIGNMENTS_URL') && !isPlainWebUrl(url)) {
    findings.problems.push(
      'ASSIGNMENTS_URL: expected a URL, http://… or https://…, without user, password or fragment, or a path together with DATABASE_SERVICE_URL',
    )
  } else if (url !== undefined && token === undefined) {
    findings.notices.push(
      'DATABASE_SERVICE_TOKEN is absent: the portal is asked for assignments without a token',
    )
  }
}

function isPlainWebUrl(url: string | undefined): boolean {
  if (url === undefined || !/^https?:\/\//.test(url)) return false
  const { username, password, hash } = new URL(url)
  return username === '' && password === '' && hash === ''
}

function checkOutbox({ given, values }: Reading, { problems, notices }: Findings): void {
  const { AUDIT_SINK_URL: sink, WEBHOOK_URL: webhook } = values
  if (webhook !== undefined && !given.has('WEBHOOK_SECRET')) {
    problems.push('WEBHOOK_SECRET: expected what webhooks are signed with (WEBHOOK_URL)')
  }
  if (!given.has('WEBHOOK_URL') && (given.has('WEBHOOK_SECRET') || given.has('WEBHOOK_EVENTS'))) {
    notices.push('WEBHOOK_URL is absent: no webhooks are sent')
  }
  if (sink !== undefined && values.DATABASE_SERVICE_TOKEN === undefined) {
    notices.push('DATABASE_SERVICE_TOKEN is absent: AUDIT_SINK_URL is posted to without a token')
  }
}

/** Who is known, and by what. */
function checkCallers(reading: Reading, settings: Settings, findings: Findings): void {
  const { given } = reading
  const { problems, notices } = findings
  const { oidc, jwt, production, http } = settings
  const { issuer, audience, clientId, clientSecret } = oidc
  if (issuer === undefined) {
    for (const name of ['OIDC_AUDIENCE', 'OIDC_CLIENT_ID', 'OIDC_JWKS_URI'] as const) {
      if (given.has(name)) problems.push(`OIDC_ISSUER: expected with ${name}`)
    }
  } else if (audience === undefined && clientId === undefined) {
    problems.push(
      'OIDC_AUDIENCE or OIDC_CLIENT_ID: expected, as tokens for other services of the same issuer would be taken',
    )
  }
  if (clientSecret !== undefined && clientId === undefined) {
    problems.push('OIDC_CLIENT_ID: expected with OIDC_CLIENT_SECRET')
  }
  if (jwt.primary === 'oidc' && issuer === undefined) {
    problems.push('PRIMARY_IDENTITY: oidc expects OIDC_ISSUER')
  }
  if (jwt.primary === 'local' && !settings.accounts) {
    problems.push('PRIMARY_IDENTITY: local expects LOCAL_ACCOUNTS=true')
  }
  if (jwt.primary === 'shared' && issuer !== undefined && !hasJwtSecret(reading)) {
    problems.push('PRIMARY_IDENTITY: shared expects JWT_SECRET_KEY')
  }
  if (http.cookieAuth && issuer !== undefined && clientId === undefined) {
    notices.push('OIDC_CLIENT_ID is absent: sessions of cookies end with their access token')
  }
  if (production && http.trustProxy === false) {
    notices.push(
      'TRUST_PROXY is absent: whether callers came by https cannot be known, and is not demanded',
    )
  }
}

function checkTickets({ values, given }: Reading, { notices }: Findings): void {
  for (const name of ['UPLOAD_TICKET_SECONDS', 'VIEW_TICKET_SECONDS'] as const) {
    if (given.has(name) && values[name] > values.TICKET_MAX_SECONDS) {
      notices.push(`${name} is cut to TICKET_MAX_SECONDS (${values.TICKET_MAX_SECONDS})`)
    }
  }
}
