import tseslint from 'typescript-eslint'

/**
 * Who may import whom, room by room (docs/ARCHITECTURE.md). A room sees itself, the rooms named
 * here, and the packages named here; node's own modules are open to all.
 * `ports` of a room are its interfaces: files called ports.ts.
 */
const rooms = {
  ports: { rooms: ['errors'], packages: [] },
  idempotency: { rooms: ['keys', 'ports', 'errors'], packages: [] },
  errors: { rooms: [], packages: [] },
  crypto: { rooms: ['errors'], packages: [] },
  keys: { rooms: ['crypto', 'ports', 'errors'], packages: [] },
  rotation: { rooms: ['crypto', 'keys', 'audit', 'jobs', 'ports', 'errors'], packages: [] },
  blobs: {
    rooms: ['ports', 'errors'],
    packages: ['@aws-sdk/client-s3', '@aws-sdk/credential-providers'],
  },
  audit: { rooms: ['crypto', 'keys', 'ports', 'errors'], packages: [] },
  people: {
    rooms: ['crypto', 'keys', 'audit', 'ports', 'errors'],
    packages: [
      '@node-rs/argon2',
      'bcryptjs',
      'otpauth',
      '@zxcvbn-ts/core',
      '@zxcvbn-ts/language-common',
    ],
  },
  files: {
    rooms: ['crypto', 'keys', 'blobs', 'audit', 'people', 'jobs', 'idempotency', 'ports', 'errors'],
    packages: ['file-type'],
  },
  records: {
    rooms: [
      'crypto',
      'keys',
      'blobs',
      'audit',
      'people',
      'files',
      'jobs',
      'idempotency',
      'ports',
      'errors',
    ],
    packages: [],
  },
  backup: {
    rooms: ['crypto', 'keys', 'rotation', 'blobs', 'audit', 'files', 'ports', 'errors'],
    packages: ['@node-rs/argon2', 'shamir-secret-sharing', 'typebox'],
  },
  jobs: { rooms: ['ports', 'errors'], packages: [] },
  doctor: { rooms: ['blobs', 'db', 'ports', 'errors'], packages: [] },
  outbox: { rooms: ['audit', 'jobs', 'ports', 'errors'], packages: [] },
  erasure: {
    rooms: ['crypto', 'keys', 'blobs', 'audit', 'people', 'files', 'jobs', 'ports', 'errors'],
    packages: [],
  },
  alerts: { rooms: ['audit', 'records', 'ports', 'errors'], packages: [] },
  tickets: {
    rooms: ['keys', 'audit', 'people', 'files', 'records', 'ports', 'errors'],
    packages: [],
  },
  documents: {
    rooms: [
      'crypto',
      'keys',
      'audit',
      'people',
      'files',
      'records',
      'tickets',
      'jobs',
      'ports',
      'errors',
    ],
    packages: [],
  },
  buckets: {
    rooms: [
      'crypto',
      'keys',
      'audit',
      'people',
      'files',
      'tickets',
      'documents',
      'ports',
      'errors',
    ],
    packages: [],
  },
  emergency: {
    rooms: ['crypto', 'keys', 'audit', 'people', 'files', 'records', 'ports', 'errors'],
    packages: [],
  },
  db: {
    rooms: [
      'errors',
      'ports',
      'audit',
      'keys',
      'people',
      'files',
      'records',
      'jobs',
      'idempotency',
      'rotation',
      'erasure',
      'emergency',
      'tickets',
      'documents',
      'buckets',
      'alerts',
      'outbox',
    ],
    packages: ['pg', '@electric-sql/pglite', 'fs-native-extensions'],
    only: 'ports',
  },
  integrations: {
    rooms: ['errors', 'ports', 'people', 'records', 'audit', 'outbox'],
    packages: ['undici'],
    only: 'ports',
  },
  redis: { rooms: ['crypto', 'ports', 'errors'], packages: ['ioredis'] },
  operations: {
    rooms: [
      'errors',
      'ports',
      'keys',
      'people',
      'audit',
      'blobs',
      'files',
      'rotation',
      'backup',
      'erasure',
      'jobs',
      'outbox',
    ],
    packages: ['typebox', 'undici'],
  },
  metrics: {
    rooms: ['jobs', 'outbox', 'ports', 'errors'],
    packages: ['prom-client'],
    only: 'ports',
  },
  traces: {
    rooms: ['ports', 'errors'],
    packages: [
      '@opentelemetry/api',
      '@opentelemetry/context-async-hooks',
      '@opentelemetry/core',
      '@opentelemetry/exporter-trace-otlp-proto',
      '@opentelemetry/resources',
      '@opentelemetry/sdk-trace',
    ],
    only: 'ports',
  },
  http: {
    rooms: [
      'files',
      'records',
      'emergency',
      'tickets',
      'documents',
      'buckets',
      'people',
      'audit',
      'ports',
      'errors',
    ],
    packages: [
      'fastify',
      'fastify-plugin',
      '@fastify/cookie',
      '@fastify/cors',
      '@fastify/helmet',
      '@fastify/rate-limit',
      '@fastify/jwt',
      '@fastify/multipart',
      '@fastify/swagger',
      '@fastify/swagger-ui',
      '@fastify/type-provider-typebox',
      'typebox',
      'pdfkit',
    ],
  },
}

