import type { SigningKey, VerifyingKey } from './signing-key.js'

/**
 * A signed text, as DSSE has it (github.com/secure-systems-lab/dsse, protocol.md): what is signed is the
 * text itself and what kind it is, so that nothing needs a canonical form. Written in one way only:
 * JSON in this order without blanks, padded base64, and a line feed.
 */
interface Envelope {
  readonly payloadType: string
  readonly payload: string
  readonly signatures: readonly [{ readonly keyid: string; readonly sig: string }]
}

/** What is signed: each part with its length in bytes before it. */
function preAuthEncoding(type: string, text: Uint8Array): Buffer {
  const head = `DSSEv1 ${Buffer.byteLength(type)} ${type} ${text.length} `
  return Buffer.concat([Buffer.from(head), text])
}

export function signEnvelope(key: SigningKey, type: string, text: string): string {
  const bytes = Buffer.from(text)
  const sig = key.sign(preAuthEncoding(type, bytes)).toString('base64')
  return write({
    payloadType: type,
    payload: bytes.toString('base64'),
    signatures: [{ keyid: key.keyId, sig }],
  })
}

/** The text that `key` signed as being of this type; nothing where any byte is another. */
export function openEnvelope(key: VerifyingKey, type: string, written: string): string | undefined {
  const envelope = read(written)
  if (envelope?.payloadType !== type || write(envelope) !== written) return undefined
  const [{ keyid, sig }] = envelope.signatures
  const bytes = Buffer.from(envelope.payload, 'base64')
  const signature = Buffer.from(sig, 'base64')
  const isWritten =
    bytes.toString('base64') === envelope.payload && signature.toString('base64') === sig
  if (!isWritten || keyid !== key.keyId) return undefined
  return key.verify(preAuthEncoding(type, bytes), signature) ? bytes.toString('utf8') : undefined
}

function write({ payloadType, payload, signatures: [{ keyid, sig }] }: Envelope): string {
  return `${JSON.stringify({ payloadType, payload, signatures: [{ keyid, sig }] })}\n`
}

/** Its members as they should be; blanks, other members and their order show when it is written again. */
function read(written: string): Envelope | undefined {
  const found = parse(written)
  const [first] = Array.isArray(found['signatures']) ? (found['signatures'] as unknown[]) : []
  const signature = membersOf(first)
  const [payloadType, payload] = [found['payloadType'], found['payload']]
  const [keyid, sig] = [signature['keyid'], signature['sig']]
  return [payloadType, payload, keyid, sig].every((each) => typeof each === 'string')
    ? {
        payloadType: String(payloadType),
        payload: String(payload),
        signatures: [{ keyid: String(keyid), sig: String(sig) }],
      }
    : undefined
}

function parse(text: string): Readonly<Record<string, unknown>> {
  try {
    return membersOf(JSON.parse(text))
  } catch {
    return {}
  }
}

function membersOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? { ...value } : {}
}
