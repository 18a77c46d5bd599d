import { timingSafeEqual } from 'node:crypto'
import { CryptoError, type SealedPlace } from './crypto-error.js'
import { labelLength } from './segment-format.js'

/** @throws CryptoError `label` unless the whole label is the one expected */
export function checkLabel(label: Uint8Array, expected: Uint8Array, place: SealedPlace): void {
  const fits = label.length === expected.length && timingSafeEqual(label, expected)
  if (!fits) throw new CryptoError('label', place)
}

/** Takes the label, the last 32 bytes, off a plaintext in pieces. A shorter one is all label. */
export function splitLabel(plaintext: readonly Buffer[]): { data: Buffer[]; label: Buffer } {
  const data = [...plaintext]
  const label: Buffer[] = []
  for (let left = labelLength; left > 0; ) {
    const piece = data.pop()
    if (piece === undefined) break
    const cut = Math.max(0, piece.length - left)
    label.unshift(piece.subarray(cut))
    left -= piece.length - cut
    if (cut > 0) data.push(piece.subarray(0, cut))
  }
  return { data, label: Buffer.concat(label) }
}
