import { defaultWebhookEvents } from '../outbox/outbox-rules.js'
import { contentTypes, defaultContentTypes } from './content-types.js'
import { kmsKeyIds, transitKeys } from './key-places.js'
import {
  connection,
  corsOrigins,
  flag,
  frameAncestors,
  hostName,
  integer,
  type Kind,
  list,
  oneOf,
  text,
  trustProxy,
  url,
} from './kinds.js'
import { retrySeconds, webhookEvent, webhookSecrets } from './outbox.js'
import { masterKeys } from './secrets.js'
import { optional, plain, seconds, secret, type Variable, variable } from './variable.js'
import { callers } from './variables-callers.js'
import { composeSecrets } from './variables-compose.js'
import { database } from './variables-database.js'
import { s3 } from './variables-s3.js'
import { watching } from './variables-watching.js'

const days = (min: number, max: number) => integer(min, max, 'days')

const token = text({
  maxLength: 4096,
  pattern: /^[\x21-\x7e]{16,}$/,
  expected: 'at least 16 visible ASCII characters without spaces',
})

const pathPrefix: Kind<string> = (value) =>
  `/${text({
    pattern: /^\/?[\w.~-]+(?:\/[\w.~-]+)*\/?$/,
    expected: 'a path such as api/v1/',
  })(value).replace(/^\/|\/$/g, '')}`

const none: readonly string[] = []

