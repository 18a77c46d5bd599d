import { openEnvelope, signEnvelope } from '../crypto/signed-envelope.js'
import { type SigningKey, verifyingKey } from '../crypto/signing-key.js'
import { type Head } from './seal.js'

/** The kind of text a signature is over: nothing else signed by this key can stand for a head. */
export const HEAD_TYPE = 'application/vnd.strongroom.audit-head+json'

/** A head as it is put outside. */
export interface SignedHead extends Head {
  readonly signedAt: Date
}

/** One line: an envelope as of docs/FORMAT.md, "Signing key". */
export function signHead(key: SigningKey, { number, digest, total }: Head, at: Date): string {
  const text = { seal: number, digest: Buffer.from(digest).toString('hex'), events: total }
  return signEnvelope(key, HEAD_TYPE, JSON.stringify({ ...text, signed_at: at.toISOString() }))
}

/** Nothing where the key of this public half did not sign it. */
export function openHead(publicKey: string, line: string): SignedHead | undefined {
  const key = verifyingKey(publicKey)
  const text = key === undefined ? undefined : openEnvelope(key, HEAD_TYPE, `${line.trimEnd()}\n`)
  if (text === undefined) return undefined
  // Signed by the deployment, which writes heads only so.
  const head = JSON.parse(text) as {
    readonly seal: number
    readonly digest: string
    readonly events: number
    readonly signed_at: string
  }
  return {
    number: head.seal,
    digest: Buffer.from(head.digest, 'hex'),
    total: head.events,
    signedAt: new Date(head.signed_at),
  }
}
