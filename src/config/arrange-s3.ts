import { unprintable } from './unprintable.js'
import type { Values } from './variables.js'

const MIB = 1_048_576
/** Parts of an object at most (Amazon S3 User Guide, "Multipart upload limits"). */
const MOST_PARTS = 10_000
/** What sealing adds is a fraction of a percent; a share for it that nothing reaches. */
const SEALED_SHARE = 1.1

/** Paths of files that hold them, as they were given. */
export interface AwsFiles {
  readonly accessKeyId: string | undefined
  readonly secretAccessKey: string | undefined
  readonly sessionToken: string | undefined
}

/** The settings of S3, from the variables' values. */
export function arrangeS3(values: Values, files: AwsFiles) {
  const sse = values.S3_SSE ?? (values.S3_ENDPOINT === undefined ? 'AES256' : 'none')
  const prefix = (values.S3_PREFIX ?? '').replace(/\/$/, '')
  return unprintable({
    /** Absent: nothing is kept there. */
    bucket: values.S3_BUCKET,
    prefix: prefix === '' ? '' : `${prefix}/`,
    region: values.AWS_REGION,
    endpoint: values.S3_ENDPOINT,
    forcePathStyle: values.S3_FORCE_PATH_STYLE,
    useAccelerate: values.S3_USE_ACCELERATE,
    sse: sse === 'none' ? undefined : sse,
    sseKmsKeyId: values.S3_SSE_KMS_KEY_ID,
    storageClass: values.S3_STORAGE_CLASS,
    credentials: arrangeCredentials(values, files),
    partSize: partSizeOf(values),
    maxSockets: values.S3_MAX_CONNECTIONS,
    timeoutMs: values.S3_TIMEOUT_SECONDS * 1_000,
    maxAttempts: values.S3_MAX_ATTEMPTS,
    createBucket: values.S3_CREATE_BUCKET,
    verifyOnInit: values.S3_VERIFY_ON_INIT,
  })
}

/** Bytes, whole MiB: what the largest file needs, at least what was asked for. */
function partSizeOf({ S3_PART_SIZE_MB: asked, MAX_FILE_SIZE_MB: largest }: Values): number {
  return Math.max(asked, Math.ceil((largest * SEALED_SHARE) / MOST_PARTS)) * MIB
}

function arrangeCredentials(values: Values, files: AwsFiles) {
  const { accessKeyId, secretAccessKey, sessionToken } = files
  return unprintable({
    accessKeyId: values.AWS_ACCESS_KEY_ID,
    secretAccessKey: values.AWS_SECRET_ACCESS_KEY,
    sessionToken: values.AWS_SESSION_TOKEN,
    files:
      accessKeyId === undefined || secretAccessKey === undefined
        ? undefined
        : unprintable({ accessKeyId, secretAccessKey, sessionToken }),
    role:
      values.AWS_ROLE_ARN === undefined
        ? undefined
        : unprintable({
            arn: values.AWS_ROLE_ARN,
            sessionName: values.AWS_ROLE_SESSION_NAME,
            sessionSeconds: values.AWS_ROLE_SESSION_DURATION,
          }),
    stsEndpoint: values.STS_ENDPOINT,
  })
}
