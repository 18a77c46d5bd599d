import { timingSafeEqual } from 'node:crypto'
import type { IndexHash } from '../keys/index-hash.js'

/** `<ticket id>.<HMAC-SHA-256 of it in base64url>`: what stands in a URL. */
const form = /^([\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12})\.[\w-]{43}$/

type Hash = Pick<IndexHash, 'of'>

export function ticketText(hash: Hash, ticketId: string): string {
  return `${ticketId}.${hash.of('ticket', ticketId).toString('base64url')}`
}

/** The id of a ticket that was signed here; undefined for anything else. */
export function ticketIdIn(hash: Hash, text: string): string | undefined {
  const ticketId = form.exec(text)?.[1]
  if (ticketId === undefined) return undefined
  // As text: the last character of base64 has bits to spare, and another one would say the same bytes.
  const isOurs = timingSafeEqual(Buffer.from(text), Buffer.from(ticketText(hash, ticketId)))
  return isOurs ? ticketId : undefined
}