/** Every variable there is, by section. `.env.example` is written from this table. */
export const sections = {
  'The process': {
    NODE_ENV: plain(
      'production refuses development keys, weak secrets, CORS for all and the embedded database',
      oneOf(['development', 'production', 'test']),
      'development',
    ),
    HOST: plain(
      'Address to listen on; any other than loopback needs MASTER_KEYS and a JWT secret',
      text({ maxLength: 255, pattern: /^[\w.:-]+$/, expected: 'an address or host name' }),
      '127.0.0.1',
    ),
    PORT: plain('Port to listen on; 0 takes a free one', integer(0, 65535), 8006),
    WORKERS: plain(
      'Processes that serve, about one for each core; more than 1 needs DATABASE_URL. Limits such as MAX_CONCURRENT_UPLOADS and DATABASE_POOL_SIZE are of each',
      integer(1, 64),
      1,
    ),
    LOG_LEVEL: plain(
      'How much is logged',
      oneOf(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'], {
        warning: 'warn',
        critical: 'fatal',
      }),
      'info',
    ),
    SHUTDOWN_SECONDS: plain(
      'How long transfers may go on after SIGTERM before they are broken off',
      seconds(0, 3600),
      30,
    ),
  },
  'Where things are kept': {
    DATA_DIR: variable(
      'Folder of the sealed files, the embedded database and the development keys',
      text(),
      'storage',
    ),
    FILE_STORAGE_PATH: optional('Folder of the sealed files; absent: files/ in DATA_DIR', text(), {
      example: 'storage/files',
    }),
    STORAGE_DRIVER: plain('Where sealed bytes are kept', oneOf(['disk', 's3']), 'disk'),
    STORAGE_FALLBACK: optional(
      'Where they were kept before: what is not in STORAGE_DRIVER’s yet is read there (strongroom storage migrate)',
      oneOf(['disk', 's3']),
      { example: 's3' },
    ),
    ...database,
  },
  Keys: {
    MASTER_KEYS: secret(
      'Fernet keys, separated by commas: the first wraps, all unwrap. Lost keys are lost files',
      masterKeys,
    ),
    KEY_PROVIDER: plain(
      'Who holds the master key that wraps: local (MASTER_KEYS), aws-kms or vault; others given open',
      oneOf(['local', 'aws-kms', 'vault']),
      'local',
    ),
    KEY_TIMEOUT_SECONDS: plain(
      'Time limit of a question to KMS or Vault, all attempts together',
      seconds(1, 60),
      5,
    ),
    KEY_CACHE_SECONDS: plain(
      'How long an unwrapped user key serves before it is unwrapped again',
      seconds(0, 86_400),
      300,
    ),
    KEY_OUTAGE_SECONDS: plain(
      'How long after it was unwrapped it goes on serving while KMS or Vault is away; 0: not at all',
      seconds(0, 604_800),
      3600,
    ),
    KMS_KEY_IDS: optional<readonly string[]>(
      'Symmetric KMS keys by id or ARN, separated by commas: the first wraps, all unwrap',
      kmsKeyIds,
      {
        example: 'arn:aws:kms:ap-southeast-2:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab',
      },
    ),
    KMS_ENDPOINT: optional('KMS elsewhere than in AWS_REGION, as behind a VPC endpoint', url(), {
      example: 'https://vpce-0123.kms.ap-southeast-2.vpce.amazonaws.com',
    }),
    VAULT_ADDR: optional('HashiCorp Vault, or its agent', url(), {
      example: 'https://vault.portal.example:8200',
    }),
    VAULT_TOKEN: secret(
      'Token for it; a file of it is read again when Vault refuses the token',
      text({
        maxLength: 4096,
        pattern: /^[\x21-\x7e]+$/,
        expected: 'visible ASCII characters without spaces',
      }),
      { example: 'hvs.token' },
    ),
    VAULT_NAMESPACE: optional(
      'Its namespace',
      text({ maxLength: 512, pattern: /^[\w./-]+$/, expected: 'a path such as team/files' }),
      { example: 'team/files' },
    ),
    VAULT_TRANSIT_MOUNT: variable(
      'Where its Transit engine is mounted',
      text({
        maxLength: 512,
        pattern: /^[\w.-]+(?:\/[\w.-]+)*$/,
        expected: 'a path such as transit',
      }),
      'transit',
    ),
    VAULT_TRANSIT_KEYS: optional<readonly string[]>(
      'Its keys with their version, separated by commas: the first wraps, all unwrap',
      transitKeys,
      { example: 'strongroom:2,strongroom:1' },
    ),
  },
  'Who is calling': callers,
  HTTP: {
    ALLOWED_HOSTS: variable(
      'Host names this service answers to (.example.org: with subdomains); absent: to all',
      list(hostName),
      none,
      { example: 'files.portal.example' },
    ),
    RATE_LIMIT_PER_PERSON: plain(
      'Requests of one person in a minute, on one node; 0: no limit',
      integer(0, 10_000_000, 'requests'),
      6_000,
    ),
    RATE_LIMIT_PER_ADDRESS: plain(
      'The same of one address (IPv6: /56); a hospital may be one',
      integer(0, 10_000_000, 'requests'),
      30_000,
    ),
    REQUIRE_HTTPS: optional(
      'Refuse what did not reach the proxy in front by https; absent: in production with TRUST_PROXY',
      flag,
      { example: 'true' },
    ),
    CORS_ALLOWED_ORIGINS: variable<'*' | readonly string[]>(
      'Origins whose pages may call this service; absent: none',
      corsOrigins,
      none,
      { example: 'https://portal.example' },
    ),
    FRAME_ANCESTORS: variable(
      "Pages that may embed a document: 'self', 'none' or origins",
      frameAncestors,
      ["'self'"],
      { example: 'self https://portal.example' },
    ),
    TRUST_PROXY: variable<false | number | readonly string[]>(
      'Proxies whose X-Forwarded-For is believed: hops or CIDR ranges; absent: none',
      trustProxy,
      false,
      { example: '1' },
    ),
    API_PREFIX: variable('Where the order calls stand', pathPrefix, '/api/v1', {
      example: 'api/v1/',
    }),
    LEGACY_STATUS: plain('Answer 400 where the Django service did (too large)', flag, false),
    METRICS_TOKEN: secret('Bearer token for metrics and for details of health', token),
  },
  'Uploads and files': {
    MAX_FILE_SIZE_MB: plain(
      'Largest file, in MiB (1,048,576 bytes)',
      integer(1, 1_048_576, 'MiB'),
      100,
    ),
    ALLOWED_CONTENT_TYPES: variable(
      'Types that are kept: media types or pdf, jpeg, png, heic, tiff, webp, docx, xlsx, odt, txt, csv, dicom, zip',
      contentTypes,
      defaultContentTypes,
      { example: 'pdf,jpeg,png,heic,tiff,webp,docx,xlsx,odt,txt,csv,dicom,zip' },
    ),
    MAX_CONCURRENT_UPLOADS: plain(
      'Uploads at a time, past which the answer is 503; bounds memory',
      integer(1, 10_000),
      64,
    ),
    UPLOAD_IDLE_SECONDS: plain(
      'An upload that sends nothing for so long is ended',
      seconds(1, 3600),
      30,
    ),
    UPLOAD_MIN_BYTES_PER_SECOND: plain(
      'An upload that stays slower than this is ended; 0: none',
      integer(0, 1_073_741_824, 'bytes a second'),
      1024,
    ),
    UPLOAD_QUOTA_MB: plain(
      'What one person may keep in all, in MiB; 0: no limit',
      integer(0, 1_073_741_824, 'MiB'),
      0,
    ),
    MAX_UPLOAD_FIELDS: plain('Form fields of one upload', integer(1, 1000), 32),
    MAX_BATCH_FILES: plain('Files of one batch', integer(1, 1000), 20),
    SEGMENT_SIZE_LOG2: plain(
      'Segment size of new sealings as a power of two (18: 256 KiB)',
      integer(16, 22),
      18,
    ),
    UPLOAD_EXPIRY_DAYS: plain('Unfinished uploads are removed after so long', days(1, 365), 7),
    DELETE_RETENTION_DAYS: plain(
      'How long a deleted file can be restored before it is destroyed; 0: not at all',
      days(0, 36_500),
      30,
    ),
    BACKUP_RETENTION_DAYS: plain(
      'How long a backup, replica or archived log is kept at most: erasure certificates count it',
      days(0, 36_500),
      35,
    ),
    SWEEP_EVERY_HOURS: plain(
      'How often stored bytes are compared with the database, and debris is set aside',
      integer(1, 8_760, 'hours'),
      24,
    ),
    SCRUB_EVERY_DAYS: plain(
      'How often every sealed file is opened from end to end, to find what has decayed',
      days(1, 3_650),
      30,
    ),
    SCRUB_MB_PER_SECOND: plain(
      'How fast that is done, in MiB a second',
      integer(1, 10_000, 'MiB'),
      4,
    ),
    SWEEP_KEEP_DAYS: plain(
      'Bytes without a row are set aside for so long before they are destroyed: longer than a backup is kept',
      days(1, 36_500),
      30,
    ),
    SWEEP_GRACE_HOURS: plain(
      'Bytes without a row are left alone for so long: they may belong to an upload under way',
      integer(1, 8_760, 'hours'),
      24,
    ),
  },
  'Audit log': {
    ALERT_EVERY_SECONDS: plain('How often the log is looked at for them', seconds(1, 3600), 60),
    ALERT_REFUSALS_PER_HOUR: plain(
      'Refusals of one person, or one address, that raise an alert; 0: none do',
      integer(0, 1_000_000, 'refusals'),
      50,
    ),
    ALERT_RECORDS_PER_HOUR: plain(
      'Different records opened by one person that raise an alert; 0: none do',
      integer(0, 1_000_000, 'records'),
      100,
    ),
    ALERT_OUTSIDE_ASSIGNMENT: plain(
      'Whether a clinician who reads what was shared, without treating the patient, raises one',
      flag,
      true,
    ),
    AUDIT_RETENTION_YEARS: plain(
      'Years that each month of the log is kept at least; none is dropped but by command',
      integer(6, 100, 'years'),
      6,
    ),
    AUDIT_SEAL_SECONDS: plain(
      'Events are sealed so often: what is younger shows only to the process that wrote it',
      seconds(1, 3_600),
      1,
    ),
    AUDIT_ANCHOR: optional(
      'Where signed heads of the log are put: a file (append-only, better on another machine), an https URL that takes a POST, or off; absent: audit-heads.jsonl in DATA_DIR',
      text(),
      { example: '/mnt/worm/strongroom-heads.jsonl' },
    ),
    AUDIT_ANCHOR_SECONDS: plain(
      'Heads are put there so often at most, and at every stop',
      seconds(1, 86_400),
      10,
    ),
  },
  'Assignments (who treats whom)': {
    ASSIGNMENTS_URL: optional(
      'The portal is asked: GET …?clinician_id=&patient_id= → {"assigned": true}; a path is taken from DATABASE_SERVICE_URL; absent: our own table',
      text(),
      { example: 'https://portal.example/api/assignments/check' },
    ),
    DATABASE_SERVICE_URL: optional(
      'Base of the portal’s database service; ASSIGNMENTS_URL is then /api/assignments/check there, unless given',
      url(),
      { example: 'https://portal.example' },
    ),
    DATABASE_SERVICE_TOKEN: secret(
      'Bearer token for it, and for AUDIT_SINK_URL',
      text({ maxLength: 8192 }),
    ),
    ASSIGNMENTS_TIMEOUT_MS: plain(
      'Time limit of that question',
      integer(50, 60_000, 'milliseconds'),
      2000,
    ),
    ASSIGNMENTS_CACHE_SECONDS: plain('How long an answer is good for', seconds(0, 60), 30),
    ASSIGNMENT_GRANTS: plain(
      'team: a clinician newly assigned gets the patient’s records; uploader: only what they upload',
      oneOf(['team', 'uploader']),
      'team',
    ),
    EMERGENCY_MAX_MINUTES: plain(
      'Longest emergency access that may be asked for',
      integer(1, 240, 'minutes'),
      240,
    ),
    EMERGENCY_MAX_RECORDS: plain(
      'Different records that one emergency access opens',
      integer(1, 1000, 'records'),
      50,
    ),
  },
  'Tickets, orders and buckets': {
    TICKET_MAX_SECONDS: plain('Longest life of an unopened ticket', seconds(10, 3600), 900),
    UPLOAD_TICKET_SECONDS: plain(
      'Life of an upload ticket where none is asked for; at most TICKET_MAX_SECONDS',
      seconds(10, 604_800),
      900,
      { older: ['AWS_S3_PRESIGNED_URL_EXPIRY'] },
    ),
    VIEW_TICKET_SECONDS: plain(
      'Life of a view ticket where none is asked for; at most TICKET_MAX_SECONDS',
      seconds(10, 604_800),
      900,
      { older: ['AWS_S3_PUBLIC_URL_EXPIRY'] },
    ),
    VIEW_SESSION_SECONDS: plain(
      'How long an opened view ticket serves its client',
      seconds(10, 86_400),
      3600,
    ),
    DIRECT_UPLOADS: plain(
      'Presigned S3 URLs for uploads: plaintext rests in an inbox for a while',
      flag,
      false,
    ),
    DOCUMENT_CONTENT_TYPES: variable(
      'Types a document may be of that is sent to a URL of its own; of those that are kept at all',
      contentTypes,
      ['application/pdf', 'image/jpeg', 'image/png', 'image/heic'],
      { example: 'pdf,jpeg,png,heic' },
    ),
    BUCKETS: variable(
      'Buckets there are',
      list(
        text({
          maxLength: 63,
          pattern: /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/,
          expected: 'bucket names of 3 to 63 lower case letters, digits, dots and hyphens',
        }),
      ),
      ['documents'],
    ),
    ORDER_SERVICE_URL: optional('Base of the order service', url(), {
      older: ['FASTAPI_APP_BASE_URL'],
      example: 'https://orders.portal.example',
    }),
  },
  S3: s3,
  'Audit, scanning, webhooks': {
    AUDIT_SINK_URL: optional(
      'The portal’s own log: every audit event is posted there, with DATABASE_SERVICE_TOKEN as bearer',
      url(),
      { example: 'https://siem.portal.example/events' },
    ),
    CLAMD_URL: optional('ClamAV', connection(['tcp:', 'unix:']), {
      example: 'tcp://localhost:3310',
    }),
    SCAN_POLICY: optional('What an unscanned or infected file may do', text(), {
      example: 'require',
    }),
    WEBHOOK_URL: optional('Where webhooks are posted to: what happened, in ids alone', url(), {
      example: 'https://portal.example/hooks/files',
    }),
    WEBHOOK_SECRET: secret<readonly Buffer[]>(
      'What they are signed with: whsec_ and 24 to 64 bytes in base64; several, separated by commas, each sign',
      webhookSecrets,
    ),
    WEBHOOK_EVENTS: variable<readonly string[]>(
      'Which audit events they tell of: actions, or file.* for all such',
      list(webhookEvent),
      defaultWebhookEvents,
    ),
    OUTBOX_RETRY_SECONDS: variable<readonly [number, number]>(
      'What was not delivered is tried again after so many seconds, ever longer, at most the second number',
      retrySeconds,
      [5, 3_600],
    ),
    OUTBOX_GIVE_UP_HOURS: plain(
      'What still is not delivered after so long becomes a dead letter: strongroom outbox shows it',
      integer(1, 8_760, 'hours'),
      72,
    ),
  },
  'Read by docker-compose.yml alone': composeSecrets,
  'Traces (OpenTelemetry)': watching,
}

type UnionToIntersection<U> = (U extends unknown ? (each: U) => void : never) extends (
  all: infer I,
) => void
  ? I
  : never

type Table = UnionToIntersection<(typeof sections)[keyof typeof sections]>

export type VariableName = keyof Table

/** The value each variable has after reading. */
export type Values = {
  readonly [N in VariableName]: Table[N] extends Variable<infer T> ? T : never
}

/** All variables by name, in the order of their sections. */
export const variables: ReadonlyMap<VariableName, Variable<unknown>> = new Map(
  Object.values(sections).flatMap(
    (section) => Object.entries(section) as [VariableName, Variable<unknown>][],
  ),
)

/** Names older services had that mean nothing here, and why. */
export const ignoredNames: ReadonlyMap<string, string> = new Map([
  ['SECRET_KEY', 'tokens are verified with JWT_SECRET_KEY and files sealed under MASTER_KEYS'],
  ['DEBUG', 'nothing is answered differently for debugging; see LOG_LEVEL'],
])
