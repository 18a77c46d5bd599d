/** Where sealed bytes are kept, and how a server of the kind is spoken to. */
export interface S3Settings {
  readonly bucket: string
  /** Folder within the bucket, with a slash at its end; empty: the bucket itself. */
  readonly prefix: string
  readonly region: string
  /** An S3-compatible server; absent: AWS. */
  readonly endpoint?: string | undefined
  readonly forcePathStyle: boolean
  readonly useAccelerate: boolean
  /** Server-side encryption beside our own: `AES256` or `aws:kms`; absent: the bucket's default. */
  readonly sse?: 'AES256' | 'aws:kms' | undefined
  /** Key of `aws:kms`; absent: the bucket's, or AWS's own. */
  readonly sseKmsKeyId?: string | undefined
  /** Absent: STANDARD. */
  readonly storageClass?: S3StorageClass | undefined
  readonly credentials: S3CredentialSettings
  /** Bytes of a part, from 5 MiB; at most 10,000 of them make a file. */
  readonly partSize: number
  /** Connections at most. */
  readonly maxSockets: number
  /** Milliseconds until an answer, with the sending of a part, or the next bytes of one, have to be there. */
  readonly timeoutMs: number
  /** Times a call is tried in all where trying again does no harm. */
  readonly maxAttempts: number
}

/** Those whose objects can be read at once: an archive would answer a download with an error. */
export const s3StorageClasses = [
  'STANDARD',
  'STANDARD_IA',
  'INTELLIGENT_TIERING',
  'ONEZONE_IA',
  'GLACIER_IR',
] as const

export type S3StorageClass = (typeof s3StorageClasses)[number]

export interface S3CredentialSettings {
  /** Absent: what the SDK finds by itself (environment, web identity, container, machine). */
  readonly accessKeyId?: string | undefined
  readonly secretAccessKey?: string | undefined
  readonly sessionToken?: string | undefined
  /** Files the three came from: read again, so that rotated keys work without a restart. */
  readonly files?:
    | {
        readonly accessKeyId: string
        readonly secretAccessKey: string
        readonly sessionToken?: string | undefined
      }
    | undefined
  /** Role to assume with them. */
  readonly role?:
    | { readonly arn: string; readonly sessionName: string; readonly sessionSeconds: number }
    | undefined
  /** Where roles are assumed; absent: AWS STS of the region. */
  readonly stsEndpoint?: string | undefined
}

/** S3's own limits (Amazon S3 User Guide, "Multipart upload limits"). */
export const LEAST_PART = 5 * 1024 * 1024
export const MOST_PARTS = 10_000
/** Largest object one CopyObject takes. */
export const LARGEST_COPY = 5 * 1024 * 1024 * 1024
