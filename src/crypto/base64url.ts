import { CryptoError } from './crypto-error.js'

/** Base64 with the URL-safe alphabet and padding (RFC 4648 section 5). */
export function encodeBase64Url(bytes: Uint8Array): string {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64url')
  return text.padEnd(Math.ceil(text.length / 4) * 4, '=')
}

/**
 * Takes only what `encodeBase64Url` gives: each value has one text.
 * @throws CryptoError `malformed`
 */
export function decodeBase64Url(text: string): Buffer {
  const bytes = Buffer.from(text, 'base64url')
  if (encodeBase64Url(bytes) !== text) throw new CryptoError('malformed')
  return bytes
}
