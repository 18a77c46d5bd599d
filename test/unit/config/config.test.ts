import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import t, { type Test } from 'tap'
import { newMasterKey, newSecret } from '../../../src/config/secrets.js'
import { refusedNames } from '../../../src/config/unavailable.js'
import { ConfigError, type Environment, loadEnvironment, readConfig } from '../../../src/config.js'

const masterKey = newMasterKey()
const jwtSecret = newSecret()
const production: Environment = {
  NODE_ENV: 'production',
  MASTER_KEYS: masterKey,
  JWT_SECRET_KEY: jwtSecret,
  DATABASE_URL: 'postgres://strongroom:pw@db/strongroom?sslmode=verify-full',
  TRUST_PROXY: '1',
}

async function folderFor(t: Test): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'config-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  return folder
}

function refusal(env: Environment): ConfigError {
  try {
    readConfig(env, '/srv')
  } catch (error) {
    if (error instanceof ConfigError) return error
    throw error
  }
  throw new Error('accepted')
}

const problems = (env: Environment) => refusal(env).problems
const wrong = (t: Test, env: Environment, ...expected: RegExp[]) => {
  const found = problems(env)
  t.equal(found.length, expected.length, found.join('\n') || 'no problem')
  for (const [index, each] of expected.entries()) t.match(found[index], each)
}

void t.test('an empty environment gives the defaults', (t) => {
  const config = readConfig({}, '/srv')
  t.match(config, {
    production: false,
    environment: 'development',
    logLevel: 'info',
    dataDir: '/srv/storage',
    filesDir: '/srv/storage/files',
    databaseUrl: undefined,
    shutdownSeconds: 30,
    deletion: { retentionDays: 30, backupRetentionDays: 35 },
    http: {
      host: '127.0.0.1',
      port: 8006,
      trustProxy: false,
      corsAllowedOrigins: [],
      frameAncestors: ["'self'"],
      allowedHosts: [],
      apiPrefix: '/api/v1',
      legacyStatus: false,
      metricsToken: undefined,
    },
    keys: { masterKeys: undefined },
    jwt: { secrets: undefined, userClaim: undefined, clockToleranceSeconds: 5 },
    uploads: {
      maxFileBytes: 104_857_600,
      maxConcurrent: 64,
      idleSeconds: 30,
      minBytesPerSecond: 1024,
      quotaBytesPerPerson: 0,
      segmentSizeLog2: 18,
    },
    assignments: { url: undefined, timeoutMs: 2000, cacheSeconds: 30, grants: 'team' },
    s3: { region: 'ap-southeast-2', sse: 'AES256', partSize: 5 * 1_048_576, prefix: '' },
    notices: [],
  })
  t.equal(config.roleMap.size, 0)
  t.same(
    ['application/pdf', 'image/heif', 'application/dicom'].filter(
      (type) => !config.uploads.allowedContentTypes.includes(type),
    ),
    [],
  )
  t.end()
})

void t.test('an empty variable counts as absent', (t) => {
  const config = readConfig({ PORT: '', MASTER_KEYS: ' ', REDIS_URL: '', COOKIE_AUTH: '' }, '/srv')
  t.equal(config.http.port, 8006)
  t.equal(config.keys.masterKeys, undefined)
  t.end()
})

