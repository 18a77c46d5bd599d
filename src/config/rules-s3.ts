import type { arrange } from './arrange.js'
import type { Reading } from './read-variables.js'

type Settings = ReturnType<typeof arrange>

interface Findings {
  readonly problems: string[]
  readonly notices: string[]
}

export function checkAwsKeys(given: Reading['given'], problems: string[]): void {
  const rule =
    'AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY: expected both, or neither for the machine’s own role'
  const isHalf = given.has('AWS_ACCESS_KEY_ID') !== given.has('AWS_SECRET_ACCESS_KEY')
  if (isHalf && !problems.includes(rule)) problems.push(rule)
}

export function checkS3(reading: Reading, settings: Settings, findings: Findings): void {
  const { given } = reading
  const { problems, notices } = findings
  const { s3, storageDriver, storageFallback } = settings
  if (storageFallback === storageDriver) {
    problems.push('STORAGE_FALLBACK: expected another place than STORAGE_DRIVER, or none')
  }
  if (storageDriver !== 's3' && storageFallback !== 's3') {
    if (given.has('S3_BUCKET'))
      notices.push('S3_BUCKET: nothing is read there, STORAGE_DRIVER is disk')
    else return
  } else if (s3.bucket === undefined) problems.push('S3_BUCKET: expected with STORAGE_DRIVER=s3')
  checkAwsKeys(given, problems)

  const anyFile = (['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY'] as const).some((name) =>
    reading.files.has(name),
  )
  if (anyFile && s3.credentials.files === undefined) {
    problems.push(
      'AWS_ACCESS_KEY_ID_FILE and AWS_SECRET_ACCESS_KEY_FILE: expected both as files, which are read again, or neither',
    )
  }
  if (s3.useAccelerate && (s3.forcePathStyle || s3.endpoint !== undefined)) {
    problems.push('S3_USE_ACCELERATE: expected without S3_ENDPOINT and S3_FORCE_PATH_STYLE')
  }
  if (s3.sseKmsKeyId !== undefined && s3.sse !== 'aws:kms') {
    problems.push('S3_SSE_KMS_KEY_ID: expected with S3_SSE=aws:kms')
  }
  if (s3.partSize > (reading.values.S3_PART_SIZE_MB + 0.5) * 1_048_576) {
    notices.push(
      `S3_PART_SIZE_MB is raised to ${s3.partSize / 1_048_576}, as MAX_FILE_SIZE_MB takes more than 10,000 parts`,
    )
  }
}
