import { CryptoError } from '../crypto/crypto-error.js'
import { openText, sealText } from '../crypto/fernet.js'
import { FernetKey } from '../crypto/fernet-key.js'

/**
 * What a wrapping says of the key in it (docs/FORMAT.md, "Wrappings"). Every field is compared with
 * what was asked for before the key is used, so that a row moved elsewhere opens nothing.
 */
export type WrappingClaims =
  | { readonly use: 'user-key'; readonly user: string; readonly version: number }
  | {
      readonly use: 'file-key'
      readonly sealed_id: string
      readonly format: 1
      readonly user: string
      readonly user_key_version: number
      readonly basis: GrantBasis
      /** RFC 3339, UTC, milliseconds; null: no end. */
      readonly expires_at: string | null
    }
  | { readonly use: 'index-key' }
  | { readonly use: 'signing-key' }
  | { readonly use: 'check' }

/** What a grant rests on: one's own file, the assignment to the patient, or a share. */
export type GrantBasis = 'own' | 'assignment' | 'explicit'

const LINE_FEED = 0x0a

/** Wraps `key` under `wrapper`: a Fernet token of the key's text, a line feed, and the claims. */
export function wrapKey(wrapper: FernetKey, key: FernetKey, claims: WrappingClaims): string {
  return sealText(wrapper, Buffer.from(`${key.exportText()}\n${JSON.stringify(claims)}`))
}

/**
 * Unwraps a key that says exactly `claims` of itself.
 * @throws CryptoError `unauthentic` for another wrapper, `label` for another claim
 */
export function unwrapKey(wrapper: FernetKey, text: string, claims: WrappingClaims): FernetKey {
  const plaintext = openText(wrapper, text)
  try {
    const end = plaintext.indexOf(LINE_FEED)
    if (end < 0 || !saysExactly(plaintext.subarray(end + 1), claims)) throw new CryptoError('label')
    return FernetKey.fromText(plaintext.toString('ascii', 0, end))
  } finally {
    plaintext.fill(0)
  }
}

function saysExactly(json: Buffer, claims: WrappingClaims): boolean {
  const found = parse(json)
  const expected: Record<string, unknown> = { ...claims }
  return (
    found !== undefined &&
    Object.keys(found).length === Object.keys(expected).length &&
    Object.entries(expected).every(([name, value]) => Object.is(found[name], value))
  )
}

function parse(json: Buffer): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(json.toString('utf8'))
    return typeof value === 'object' && value !== null ? { ...value } : undefined
  } catch {
    return undefined
  }
}