void t.test('values are read', (t) => {
  const config = readConfig(
    {
      ...production,
      HOST: '0.0.0.0',
      PORT: ' 9000 ',
      LOG_LEVEL: 'WARNING',
      DATA_DIR: 'data',
      FILE_STORAGE_PATH: '/mnt/files',
      MASTER_KEYS: `${masterKey}, ${newMasterKey()}`,
      JWT_SECRET_KEYS: JSON.stringify({ a: newSecret(), b: newSecret() }),
      JWT_USER_CLAIM: 'user_id',
      ROLE_MAP: '{"doctor":"clinician","office":["auditor","admin"],"admin":[]}',
      TRUST_PROXY: '10.0.0.0/8, ::1, loopback',
      CORS_ALLOWED_ORIGINS: 'https://A.example https://b.example:8443/',
      FRAME_ANCESTORS: 'self,https://*.portal.example',
      ALLOWED_HOSTS: 'Files.example, .portal.example:8006',
      API_PREFIX: 'orders/v2/',
      LEGACY_STATUS: 'yes',
      MAX_FILE_SIZE_MB: '1',
      UPLOAD_QUOTA_MB: '2',
      DELETE_RETENTION_DAYS: '0',
      ALLOWED_CONTENT_TYPES: 'PDF,image/png,pdf',
      ASSIGNMENT_GRANTS: 'uploader',
    },
    '/srv',
  )
  t.equal(config.http.port, 9000)
  t.equal(config.logLevel, 'warn')
  t.equal(config.dataDir, '/srv/data')
  t.equal(config.filesDir, '/mnt/files')
  t.equal(config.keys.masterKeys?.length, 2)
  t.equal(config.keys.masterKeys?.[0], masterKey)
  t.same(
    config.jwt.secrets?.map(({ kid }) => kid),
    [undefined, 'a', 'b'],
  )
  t.equal(config.jwt.secrets?.[0]?.secret, jwtSecret)
  t.equal(config.jwt.userClaim, 'user_id')
  t.same(Object.fromEntries(config.roleMap), {
    doctor: ['clinician'],
    office: ['auditor', 'admin'],
    admin: [],
  })
  t.same(config.http.trustProxy, ['10.0.0.0/8', '::1', 'loopback'])
  t.same(config.http.corsAllowedOrigins, ['https://a.example', 'https://b.example:8443'])
  t.same(config.http.frameAncestors, ["'self'", 'https://*.portal.example'])
  t.same(config.http.allowedHosts, ['files.example', '.portal.example:8006'])
  t.equal(config.http.apiPrefix, '/orders/v2')
  t.equal(config.http.legacyStatus, true)
  t.equal(config.uploads.maxFileBytes, 1_048_576)
  t.equal(config.uploads.quotaBytesPerPerson, 2_097_152)
  t.equal(config.deletion.retentionDays, 0)
  t.same(config.uploads.allowedContentTypes, ['application/pdf', 'image/png'])
  t.equal(config.assignments.grants, 'uploader')
  t.equal(readConfig({ TRUST_PROXY: '2' }).http.trustProxy, 2)
  t.equal(readConfig({ TRUST_PROXY: 'false' }).http.trustProxy, false)
  t.equal(readConfig({ CORS_ALLOWED_ORIGINS: '*' }).http.corsAllowedOrigins, '*')
  t.same(readConfig({ ALLOWED_HOSTS: '*' }).http.allowedHosts, [])
  t.end()
})

