/** Crockford's alphabet: no I, L, O or U, which are misread. */
const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
const bitsPerDigit = 5

/** 5 bits a digit, the last one filled up with zeros. */
export function encodeBase32(bytes: Uint8Array): string {
  const bits = [...bytes].map((byte) => byte.toString(2).padStart(8, '0')).join('')
  return (bits.match(/.{1,5}/g) ?? [])
    .map((digit) => alphabet[Number.parseInt(digit.padEnd(bitsPerDigit, '0'), 2)] ?? '')
    .join('')
}

/** Nothing for what is no text of `encodeBase32`. */
export function decodeBase32(text: string): Buffer | undefined {
  const digits = Array.from(text, (digit) => alphabet.indexOf(digit))
  if (digits.includes(-1)) return undefined
  const bits = digits.map((digit) => digit.toString(2).padStart(bitsPerDigit, '0')).join('')
  const bytes = Buffer.from((bits.match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2)))
  return encodeBase32(bytes) === text ? bytes : undefined
}
