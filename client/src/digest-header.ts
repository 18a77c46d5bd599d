/** The SHA-256 in a `Repr-Digest` (RFC 9530) as 64 hexadecimal digits. */
export function sha256In(header: string | null): string | undefined {
  const [, base64] = /(?:^|[,\s])sha-256=:([A-Za-z0-9+/]{43}=):/.exec(header ?? '') ?? []
  if (base64 === undefined) return undefined
  const hex = (char: string) => char.charCodeAt(0).toString(16).padStart(2, '0')
  return Array.from(atob(base64), hex).join('')
}

/** A `Content-Digest` (RFC 9530) of 64 hexadecimal digits. */
export function digestHeader(sha256: string): string {
  const bytes = sha256.match(/../g) ?? []
  return `sha-256=:${btoa(String.fromCharCode(...bytes.map((byte) => Number.parseInt(byte, 16))))}:`
}