void t.test('each wrong value is named with what is expected', (t) => {
  const cases: Record<string, [value: string, expected: RegExp][]> = {
    NODE_ENV: [['prod', /^NODE_ENV: expected one of development, production, test, got "prod"$/]],
    PORT: [
      ['65536', /^PORT: expected a whole number from 0 to 65535, got "65536"$/],
      ['-1', /^PORT/],
      ['80.5', /^PORT/],
      ['0x50', /^PORT/],
      ['1e3', /^PORT/],
    ],
    HOST: [['a b', /^HOST: expected an address or host name/]],
    LOG_LEVEL: [['loud', /^LOG_LEVEL: expected one of fatal, /]],
    LEGACY_STATUS: [['maybe', /^LEGACY_STATUS: expected true or false, got "maybe"$/]],
    DATABASE_URL: [['mysql://u:hunter2@h/d', /^DATABASE_URL: expected a URL, postgres:/]],
    MASTER_KEYS: [
      ['c2hvcnQ=', /^MASTER_KEYS: expected Fernet keys/],
      [masterKey.slice(0, 43), /^MASTER_KEYS/],
      [`${'A'.repeat(42)}B=`, /^MASTER_KEYS/],
      [`${masterKey},${masterKey}`, /^MASTER_KEYS: expected each master key once$/],
    ],
    JWT_SECRET_KEYS: [
      ['hunter2', /^JWT_SECRET_KEYS: expected a JSON object of strings/],
      ['["hunter2"]', /^JWT_SECRET_KEYS/],
      ['{"a":""}', /^JWT_SECRET_KEYS/],
      ['{"a":2}', /^JWT_SECRET_KEYS/],
      ['{}', /^JWT_SECRET_KEYS/],
    ],
    ROLE_MAP: [
      ['{"doctor":"surgeon"}', /^ROLE_MAP: expected a JSON object .*clinician/],
      ['[]', /^ROLE_MAP/],
    ],
    TRUST_PROXY: [
      ['true', /^TRUST_PROXY: .*would let any caller write their own address/],
      ['99', /^TRUST_PROXY: expected a whole number of hops from 1 to 16/],
      ['10.0.0.0/33', /^TRUST_PROXY: expected a number of hops/],
      ['10.0.0.0/8/8', /^TRUST_PROXY/],
      ['proxy', /^TRUST_PROXY/],
    ],
    CORS_ALLOWED_ORIGINS: [
      ['https://a.example/path', /^CORS_ALLOWED_ORIGINS: expected origins/],
      ['a.example', /^CORS_ALLOWED_ORIGINS/],
      ['https://a.example,*', /^CORS_ALLOWED_ORIGINS/],
      ['file://a', /^CORS_ALLOWED_ORIGINS/],
    ],
    FRAME_ANCESTORS: [
      ['none,https://a.example', /^FRAME_ANCESTORS: expected 'none' to stand alone$/],
      ['*', /^FRAME_ANCESTORS/],
      ["'self'; script-src *", /^FRAME_ANCESTORS/],
    ],
    ALLOWED_HOSTS: [['https://a.example', /^ALLOWED_HOSTS: expected host names/]],
    API_PREFIX: [['../x y', /^API_PREFIX: expected a path/]],
    METRICS_TOKEN: [['short', /^METRICS_TOKEN: expected at least 16/]],
    ALLOWED_CONTENT_TYPES: [
      ['image/*', /^ALLOWED_CONTENT_TYPES: expected media types .*no wildcards$/],
      ['application/x-msdownload', /^ALLOWED_CONTENT_TYPES: expected no executables/],
      ['pdf,application/octet-stream', /^ALLOWED_CONTENT_TYPES: expected no executables/],
      ['exe', /^ALLOWED_CONTENT_TYPES/],
    ],
    DATABASE_SERVICE_URL: [
      ['https://u:hunter2@h/', /^DATABASE_SERVICE_URL: expected a URL without user/],
      ['portal', /^DATABASE_SERVICE_URL: expected a URL, http/],
    ],
    BUCKETS: [['Documents', /^BUCKETS: expected bucket names/]],
    ASSIGNMENTS_CACHE_SECONDS: [['61', /from 0 to 60/]],
    SEGMENT_SIZE_LOG2: [['23', /from 16 to 22/]],
  }
  for (const [name, values] of Object.entries(cases)) {
    for (const [value, expected] of values) {
      const { problems } = refusal({ [name]: value })
      t.equal(problems.length, 1, `${name}=${value}`)
      t.match(problems[0], expected)
    }
  }
  t.end()
})

void t.test('all problems are said at once, without the value of a secret', (t) => {
  const error = refusal({
    PORT: 'x',
    MAX_FILE_SIZE_MB: '0',
    MASTER_KEYS: 'hunter2',
    JWT_SECRET_KEYS: '{"a": hunter2}',
    DATABASE_URL: 'http://hunter2',
    METRICS_TOKEN: 'hunter2',
    REDIS_URL: 'http://:hunter2@h',
    DATABASE_SERVICE_URL: 'https://u:hunter2@h',
    ASSIGNMENTS_URL: 'https://u:hunter2@h',
    WEBHOOK_SECRET: 'hunter2',
  })
  t.equal(error.problems.length, 10)
  t.match(error.message, /PORT: .*\n.*MAX_FILE_SIZE_MB: /s)
  t.notMatch(inspect(error), /hunter2/)
  t.end()
})

