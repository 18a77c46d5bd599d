import { randomBytes } from 'node:crypto'
import { jsonObject, type Kind, WrongValue } from './kinds.js'

/** A key tokens are signed with; `kid` is the header that names it, where there are several. */
export interface JwtSecret {
  readonly kid: string | undefined
  readonly secret: string
}

/** RFC 7518 section 3.2: a key for HS256 has at least as many bits as its hash. */
export const MIN_JWT_SECRET_BYTES = 32

/** A fresh Fernet key: 32 random bytes in url-safe base64 with padding, 44 characters. */
export function newMasterKey(): string {
  return `${randomBytes(32).toString('base64url')}=`
}

/** A fresh secret of `bytes` random bytes in url-safe base64 without padding. */
export function newSecret(bytes = 48): string {
  return randomBytes(bytes).toString('base64url')
}

const fernetKey: Kind<string> = (value) => {
  const raw = Buffer.from(value, 'base64url')
  if (raw.length !== 32 || `${raw.toString('base64url')}=` !== value) {
    throw new WrongValue(
      'Fernet keys (32 bytes in url-safe base64, 44 characters each), separated by commas',
    )
  }
  return value
}

/** Master keys, the first of which wraps. */
export const masterKeys: Kind<readonly string[]> = (value) => {
  const keys = value
    .split(/[\s,]+/)
    .filter((each) => each !== '')
    .map(fernetKey)
  if (new Set(keys).size !== keys.length) throw new WrongValue('each master key once')
  return keys
}

const keyedSecretsExpected = 'a JSON object of strings, {"kid": "secret", …}'

const keyedSecrets = jsonObject(keyedSecretsExpected, (value) => {
  if (typeof value !== 'string' || value === '') throw new WrongValue(keyedSecretsExpected)
  return value
})

/** JSON `{kid: secret}`; the first signs what this service signs. */
export const jwtSecrets: Kind<readonly JwtSecret[]> = (value) => {
  const secrets = [...keyedSecrets(value)].map(([kid, secret]) => ({ kid, secret }))
  if (secrets.length === 0) throw new WrongValue(keyedSecretsExpected)
  return secrets
}

// Words that stand in tutorials, samples and framework templates.
const sampleWords =
  /secret[-_ ]?key|change[-_ ]?(?:me|this|it)|django-insecure|your[-_ ](?:secret|super|jwt|own|key)|example|password|default|test[-_ ]?secret|insecure/i

/** Why a secret is too weak to sign with in production, or undefined. Says nothing of the secret itself. */
export function weaknessOf(secret: string): string | undefined {
  if (Buffer.byteLength(secret) < MIN_JWT_SECRET_BYTES) {
    return `is shorter than ${MIN_JWT_SECRET_BYTES} bytes (RFC 7518 section 3.2)`
  }
  if (sampleWords.test(secret)) return 'looks like a sample value'
  if (new Set(secret).size < 10) return 'repeats a few characters'
  return undefined
}
