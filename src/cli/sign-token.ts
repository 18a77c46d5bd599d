import { createHmac } from 'node:crypto'
import type { JwtSecret } from '../config.js'

const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')

/** A JSON Web Token with these claims, signed with HS256 (RFC 7515 section 3.1, RFC 7518 section 3.2). */
export function signToken(claims: Readonly<Record<string, unknown>>, key: JwtSecret): string {
  const header = { alg: 'HS256', typ: 'JWT', ...(key.kid === undefined ? {} : { kid: key.kid }) }
  const signed = `${encode(header)}.${encode(claims)}`
  return `${signed}.${createHmac('sha256', key.secret).update(signed).digest('base64url')}`
}
