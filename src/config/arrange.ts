import { resolve } from 'node:path'
import { type AwsFiles, arrangeS3 } from './arrange-s3.js'
import { transitKeyOf } from './key-places.js'
import type { JwtSecret } from './secrets.js'
import { unprintable } from './unprintable.js'
import type { Values } from './variables.js'

const MIB = 1_048_576

/** Path asked at the portal's database service where ASSIGNMENTS_URL does not name another. */
export const DEFAULT_ASSIGNMENTS_PATH = '/api/assignments/check'

interface Place {
  /** Relative paths start from it. */
  readonly cwd: string
  /** The file VAULT_TOKEN came from. */
  readonly vaultTokenFile: string | undefined
  /** The files the AWS keys came from. */
  readonly awsFiles: AwsFiles
}

/** The settings by subject, from the variables' values. */
export function arrange(values: Values, { cwd, vaultTokenFile, awsFiles }: Place) {
  const dataDir = resolve(cwd, values.DATA_DIR)
  return {
    production: values.NODE_ENV === 'production',
    environment: values.NODE_ENV,
    logLevel: values.LOG_LEVEL,
    /** Processes that serve. */
    workers: values.WORKERS,
    /** How long transfers may go on after SIGTERM. */
    shutdownSeconds: values.SHUTDOWN_SECONDS,
    /** Absolute path of the folder that holds everything kept on this machine. */
    dataDir,
    /** Absolute path of the folder of sealed files. */
    filesDir:
      values.FILE_STORAGE_PATH === undefined
        ? resolve(dataDir, 'files')
        : resolve(cwd, values.FILE_STORAGE_PATH),
    storageDriver: values.STORAGE_DRIVER,
    /** Absent: everything is where `storageDriver` says. */
    storageFallback: values.STORAGE_FALLBACK,
    /** PostgreSQL's connection string with its password; absent: the embedded database. */
    databaseUrl: values.DATABASE_URL,
    /** The same for the role that owns the tables; absent: that of `databaseUrl` does. */
    databaseOwnerUrl: values.DATABASE_OWNER_URL,
    /** The same for the database that the embedded one is moved to. */
    databaseMoveUrl: values.DATABASE_MOVE_URL,
    databasePoolSize: values.DATABASE_POOL_SIZE,
    databaseQueueSize: values.DATABASE_QUEUE_SIZE,
    /** Servers that production may speak to without TLS. */
    clearTextHosts: values.CLEARTEXT_HOSTS,
    redisUrl: values.REDIS_URL,
    /** Roles as tokens name them → roles here. Names of ours that are not in it stand for themselves. */
    roleMap: values.ROLE_MAP,
    deletion: Object.freeze({
      /** Days until a deleted file's bytes and keys are destroyed; 0: at once. */
      retentionDays: values.DELETE_RETENTION_DAYS,
      /** Days after which no backup made today is left. */
      backupRetentionDays: values.BACKUP_RETENTION_DAYS,
    }),
    audit: Object.freeze({
      sealEveryMs: values.AUDIT_SEAL_SECONDS * 1000,
      retentionYears: values.AUDIT_RETENTION_YEARS,
      /** Nothing: nowhere. */
      anchor: anchorOf(values.AUDIT_ANCHOR, dataDir, cwd),
      anchorEveryMs: values.AUDIT_ANCHOR_SECONDS * 1000,
    }),
    alerts: Object.freeze({
      everyMs: values.ALERT_EVERY_SECONDS * 1000,
      refusals: values.ALERT_REFUSALS_PER_HOUR,
      records: values.ALERT_RECORDS_PER_HOUR,
      outsideAssignment: values.ALERT_OUTSIDE_ASSIGNMENT,
    }),
    scrub: Object.freeze({
      everyDays: values.SCRUB_EVERY_DAYS,
      bytesPerSecond: values.SCRUB_MB_PER_SECOND * MIB,
    }),
    sweep: Object.freeze({
      everyHours: values.SWEEP_EVERY_HOURS,
      graceHours: values.SWEEP_GRACE_HOURS,
      keepDays: values.SWEEP_KEEP_DAYS,
    }),
    http: arrangeHttp(values),
    keys: arrangeKeys(values, vaultTokenFile),
    jwt: arrangeJwt(values),
    oidc: arrangeOidc(values),
    /** Whether callers are known without a secret made for development. */
    knowsCallers:
      arrangeJwt(values).secrets !== undefined ||
      arrangeOidc(values).issuer !== undefined ||
      values.LOCAL_ACCOUNTS === true,
    /** Whether there are accounts of our own. */
    accounts: values.LOCAL_ACCOUNTS ?? arrangeOidc(values).issuer === undefined,
    secondFactorFor: values.REQUIRE_SECOND_FACTOR,
    uploads: arrangeUploads(values),
    assignments: arrangeAssignments(values),
    emergency: Object.freeze({
      maxMinutes: values.EMERGENCY_MAX_MINUTES,
      maxRecords: values.EMERGENCY_MAX_RECORDS,
    }),
    documents: arrangeDocuments(values),
    s3: arrangeS3(values, awsFiles),
    outbound: arrangeOutbound(values),
    outbox: arrangeOutbox(values),
    /** Absent: nothing is traced. */
    traces: arrangeTraces(values),
  }
}

