import { readFile } from 'node:fs/promises'
import type { ConnectionOptions } from 'node:tls'
import { StrongroomError } from '../errors/strongroom-error.js'
import type { PostgresAddress } from './postgres-url.js'

/**
 * TLS for the driver; false: in the clear. The files are read once, at the start. `require` with
 * roots checks against them, as libpq does; without, it knows not who answers.
 *
 * Throws `database_unavailable`, which says which file cannot be read.
 */
export async function tlsOf(address: PostgresAddress): Promise<ConnectionOptions | false> {
  const { tlsMode, rootCertFile, certFile, keyFile } = address
  if (tlsMode === undefined || tlsMode === 'disable') return false
  const files = {
    ...(rootCertFile !== undefined && { ca: await read('sslrootcert', rootCertFile) }),
    ...(certFile !== undefined && { cert: await read('sslcert', certFile) }),
    ...(keyFile !== undefined && { key: await read('sslkey', keyFile) }),
    minVersion: 'TLSv1.2' as const,
  }
  if (tlsMode === 'verify-full') return files
  if (tlsMode === 'require' && rootCertFile === undefined) {
    return { ...files, rejectUnauthorized: false }
  }
  return { ...files, checkServerIdentity: () => undefined }
}

async function read(name: string, path: string): Promise<Buffer> {
  try {
    return await readFile(path)
  } catch (cause) {
    const detail = `The file of ${name} in the database’s URL cannot be read`
    throw new StrongroomError('database_unavailable', { detail, cause })
  }
}
