import { timingSafeEqual } from 'node:crypto'
import { StrongroomError } from '../errors/strongroom-error.js'

const hexDigest = /^[0-9a-f]{64}$/iu
const member = /^\s*([a-z0-9*_.-]+)\s*=\s*:([A-Za-z0-9+/]*={0,2}):\s*$/iu

/**
 * A form field's SHA-256, 64 hexadecimal digits.
 * @throws StrongroomError `invalid_field`
 */
export function parseHexDigest(text: string): Buffer {
  if (!hexDigest.test(text)) {
    throw new StrongroomError('invalid_field', { detail: 'sha256: 64 hexadecimal digits' })
  }
  return Buffer.from(text, 'hex')
}

/**
 * The `sha-256` member of a `Content-Digest` header (RFC 9530); nothing where it has another only.
 * @throws StrongroomError `invalid_field` for what is no digest
 */
export function parseDigestHeader(header: string): Buffer | undefined {
  let found: Buffer | undefined
  for (const part of header.split(',')) {
    const [, name, value] = member.exec(part) ?? []
    if (name === undefined || value === undefined) throw badHeader()
    if (name.toLowerCase() !== 'sha-256') continue
    found = Buffer.from(value, 'base64')
    if (found.length !== 32) throw badHeader()
  }
  return found
}

function badHeader(): StrongroomError {
  return new StrongroomError('invalid_field', { detail: 'Content-Digest: sha-256=:<base64>:' })
}

/** @throws StrongroomError `digest_mismatch` where one of those given is another's */
export function verifyDigests(sha256: Buffer, given: readonly Buffer[]): void {
  if (given.some((digest) => !timingSafeEqual(digest, sha256))) {
    throw new StrongroomError('digest_mismatch')
  }
}