/** The room of keys is free of packages but for these, each in the one adapter that drives it. */
const keyDrivers = {
  'src/keys/aws-kms-key-provider.ts': '@aws-sdk/client-kms',
  'src/keys/vault-key-provider.ts': 'undici',
}

const escape = (text) => text.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&')

/** no-restricted-imports with one pattern: everything that is not allowed by name. */
function importRule(room, { rooms: seen, packages, only }) {
  const own = '\\.\\/|(?:\\.\\.\\/)+'
  const others = Object.keys(rooms).filter((name) => name !== room && !seen.includes(name))
  const patterns = [
    {
      regex: `^(?:\\.\\.\\/)+(?:${[...others, 'cli'].join('|')})\\/`,
      message: `${room} may import ${seen.join(', ') || 'nothing'} only (docs/ARCHITECTURE.md).`,
    },
    {
      regex: `^(?:\\.\\.\\/)+(?:compose|main|app|config)\\.js$`,
      message: 'Only main and the command line import the composition.',
    },
    {
      regex: `^(?!node:|${own}|(?:${packages.map(escape).join('|') || '\\0'})(?:\\/|$))`,
      message: `${room} may use these packages only: ${packages.join(', ') || 'none'}.`,
    },
  ]
  if (only === 'ports') {
    const domain = seen.filter((name) => name !== 'errors').join('|')
    patterns.push({
      regex: `^(?:\\.\\.\\/)+(?:${domain})\\/(?!transactions\\.js$|(?:work-log|watch|meter|tracing)\\.js$|(?:[a-z]+-)?ports\\.js$|[a-z-]*events\\.js$|wrapping\\.js$)`,
      message: `${room} is an adapter: it knows the ports of other rooms and nothing else of them.`,
    })
  }
  return ['error', { patterns }]
}

export default tseslint.config(
  { ignores: ['dist/', 'client/dist/', 'node_modules/', '.tap/', 'coverage/', 'test/fixtures/'] },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: {
      parserOptions: {
        project: [
          './tsconfig.json',
          './client/tsconfig.json',
          './test/tsconfig.json',
          './demo/tsconfig.json',
          './bench/tsconfig.json',
        ],
      },
    },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: false },
      ],
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      'no-console': 'error',
    },
  },
  ...Object.entries(rooms).map(([room, allowed]) => ({
    files: [`src/${room}/**/*.ts`],
    rules: { 'no-restricted-imports': importRule(room, allowed) },
  })),
  ...Object.entries(keyDrivers).map(([file, driver]) => ({
    files: [file],
    rules: { 'no-restricted-imports': importRule('keys', { ...rooms.keys, packages: [driver] }) },
  })),
  {
    files: ['client/src/**/*.ts'],
    ignores: ['client/src/node-*.ts'],
    rules: {
      'no-restricted-imports': [
        'error',
        {
          patterns: [
            { regex: '^(?!\\./)', message: 'The client has no packages, and runs in browsers.' },
          ],
        },
      ],
      'no-restricted-globals': ['error', 'process', 'Buffer'],
    },
  },
  {
    files: ['src/**/*.ts'],
    ignores: ['src/config.ts', 'src/config/**'],
    rules: {
      'no-restricted-properties': [
        'error',
        {
          object: 'process',
          property: 'env',
          message: 'src/config.ts alone reads the environment.',
        },
      ],
    },
  },
  {
    files: ['src/cli/**/*.ts', 'bench/**/*.ts', 'demo/**/*.ts', 'test/**/*.ts'],
    rules: { 'no-console': 'off' },
  },
  {
    files: ['test/acceptance/**/*.ts'],
    rules: {
      'no-restricted-imports': [
        'error',
        { patterns: [{ regex: '^(?:\\.\\./)+src/', message: 'Acceptance tests are black box.' }] },
      ],
    },
  },
)