void t.test('secrets may come from files', async (t) => {
  const folder = await folderFor(t)
  const file = async (name: string, content: string) => {
    const path = join(folder, name)
    await writeFile(path, content)
    return path
  }
  const MASTER_KEYS_FILE = await file('keys', `${masterKey}\n`)
  const JWT_SECRET_FILE = await file('jwt', ` ${jwtSecret} \r\n`)
  const config = readConfig({ MASTER_KEYS_FILE, JWT_SECRET_FILE })
  t.same(config.keys.masterKeys, [masterKey])
  t.same(config.jwt.secrets, [{ kid: undefined, secret: ` ${jwtSecret} ` }])
  t.match(config.notices, [/^JWT_SECRET is an older name: call it JWT_SECRET_KEY$/])
  wrong(
    t,
    { MASTER_KEYS_FILE, MASTER_KEYS: masterKey },
    /^MASTER_KEYS and MASTER_KEYS_FILE are both set/,
  )
  wrong(t, { MASTER_KEYS_FILE: join(folder, 'none') }, /^MASTER_KEYS_FILE: .*read \(ENOENT\)$/)
  wrong(t, { MASTER_KEYS_FILE: folder }, /^MASTER_KEYS_FILE: .*read \(EISDIR\)$/)
  wrong(t, { METRICS_TOKEN_FILE: await file('empty', '\n') }, /^METRICS_TOKEN_FILE: .*is empty$/)
  wrong(t, { METRICS_TOKEN_FILE: await file('long', 'x'.repeat(70_000)) }, /is too long$/)
  t.equal(readConfig({ PORT_FILE: MASTER_KEYS_FILE }).http.port, 8006, 'only secrets')
  wrong(
    t,
    { ...production, MASTER_KEYS: '', MASTER_KEYS_FILE: join(folder, 'none') },
    /^MASTER_KEYS_FILE: the file it names cannot be read/,
  )
})

void t.test('older names', (t) => {
  const config = readConfig({
    JWT_SECRET: jwtSecret,
    AWS_S3_REGION_NAME: 'eu-west-1',
    AWS_BUCKET_NAME: 'files',
    AWS_S3_BUCKET_NAME: 'files',
    AWS_S3_PUBLIC_URL_EXPIRY: '86400',
  })
  t.equal(config.jwt.secrets?.[0]?.secret, jwtSecret)
  t.equal(config.s3.region, 'eu-west-1')
  t.equal(config.s3.bucket, 'files')
  t.equal(config.documents.viewTicketSeconds, 900)
  for (const each of [
    'JWT_SECRET is an older name: call it JWT_SECRET_KEY',
    'AWS_S3_REGION_NAME is an older name: call it AWS_REGION',
    'AWS_BUCKET_NAME is an older name: call it S3_BUCKET',
    'AWS_S3_BUCKET_NAME is an older name: call it S3_BUCKET',
    'VIEW_TICKET_SECONDS is cut to TICKET_MAX_SECONDS (900)',
  ]) {
    t.equal(config.notices.filter((notice) => notice === each).length, 1, each)
  }
  t.ok(readConfig({ JWT_SECRET: jwtSecret, JWT_SECRET_KEY: jwtSecret }), 'both, the same')
  wrong(
    t,
    { JWT_SECRET: newSecret(), JWT_SECRET_KEY: jwtSecret },
    /^JWT_SECRET_KEY and JWT_SECRET differ: expected only JWT_SECRET_KEY$/,
  )
  wrong(
    t,
    { AWS_S3_BUCKET_NAME: 'one', AWS_BUCKET_NAME: 'two' },
    /^AWS_S3_BUCKET_NAME and AWS_BUCKET_NAME differ: expected only S3_BUCKET$/,
  )
  wrong(t, { AWS_S3_VERIFY_ON_INIT: '2' }, /^AWS_S3_VERIFY_ON_INIT: expected true or false/)
  t.end()
})

void t.test('names ignored and names mistyped are said', (t) => {
  t.same(readConfig({ SECRET_KEY: 'hunter2', DEBUG: '1' }).notices, [
    'SECRET_KEY is not used here: tokens are verified with JWT_SECRET_KEY and files sealed under MASTER_KEYS',
    'DEBUG is not used here: nothing is answered differently for debugging; see LOG_LEVEL',
  ])
  t.same(readConfig({ MAX_FILESIZE_MB: '3', MASTER_KEY: 'hunter2', TRUST_PROXIES: '1' }).notices, [
    'MAX_FILESIZE_MB is not known: is MAX_FILE_SIZE_MB meant?',
    'MASTER_KEY is not known: is MASTER_KEYS meant?',
  ])
  const ordinary = { PATH: '/bin', HOME: '/root', HOSTNAME: 'h', PORTS: '1', npm_config_cache: 'x' }
  t.same(readConfig(ordinary).notices, [])
  t.end()
})