/** Where signed heads of the audit log are put. */
export type AnchorPlace = { readonly file: string } | { readonly url: string }

function anchorOf(value: string | undefined, dataDir: string, cwd: string) {
  if (value?.toLowerCase() === 'off') return undefined
  const place: AnchorPlace =
    value === undefined
      ? { file: resolve(dataDir, 'audit-heads.jsonl') }
      : /^https?:\/\//i.test(value)
        ? { url: value }
        : { file: resolve(cwd, value) }
  return Object.freeze(place)
}

function arrangeKeys(values: Values, vaultTokenFile: string | undefined) {
  return unprintable({
    /** Who holds the master key that wraps. */
    provider: values.KEY_PROVIDER,
    /** Fernet keys in url-safe base64, the first of which wraps; absent and `local`: development. */
    masterKeys: values.MASTER_KEYS,
    timeoutMs: values.KEY_TIMEOUT_SECONDS * 1000,
    cacheMs: values.KEY_CACHE_SECONDS * 1000,
    outageMs: values.KEY_OUTAGE_SECONDS * 1000,
    kms: unprintable({
      keyIds: values.KMS_KEY_IDS ?? [],
      endpoint: values.KMS_ENDPOINT,
      region: values.AWS_REGION,
      accessKeyId: values.AWS_ACCESS_KEY_ID,
      secretAccessKey: values.AWS_SECRET_ACCESS_KEY,
      sessionToken: values.AWS_SESSION_TOKEN,
    }),
    vault: unprintable({
      address: values.VAULT_ADDR,
      token: values.VAULT_TOKEN,
      /** Absolute or from where the process runs. */
      tokenFile: vaultTokenFile,
      namespace: values.VAULT_NAMESPACE,
      mount: values.VAULT_TRANSIT_MOUNT,
      keys: (values.VAULT_TRANSIT_KEYS ?? []).map(transitKeyOf),
    }),
  })
}

function arrangeHttp(values: Values) {
  return unprintable({
    host: values.HOST,
    port: values.PORT,
    /** As Fastify's `trustProxy`. */
    trustProxy: values.TRUST_PROXY,
    /** Origins as browsers send them; `*`: all, never in production; empty: none. */
    corsAllowedOrigins: values.CORS_ALLOWED_ORIGINS,
    /** Sources of the CSP directive `frame-ancestors`, keywords with their quotes. */
    frameAncestors: values.FRAME_ANCESTORS,
    /** Hosts answered to, in lower case, some with port, `.name` with subdomains; empty: all. */
    allowedHosts: values.ALLOWED_HOSTS.includes('*')
      ? []
      : values.ALLOWED_HOSTS.map((host) => host.toLowerCase()),
    /** Where the order calls stand: leading slash, none at the end. */
    apiPrefix: values.API_PREFIX,
    /** Whether older clients get 400 for a file too large. */
    legacyStatus: values.LEGACY_STATUS,
    cookieAuth: values.COOKIE_AUTH,
    /** Behind a proxy that says how it was reached. */
    requiresHttps:
      values.REQUIRE_HTTPS ?? (values.NODE_ENV === 'production' && values.TRUST_PROXY !== false),
    rateLimits: Object.freeze({
      perPerson: values.RATE_LIMIT_PER_PERSON,
      perAddress: values.RATE_LIMIT_PER_ADDRESS,
    }),
    metricsToken: values.METRICS_TOKEN,
  })
}

function arrangeJwt(values: Values) {
  const single: JwtSecret[] =
    values.JWT_SECRET_KEY === undefined ? [] : [{ kid: undefined, secret: values.JWT_SECRET_KEY }]
  const secrets: readonly JwtSecret[] = [...single, ...(values.JWT_SECRET_KEYS ?? [])]
  return unprintable({
    /** At least one; the one without `kid` comes first; absent: development. */
    secrets: secrets.length === 0 ? undefined : secrets,
    /** Claim of the user id; absent: `sub`, else `user_id`. */
    userClaim: values.JWT_USER_CLAIM,
    issuer: values.JWT_ISSUER,
    audience: values.JWT_AUDIENCE,
    clockToleranceSeconds: values.JWT_CLOCK_TOLERANCE_SECONDS,
    serviceClients: values.SERVICE_CLIENTS,
    primary: values.PRIMARY_IDENTITY,
  })
}

function arrangeOidc(values: Values) {
  const { KEYCLOAK_SERVER_URL: server, KEYCLOAK_REALM: realm } = values
  const keycloakIssuer =
    server === undefined || realm === undefined
      ? undefined
      : `${server.replace(/\/+$/, '')}/realms/${encodeURIComponent(realm)}`
  return unprintable({
    issuer: values.OIDC_ISSUER ?? keycloakIssuer,
    audience: values.OIDC_AUDIENCE,
    /** How long a key that was withdrawn may still be believed. */
    freshMs: values.OIDC_KEYS_SECONDS * 1_000,
    outageMs: values.OIDC_OUTAGE_SECONDS * 1_000,
    timeoutMs: values.OIDC_TIMEOUT_MS,
    jwksUri: values.OIDC_JWKS_URI,
    clientId: values.OIDC_CLIENT_ID,
    clientSecret: values.OIDC_CLIENT_SECRET,
  })
}

