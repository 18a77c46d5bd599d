import { readFile } from 'node:fs/promises'
import type { S3ClientConfig } from '@aws-sdk/client-s3'
import { fromTemporaryCredentials } from '@aws-sdk/credential-providers'
import type { S3CredentialSettings } from './s3-settings.js'

type Credentials = NonNullable<S3ClientConfig['credentials']>

/**
 * The SDK asks again five minutes before credentials expire: keys of a file are given for so much longer
 * than that as they may go unread.
 */
const ASKED_BEFORE_MS = 5 * 60_000
const FILES_READ_EVERY_MS = 30_000

/** Absent: the SDK finds them by its own chain, and renews them. */
export function s3Credentials(
  settings: S3CredentialSettings,
  region: string,
): Credentials | undefined {
  const { role, stsEndpoint } = settings
  const own = ownKeys(settings)
  if (role === undefined) return own
  return fromTemporaryCredentials({
    ...(own === undefined ? {} : { masterCredentials: own }),
    params: {
      RoleArn: role.arn,
      RoleSessionName: role.sessionName,
      DurationSeconds: role.sessionSeconds,
    },
    clientConfig: { region, ...(stsEndpoint === undefined ? {} : { endpoint: stsEndpoint }) },
  })
}

function ownKeys(settings: S3CredentialSettings): Credentials | undefined {
  const { accessKeyId, secretAccessKey, sessionToken, files } = settings
  if (files !== undefined) return () => readKeys(files)
  if (accessKeyId === undefined || secretAccessKey === undefined) return undefined
  return {
    ...{ accessKeyId, secretAccessKey },
    ...(sessionToken === undefined ? {} : { sessionToken }),
  }
}

async function readKeys(files: NonNullable<S3CredentialSettings['files']>) {
  const read = async (path: string) => (await readFile(path, 'utf8')).trim()
  return {
    accessKeyId: await read(files.accessKeyId),
    secretAccessKey: await read(files.secretAccessKey),
    ...(files.sessionToken === undefined ? {} : { sessionToken: await read(files.sessionToken) }),
    expiration: new Date(Date.now() + ASKED_BEFORE_MS + FILES_READ_EVERY_MS),
  }
}