void t.test('what is not built yet is refused when it is set', (t) => {
  const values: Record<string, string> = {
    CLAMD_URL: 'tcp://h:3310',
    DIRECT_UPLOADS: 'true',
    SCAN_POLICY: 'require',
    ORDER_SERVICE_URL: 'https://h',
    FASTAPI_APP_BASE_URL: 'https://h',
  }
  for (const [name, value] of Object.entries(values)) {
    const { problems } = refusal({ [name]: value, DATABASE_URL: 'postgres://h/d' })
    t.equal(problems.length, 1, name)
    t.match(problems[0], new RegExp(`^${name}( \\(\\w+\\))?: not available in this version$`))
  }
  const defaults = { WORKERS: '1', STORAGE_DRIVER: 'disk' }
  t.same(readConfig(defaults).notices, [], 'the defaults may be spelt out')
  t.same(readConfig({ API_PREFIX: 'api/v2/' }).notices.slice(0, 1), [
    'API_PREFIX has no effect in this version',
  ])
  t.ok(refusedNames.has('DIRECT_UPLOADS'))
  t.end()
})

void t.test('production', (t) => {
  const config = readConfig(production)
  t.equal(config.production, true)
  t.same(config.notices, [])
  t.equal(config.http.requiresHttps, true)
  const bare = readConfig({ ...production, TRUST_PROXY: '' })
  t.equal(bare.http.requiresHttps, false)
  t.match(bare.notices, [/^TRUST_PROXY is absent: whether callers came by https/])
  t.equal(readConfig({ ...production, REQUIRE_HTTPS: 'false' }).http.requiresHttps, false)
  const without = (...names: string[]) =>
    Object.fromEntries(Object.entries(production).filter(([name]) => !names.includes(name)))
  wrong(t, without('MASTER_KEYS'), /^MASTER_KEYS: expected at least one.*development keys/)
  wrong(t, without('JWT_SECRET_KEY'), /^JWT_SECRET_KEY, .*OIDC_ISSUER or LOCAL_ACCOUNTS: expected/)
  wrong(t, without('DATABASE_URL'), /^DATABASE_URL: expected PostgreSQL, or ALLOW_EMBEDDED=true/)
  t.ok(readConfig({ ...without('DATABASE_URL'), ALLOW_EMBEDDED: 'true' }))
  wrong(t, { ...production, REDIS_URL: 'redis://redis:6379' }, /^REDIS_URL: expected rediss:/)
  for (const url of ['rediss://redis:6379', 'redis://127.0.0.1', 'redis://[::1]:6379/1']) {
    t.equal(readConfig({ ...production, REDIS_URL: url }).redisUrl, url)
  }
  for (const name of ['DATABASE_URL', 'DATABASE_OWNER_URL']) {
    for (const query of ['', '?sslmode=disable', '?sslmode=require']) {
      const env = { ...production, [name]: `postgres://db/strongroom${query}` }
      wrong(t, env, new RegExp(`^${name}: expected sslmode=verify-full`))
      t.ok(readConfig({ ...env, CLEARTEXT_HOSTS: 'redis,db' }))
      t.match(
        readConfig({ [name]: env[name], DATABASE_URL: env[name] }).notices.join('\n'),
        new RegExp(`${name}: .*refused in production`),
      )
    }
    const root = '?sslmode=verify-ca&sslrootcert=/etc/ca.pem'
    for (const url of [`postgres://db/x${root}`, 'postgres://[::1]/x', 'postgres:///x?host=/run']) {
      t.ok(readConfig({ ...production, [name]: url }), url)
    }
    wrong(t, { ...production, [name]: 'postgres://h/n?sslmode=prefer' }, /sslmode to be one of/)
  }
  for (const [name, value] of [
    ['REDIS_URL', 'redis://inside:6379'],
    ['S3_ENDPOINT', 'http://inside:9000'],
    ['OIDC_ISSUER', 'http://inside/realm'],
    ['AUDIT_SINK_URL', 'http://inside/log'],
  ] as const) {
    const env = { ...production, OIDC_AUDIENCE: 'strongroom', [name]: value }
    const rest = name === 'OIDC_ISSUER' ? {} : { OIDC_ISSUER: 'https://login.example' }
    wrong(t, { ...env, ...rest }, new RegExp(`^${name}: expected .*CLEARTEXT_HOSTS`))
    t.ok(readConfig({ ...env, ...rest, CLEARTEXT_HOSTS: 'inside' }), name)
    wrong(t, { ...env, ...rest, CLEARTEXT_HOSTS: 'side' }, new RegExp(`^${name}: expected`))
  }
  wrong(t, { ...production, CORS_ALLOWED_ORIGINS: '*' }, /^CORS_ALLOWED_ORIGINS: .*not \*/)
  for (const [secret, why] of [
    ['a'.repeat(31), /is shorter than 32 bytes/],
    ['a'.repeat(64), /repeats a few characters/],
    ['change-me-change-me-change-me-0123456789', /looks like a sample value/],
    ['django-insecure-q8w7e6r5t4y3u2i1o0pasdfghjkl', /looks like a sample value/],
    ['your-secret-key-here-0123456789abcdefghij', /looks like a sample value/],
  ] as const) {
    wrong(t, { ...production, JWT_SECRET_KEY: secret }, why)
    t.match(readConfig({ JWT_SECRET_KEY: secret }).notices, [why], 'said in development')
  }
  const JWT_SECRET_KEYS = JSON.stringify({ good: newSecret(), bad: 'short' })
  wrong(t, { ...production, JWT_SECRET_KEYS }, /^JWT_SECRET_KEYS is shorter/)
  t.equal(problems({ NODE_ENV: 'production', CORS_ALLOWED_ORIGINS: '*' }).length, 4)
  t.end()
})