function arrangeUploads(values: Values) {
  return Object.freeze({
    maxFileBytes: values.MAX_FILE_SIZE_MB * MIB,
    /** Media types in lower case. */
    allowedContentTypes: values.ALLOWED_CONTENT_TYPES,
    maxConcurrent: values.MAX_CONCURRENT_UPLOADS,
    idleSeconds: values.UPLOAD_IDLE_SECONDS,
    /** 0: no minimum. */
    minBytesPerSecond: values.UPLOAD_MIN_BYTES_PER_SECOND,
    /** 0: no quota. */
    quotaBytesPerPerson: values.UPLOAD_QUOTA_MB * MIB,
    maxFields: values.MAX_UPLOAD_FIELDS,
    maxBatchFiles: values.MAX_BATCH_FILES,
    segmentSizeLog2: values.SEGMENT_SIZE_LOG2,
    /** Days after which unfinished uploads are removed. */
    expiryDays: values.UPLOAD_EXPIRY_DAYS,
    direct: values.DIRECT_UPLOADS,
  })
}

function arrangeAssignments(values: Values) {
  const { ASSIGNMENTS_URL: given, DATABASE_SERVICE_URL: base } = values
  const asked = given ?? (base === undefined ? undefined : DEFAULT_ASSIGNMENTS_PATH)
  return unprintable({
    /** Absolute URL the portal is asked at; absent: our own table. */
    url: asked !== undefined && URL.canParse(asked, base) ? new URL(asked, base).href : undefined,
    token: values.DATABASE_SERVICE_TOKEN,
    timeoutMs: values.ASSIGNMENTS_TIMEOUT_MS,
    /** How long the portal's answer may be believed; at most 60. */
    cacheSeconds: values.ASSIGNMENTS_CACHE_SECONDS,
    grants: values.ASSIGNMENT_GRANTS,
  })
}

function arrangeDocuments(values: Values) {
  const atMost = (seconds: number) => Math.min(seconds, values.TICKET_MAX_SECONDS)
  return Object.freeze({
    ticketMaxSeconds: values.TICKET_MAX_SECONDS,
    uploadTicketSeconds: atMost(values.UPLOAD_TICKET_SECONDS),
    viewTicketSeconds: atMost(values.VIEW_TICKET_SECONDS),
    viewSessionSeconds: values.VIEW_SESSION_SECONDS,
    buckets: values.BUCKETS,
    contentTypes: values.DOCUMENT_CONTENT_TYPES,
    orderServiceUrl: values.ORDER_SERVICE_URL,
    serviceAccountEmail: values.KEYCLOAK_SERVICE_ACCOUNT_EMAIL,
  })
}

function arrangeOutbound(values: Values) {
  return unprintable({
    auditAnchor: values.AUDIT_ANCHOR,
    clamdUrl: values.CLAMD_URL,
    scanPolicy: values.SCAN_POLICY,
  })
}

function arrangeOutbox(values: Values) {
  const { WEBHOOK_URL: url, WEBHOOK_SECRET: secrets } = values
  const [firstSeconds, maxSeconds] = values.OUTBOX_RETRY_SECONDS
  return unprintable({
    webhook: url === undefined || secrets === undefined ? undefined : { url, secrets },
    /** Actions, or `prefix.*`. */
    webhookEvents: values.WEBHOOK_EVENTS,
    sink:
      values.AUDIT_SINK_URL === undefined
        ? undefined
        : { url: values.AUDIT_SINK_URL, token: values.DATABASE_SERVICE_TOKEN },
    retry: { firstMs: firstSeconds * 1_000, maxMs: maxSeconds * 1_000 },
    giveUpMs: values.OUTBOX_GIVE_UP_HOURS * 3_600_000,
  })
}

/** As OpenTelemetry has it: the general endpoint is a base, that of traces a whole URL. */
function arrangeTraces(values: Values) {
  const { OTEL_EXPORTER_OTLP_ENDPOINT: base, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: whole } = values
  const endpoint =
    whole ?? (base === undefined ? undefined : `${base.replace(/\/+$/, '')}/v1/traces`)
  if (endpoint === undefined || values.OTEL_SDK_DISABLED) return undefined
  return unprintable({
    endpoint,
    headers: values.OTEL_EXPORTER_OTLP_HEADERS ?? {},
    serviceName: values.OTEL_SERVICE_NAME,
    attributes: values.OTEL_RESOURCE_ATTRIBUTES,
    sampler: values.OTEL_TRACES_SAMPLER,
    ratio: values.OTEL_TRACES_SAMPLER_ARG,
  })
}
