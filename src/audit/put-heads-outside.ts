import type { SigningKey } from '../crypto/signing-key.js'
import type { Anchor } from './ports.js'
import { type Head, START } from './seal.js'
import { signHead } from './signed-head.js'

interface Dependencies {
  /** Nothing: they are put nowhere. */
  readonly anchor: Anchor | undefined
  readonly signingKey: SigningKey
  /** Milliseconds between two heads. */
  readonly everyMs: number
}

/**
 * Signs heads and puts them outside, not more often than that. A newer one says all that an older one
 * did: one that could not be put is not kept.
 */
export function putHeadsOutside({ anchor, signingKey, everyMs }: Dependencies) {
  let put: Head = START
  let putAt = Number.NEGATIVE_INFINITY
  return async (head: Head, { isLast = false }: { readonly isLast?: boolean } = {}) => {
    if (anchor === undefined || head.number <= put.number) return
    if (!isLast && performance.now() - putAt < everyMs) return
    putAt = performance.now()
    await anchor.put(signHead(signingKey, head, new Date()))
    put = head
  }
}