void t.test('development secrets serve on loopback only', (t) => {
  for (const HOST of ['127.0.0.1', '127.1.2.3', '::1', 'localhost']) t.ok(readConfig({ HOST }))
  for (const HOST of ['0.0.0.0', '::', '192.168.0.2', '127.0.0.1.example.org']) {
    wrong(t, { HOST }, /^MASTER_KEYS: .*loopback only/, /^JWT_SECRET_KEY, .*loopback only/)
    t.ok(readConfig({ HOST, MASTER_KEYS: masterKey, JWT_SECRET_KEY: jwtSecret }))
  }
  t.end()
})

void t.test('who is calling', (t) => {
  const OIDC_ISSUER = 'https://login.example/realms/portal'
  const OIDC_CLIENT_ID = 'strongroom'
  wrong(t, { OIDC_ISSUER }, /^OIDC_AUDIENCE or OIDC_CLIENT_ID: expected/)
  wrong(t, { OIDC_CLIENT_ID }, /^OIDC_ISSUER: expected with OIDC_CLIENT_ID/)
  wrong(
    t,
    { OIDC_ISSUER, OIDC_AUDIENCE: 'x', OIDC_CLIENT_SECRET: 'x' },
    /^OIDC_CLIENT_ID: expected/,
  )
  wrong(t, { PRIMARY_IDENTITY: 'oidc' }, /^PRIMARY_IDENTITY: oidc expects OIDC_ISSUER/)
  wrong(t, { OIDC_ISSUER, OIDC_CLIENT_ID, PRIMARY_IDENTITY: 'shared' }, /^PRIMARY_IDENTITY: shared/)
  const keycloak = { KEYCLOAK_SERVER_URL: 'https://login.example/', KEYCLOAK_REALM: 'portal' }
  t.equal(readConfig({ ...keycloak, OIDC_CLIENT_ID }).oidc.issuer, OIDC_ISSUER)
  const provided = { ...production, OIDC_ISSUER, OIDC_CLIENT_ID, JWT_SECRET_KEY: '' }
  t.ok(readConfig(provided), 'a provider is enough in production')
  wrong(t, { ...provided, OIDC_ISSUER: 'http://login.example' }, /^OIDC_ISSUER: expected https/)
  t.equal(readConfig(provided).accounts, false, 'no second way in beside a provider')
  t.equal(readConfig({ ...provided, LOCAL_ACCOUNTS: 'true' }).accounts, true)
  t.equal(readConfig({}).accounts, true)
  t.ok(readConfig({ ...production, JWT_SECRET_KEY: '', LOCAL_ACCOUNTS: 'true' }))
  wrong(t, { ...provided, PRIMARY_IDENTITY: 'local' }, /^PRIMARY_IDENTITY: local expects/)
  wrong(t, { REQUIRE_SECOND_FACTOR: 'everything' }, /^REQUIRE_SECOND_FACTOR: expected one of/)
  const cookies = { OIDC_ISSUER, OIDC_AUDIENCE: 'x', COOKIE_AUTH: 'true' }
  t.match(readConfig(cookies).notices, [/^OIDC_CLIENT_ID is absent: sessions/])
  for (const SERVICE_CLIENTS of [
    '[]',
    '{"a": 1}',
    '{"a": {"roles": ["admin"], "actions": ["view"]}}',
    '{"a": {"roles": ["patient"], "actions": ["grant"]}}',
    '{"a": {"roles": ["patient"]}}',
    '{"a": {"roles": [], "actions": [], "more": 1}}',
  ]) {
    wrong(t, { SERVICE_CLIENTS }, /^SERVICE_CLIENTS: expected a JSON object/)
  }
  const one = '{"a": {"roles": ["patient"], "actions": ["view"]}}'
  t.same(readConfig({ SERVICE_CLIENTS: one }).jwt.serviceClients.get('a'), {
    roles: ['patient'],
    actions: ['view'],
  })
  t.end()
})

