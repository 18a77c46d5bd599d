import { createHash } from 'node:crypto'
import type { Sha256 } from './sha256.js'

/** OpenSSL's. */
export function nodeSha256(): Sha256 {
  const hash = createHash('sha256')
  return {
    update: (bytes) => {
      hash.update(bytes)
    },
    hex: () => hash.digest('hex'),
  }
}
