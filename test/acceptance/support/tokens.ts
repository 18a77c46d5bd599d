import { createHmac, generateKeyPairSync, sign } from 'node:crypto'

export type Claims = Readonly<Record<string, unknown>>

const base64url = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')

const nowInSeconds = () => Math.floor(Date.now() / 1000)

/** Claims of a token that is good for an hour (RFC 7519). */
export function claimsOf(sub: string, extra: Claims = {}): Claims {
  return { sub, iat: nowInSeconds(), exp: nowInSeconds() + 3600, ...extra }
}

const hashes = { HS256: 'sha256', HS384: 'sha384', HS512: 'sha512' } as const

/** A JWT in compact form under a shared secret (RFC 7515). */
export function mintToken(
  claims: Claims,
  secret: string,
  alg: keyof typeof hashes = 'HS256',
  header: Claims = {},
): string {
  const input = `${base64url({ alg, typ: 'JWT', ...header })}.${base64url(claims)}`
  return `${input}.${createHmac(hashes[alg], secret).update(input).digest('base64url')}`
}

/** An unsecured JWT: `alg` none and an empty signature (RFC 7519 section 6). */
export function mintUnsecuredToken(claims: Claims, alg = 'none'): string {
  return `${base64url({ alg, typ: 'JWT' })}.${base64url(claims)}.`
}

/** A JWT under an RSA key made for it, which no service knows. */
export function mintRsaToken(claims: Claims): string {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const input = `${base64url({ alg: 'RS256', typ: 'JWT' })}.${base64url(claims)}`
  return `${input}.${sign('sha256', Buffer.from(input), privateKey).toString('base64url')}`
}