void t.test('the sealed files have a folder of their own', (t) => {
  const named = /^FILE_STORAGE_PATH: expected a folder of its own/
  for (const path of ['/srv/storage', '/srv', '/', '/srv/storage/keys', 'storage/database/files']) {
    wrong(t, { FILE_STORAGE_PATH: path }, named)
  }
  for (const path of ['/srv/storage/keys2', '/srv/sealed', 'storage/files']) {
    t.ok(readConfig({ FILE_STORAGE_PATH: path }, '/srv'))
  }
  t.end()
})

void t.test('where the portal is asked for assignments', (t) => {
  const urlOf = (env: Environment) => readConfig(env).assignments.url
  const DATABASE_SERVICE_URL = 'https://portal.example/db/'
  t.equal(urlOf({ DATABASE_SERVICE_URL }), 'https://portal.example/api/assignments/check')
  t.equal(urlOf({ ASSIGNMENTS_URL: 'http://h/ask?x=1' }), 'http://h/ask?x=1')
  t.equal(urlOf({ DATABASE_SERVICE_URL, ASSIGNMENTS_URL: 'ask' }), 'https://portal.example/db/ask')
  t.equal(urlOf({ DATABASE_SERVICE_URL, ASSIGNMENTS_URL: 'http://h/a' }), 'http://h/a')
  for (const ASSIGNMENTS_URL of ['/ask', 'ftp://h/', 'https://u:p@h/']) {
    wrong(t, { ASSIGNMENTS_URL }, /^ASSIGNMENTS_URL: expected a URL/)
  }
  t.match(readConfig({ DATABASE_SERVICE_URL }).notices, [/^DATABASE_SERVICE_TOKEN is absent/])
  const DATABASE_SERVICE_TOKEN = 'portal-token'
  t.same(readConfig({ DATABASE_SERVICE_URL, DATABASE_SERVICE_TOKEN }).notices, [])
  t.end()
})

void t.test('S3 encryption is left to a server of one’s own', (t) => {
  t.equal(readConfig({ S3_ENDPOINT: 'http://h' }).s3.sse, undefined)
  t.equal(readConfig({ S3_ENDPOINT: 'http://h', S3_SSE: 'AWS:KMS' }).s3.sse, 'aws:kms')
  t.equal(readConfig({ S3_SSE: 'none' }).s3.sse, undefined)
  t.end()
})

void t.test('settings are frozen and do not print', (t) => {
  const config = readConfig(production)
  for (const each of [config, config.http, config.keys, config.jwt, config.uploads]) {
    t.ok(Object.isFrozen(each))
  }
  t.ok(Object.isFrozen(config.uploads.allowedContentTypes))
  for (const text of [
    inspect(config),
    JSON.stringify(config),
    inspect({ ...config, databaseUrl: '' }, { depth: 9 }),
    JSON.stringify([config.keys, config.jwt]),
  ]) {
    t.notOk(text.includes(masterKey) || text.includes(jwtSecret) || text.includes(':pw@'))
  }
  t.end()
})

