import { Secret, TOTP } from 'otpauth'

const ISSUER = 'Strongroom'
const PERIOD_SECONDS = 30
/** Steps that a clock may be off, either way (RFC 6238 section 5.2). */
const WINDOW = 1

const totp = (secret: string, label = '') =>
  new TOTP({
    ...{ issuer: ISSUER, label, algorithm: 'SHA1', digits: 6, period: PERIOD_SECONDS },
    secret: Secret.fromBase32(secret),
  })

/** A new secret of 160 bits (RFC 4226 section 4), and the address by which an authenticator takes it. */
export function newTotp(email: string): { readonly secret: string; readonly url: string } {
  const secret = new Secret({ size: 20 }).base32
  return { secret, url: totp(secret, email).toString() }
}

/** The time step of a code that is right now; undefined: it is not. A step is to be used once. */
export function totpStep(secret: string, code: string, at: Date): number | undefined {
  if (!/^\d{6}$/.test(code)) return undefined
  const timestamp = at.getTime()
  const delta = totp(secret).validate({ token: code, timestamp, window: WINDOW })
  return delta === null ? undefined : Math.floor(timestamp / 1_000 / PERIOD_SECONDS) + delta
}
