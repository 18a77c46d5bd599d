import { flag, integer, oneOf, text, url } from './kinds.js'
import { optional, plain, seconds, secret, variable } from './variable.js'

/** Where sealed bytes are kept with STORAGE_DRIVER=s3, and how it is spoken to. */
export const s3 = {
  AWS_REGION: plain(
    'Region of the bucket and of KMS',
    text({ pattern: /^[a-z0-9-]+$/, expected: 'a region such as ap-southeast-2' }),
    'ap-southeast-2',
    { older: ['AWS_S3_REGION_NAME'] },
  ),
  AWS_ACCESS_KEY_ID: secret('Access key; absent: the machine’s own role', text()),
  AWS_SECRET_ACCESS_KEY: secret('Its secret', text()),
  AWS_SESSION_TOKEN: secret('Session token of a temporary key', text({ maxLength: 8192 })),
  AWS_ROLE_ARN: optional(
    'Role to assume',
    text({ pattern: /^arn:[\w-]+:iam::\d*:role\/.+$/, expected: 'the ARN of a role' }),
    { example: 'arn:aws:iam::123456789012:role/strongroom' },
  ),
  AWS_ROLE_SESSION_NAME: variable(
    'Name of the session',
    text({ pattern: /^[\w+=,.@-]{2,64}$/, expected: '2 to 64 of A-Z a-z 0-9 _ + = , . @ -' }),
    'strongroom',
  ),
  AWS_ROLE_SESSION_DURATION: plain('Life of the session', seconds(900, 43_200), 14_400),
  STS_ENDPOINT: optional('Where the role is assumed; absent: AWS STS of the region', url(), {
    example: 'https://vpce-0123.sts.ap-southeast-2.vpce.amazonaws.com',
  }),
  S3_BUCKET: optional(
    'Bucket of the sealed files (STORAGE_DRIVER=s3)',
    text({ pattern: /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, expected: 'a bucket name' }),
    { older: ['AWS_S3_BUCKET_NAME', 'AWS_BUCKET_NAME'], example: 'strongroom-files' },
  ),
  S3_PREFIX: optional(
    'Folder within the bucket',
    text({
      maxLength: 512,
      pattern: /^[\w-][\w.-]*(?:\/[\w-][\w.-]*)*\/?$/,
      expected: 'a path such as strongroom/',
    }),
    { example: 'strongroom/' },
  ),
  S3_ENDPOINT: optional('An S3-compatible server of one’s own', url(), {
    example: 'https://s3.portal.example',
  }),
  S3_FORCE_PATH_STYLE: plain('Address the bucket by path', flag, false),
  S3_USE_ACCELERATE: plain('Transfer acceleration', flag, false),
  S3_SSE: optional(
    'Server-side encryption on top of ours; absent: AES256, none with S3_ENDPOINT',
    oneOf(['AES256', 'aws:kms', 'none']),
    { older: ['AWS_S3_SSE_ALGORITHM'], example: 'aws:kms' },
  ),
  S3_CREATE_BUCKET: plain('Make the bucket where it is missing', flag, false),
  S3_VERIFY_ON_INIT: plain('Try the bucket at start', flag, true, {
    older: ['AWS_S3_VERIFY_ON_INIT'],
  }),
  S3_SSE_KMS_KEY_ID: optional(
    'Key for S3_SSE=aws:kms, by id or ARN; absent: that of the bucket, or AWS’s own',
    text({
      maxLength: 2048,
      pattern: /^[\w:/-]+$/,
      expected: 'a key id or ARN',
    }),
    { example: '1234abcd-12ab-34cd-56ef-1234567890ab' },
  ),
  S3_STORAGE_CLASS: optional(
    'Storage class of new objects, one that can be read at once; absent: STANDARD',
    oneOf(['STANDARD', 'STANDARD_IA', 'INTELLIGENT_TIERING', 'ONEZONE_IA', 'GLACIER_IR']),
    { example: 'INTELLIGENT_TIERING' },
  ),
  S3_PART_SIZE_MB: plain(
    'Files larger than this go in parts of it; each upload holds three in memory. Larger where MAX_FILE_SIZE_MB needs it',
    integer(5, 1024, 'MiB'),
    5,
  ),
  S3_MAX_CONNECTIONS: plain(
    'Connections to S3 of one process',
    integer(4, 10_000, 'connections'),
    128,
  ),
  S3_TIMEOUT_SECONDS: plain(
    'How long S3 may take to take a part, to answer, or to go on with an answer',
    seconds(1, 600),
    30,
  ),
  S3_MAX_ATTEMPTS: plain(
    'How often a call is tried in all where S3 is slow, busy or gone',
    integer(1, 10, 'attempts'),
    3,
  ),
}