void t.test('.env adds to the environment, which wins', async (t) => {
  const folder = await folderFor(t)
  t.equal(loadEnvironment(folder)['PATH'], process.env['PATH'])
  await writeFile(join(folder, '.env'), `# said\nPATH=/elsewhere\nFROM_FILE='{"a": 1}'\n`)
  const env = loadEnvironment(folder)
  t.equal(env['PATH'], process.env['PATH'])
  t.equal(env['FROM_FILE'], '{"a": 1}')
  t.equal(process.env['FROM_FILE'], undefined)
  await rm(join(folder, '.env'))
  await mkdir(join(folder, '.env'))
  t.throws(() => loadEnvironment(folder), {
    name: 'ConfigError',
    problems: [/^\.env .* cannot be read \(EISDIR\)$/],
  })
})

void t.test('sealed bytes in S3', (t) => {
  const bucket = { STORAGE_DRIVER: 's3', S3_BUCKET: 'files' }
  const role = 'arn:aws:iam::123456789012:role/strongroom'
  const keys = { AWS_ACCESS_KEY_ID: 'id', AWS_SECRET_ACCESS_KEY: 'secret' }
  const { s3 } = readConfig({ ...bucket, ...keys, S3_PREFIX: 'a/b', AWS_ROLE_ARN: role })
  t.equal(s3.prefix, 'a/b/')
  t.match(s3.credentials, { accessKeyId: 'id', secretAccessKey: 'secret', files: undefined })
  t.same(
    { ...s3.credentials.role },
    { arn: role, sessionName: 'strongroom', sessionSeconds: 14_400 },
  )
  t.notMatch(JSON.stringify(s3), 'secret', 'printed it says nothing')
  wrong(t, { STORAGE_DRIVER: 's3' }, /^S3_BUCKET: expected with STORAGE_DRIVER=s3$/)
  wrong(t, { ...bucket, AWS_ACCESS_KEY_ID: 'id' }, /^AWS_ACCESS_KEY_ID and .*: expected both/)
  wrong(t, { ...bucket, STORAGE_FALLBACK: 's3' }, /^STORAGE_FALLBACK: expected another place/)
  wrong(t, { STORAGE_FALLBACK: 's3' }, /^S3_BUCKET: expected/)
  wrong(t, { ...bucket, S3_PREFIX: '../x' }, /^S3_PREFIX: expected a path/)
  wrong(
    t,
    { ...bucket, S3_SSE_KMS_KEY_ID: 'k' },
    /^S3_SSE_KMS_KEY_ID: expected with S3_SSE=aws:kms/,
  )
  wrong(t, { ...bucket, S3_STORAGE_CLASS: 'DEEP_ARCHIVE' }, /^S3_STORAGE_CLASS: expected/)
  const accelerated = { ...bucket, S3_USE_ACCELERATE: 'true', S3_FORCE_PATH_STYLE: 'true' }
  wrong(t, accelerated, /^S3_USE_ACCELERATE: expected without/)
  wrong(t, { ...production, ...bucket, S3_ENDPOINT: 'http://s3.example' }, /^S3_ENDPOINT: .*https/)
  const large = readConfig({ ...bucket, MAX_FILE_SIZE_MB: '1048576' })
  t.equal(large.s3.partSize, 116 * 1_048_576, 'ten thousand parts are enough for the largest file')
  t.match(large.notices, [/^S3_PART_SIZE_MB is raised to 116/])
  t.match(readConfig({ S3_BUCKET: 'files' }).notices, [/^S3_BUCKET: nothing is read there/])
  t.end()
})

void t.test('keys of S3 from files are read again, so their places are kept', (t) => {
  const folder = t.testdir({ id: 'id\n', secret: 'secret\n' })
  const bucket = { STORAGE_DRIVER: 's3', S3_BUCKET: 'files' }
  const id = { AWS_ACCESS_KEY_ID_FILE: `${folder}/id` }
  const both = { ...bucket, ...id, AWS_SECRET_ACCESS_KEY_FILE: `${folder}/secret` }
  t.match(readConfig(both).s3.credentials.files, {
    ...{ accessKeyId: `${folder}/id`, secretAccessKey: `${folder}/secret` },
  })
  const half = { ...bucket, ...id, AWS_SECRET_ACCESS_KEY: 'secret' }
  wrong(t, half, /^AWS_ACCESS_KEY_ID_FILE and .*: expected both as files/)
  t.end()
})
