import { join, relative, sep } from 'node:path'
import type { arrange } from './arrange.js'
import { regionOfKmsKey } from './key-places.js'
import type { Reading } from './read-variables.js'
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
  checkAssignments(reading, settings, findings)
  checkOutbox(reading, settings, findings)
  checkAnchor(settings, findings)
  if (settings.databaseOwnerUrl !== undefined && settings.databaseUrl === undefined) {
    findings.problems.push('DATABASE_OWNER_URL: expected with DATABASE_URL only')
  }
  checkTickets(reading, findings)
  if (settings.workers > 1 && !reading.given.has('DATABASE_URL')) {
    findings.problems.push('WORKERS: expected 1, as the embedded database serves one process')
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
  const { keys, production } = settings
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
  if (!production) return
  for (const [name, address] of [
    ['VAULT_ADDR', keys.vault.address],
    ['KMS_ENDPOINT', keys.kms.endpoint],
  ] as const) {
    const isSafe = address === undefined || isEncryptedOrLocal(address)
    expect(isSafe, `${name}: expected https://…, or loopback (NODE_ENV=production)`)
  }
}

function checkAws({ given }: Reading, { keys: { kms } }: Settings, findings: Findings): void {
  if (given.has('AWS_ACCESS_KEY_ID') !== given.has('AWS_SECRET_ACCESS_KEY')) {
    findings.problems.push(
      'AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY: expected both, or neither for the machine’s own role',
    )
  }
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

function isEncryptedOrLocal(address: string): boolean {
  const { protocol, hostname } = new URL(address)
  return protocol === 'https:' || isLoopback(hostname.replace(/^\[|\]$/g, ''))
}

function checkProduction(reading: Reading, settings: Settings, { problems }: Findings): void {
  if (!settings.production) return
  const refuse = (rule: string) => problems.push(`${rule} (NODE_ENV=production)`)
  if (needsMasterKeys(reading, settings)) {
    refuse('MASTER_KEYS: expected at least one Fernet key, as development keys are refused')
  }
  if (!hasJwtSecret(reading)) {
    refuse('JWT_SECRET_KEY or JWT_SECRET_KEYS: expected a secret, as development ones are refused')
  }
  if (settings.http.corsAllowedOrigins === '*') {
    refuse('CORS_ALLOWED_ORIGINS: expected origins by name, not *')
  }
  if (!reading.given.has('DATABASE_URL') && !reading.values.ALLOW_EMBEDDED) {
    refuse('DATABASE_URL: expected PostgreSQL, or ALLOW_EMBEDDED=true for the embedded database')
  }
}

/** Whether only this machine can reach an address. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(?:\.\d{1,3}){3}$/.test(host)
}

function checkExposure(reading: Reading, settings: Settings, { problems }: Findings): void {
  if (settings.production || isLoopback(settings.http.host)) return
  const rule = 'as development secrets serve on loopback only (HOST)'
  if (needsMasterKeys(reading, settings)) {
    problems.push(`MASTER_KEYS: expected at least one Fernet key, ${rule}`)
  }
  if (!hasJwtSecret(reading)) {
    problems.push(`JWT_SECRET_KEY or JWT_SECRET_KEYS: expected a secret, ${rule}`)
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

function checkOutbox(
  { given, values }: Reading,
  { production }: Settings,
  { problems, notices }: Findings,
): void {
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
  if (!production) return
  for (const [name, address] of [
    ['AUDIT_SINK_URL', sink],
    ['WEBHOOK_URL', webhook],
  ] as const) {
    if (address === undefined || isEncryptedOrLocal(address)) continue
    problems.push(`${name}: expected https://…, or loopback (NODE_ENV=production)`)
  }
}

function checkTickets({ values }: Reading, { notices }: Findings): void {
  for (const name of ['UPLOAD_TICKET_SECONDS', 'VIEW_TICKET_SECONDS'] as const) {
    if (values[name] > values.TICKET_MAX_SECONDS) {
      notices.push(`${name} is cut to TICKET_MAX_SECONDS (${values.TICKET_MAX_SECONDS})`)
    }
  }
}
