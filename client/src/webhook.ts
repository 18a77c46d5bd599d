/** What a webhook says was done: ids and numbers. Who wants more asks the service. */
export interface WebhookEvent {
  /** `file.upload`, `grant.create`, …: the action, as it stands in the audit log. */
  readonly type: string
  /** RFC 3339. */
  readonly timestamp: string
  readonly data: Readonly<Record<string, string | number | null>>
}

/**
 * `headers`: one of the three is missing or malformed. `age`: sent too long ago, or a clock is wrong. `signature`: of
 * none of the secrets. `body`: genuine, and no event.
 */
export type WebhookReason = 'headers' | 'age' | 'signature' | 'body'

const texts: Readonly<Record<WebhookReason, string>> = {
  headers: 'A header of the webhook is missing or malformed',
  age: 'The webhook is too old, or of the future',
  signature: 'The webhook has no signature of a secret we know',
  body: 'The webhook is no event',
}

/** The request is not a webhook of the service's: answer 400 and do nothing. */
export class WebhookError extends Error {
  override readonly name = 'WebhookError'
  readonly reason: WebhookReason

  constructor(reason: WebhookReason) {
    super(texts[reason])
    this.reason = reason
  }
}

export interface WebhookRequest {
  /** `whsec_…`; several while a secret is changed. */
  readonly secret: string | readonly string[]
  /** As a Headers or as Node has them. */
  readonly headers: Headers | Readonly<Record<string, string | readonly string[] | undefined>>
  /** As it came: not parsed and written again. */
  readonly body: string | Uint8Array
  /** Seconds the clocks and the way may take, 300 if not given. */
  readonly toleranceSeconds?: number | undefined
  /** The clock's time, if another than now. */
  readonly now?: Date | undefined
}

const encoder = new TextEncoder()

/** Signatures that are looked at: the service sends one for each secret it has. */
const MOST_SIGNATURES = 16

/**
 * The event in a request, once a signature in it was found genuine (Standard Webhooks, version 1). A webhook comes
 * once or more: `webhookId` tells a repetition.
 * @throws WebhookError, and TypeError for a secret that is none
 */
export async function verifyWebhook(
  request: WebhookRequest,
): Promise<WebhookEvent & { readonly webhookId: string }> {
  const { body, toleranceSeconds = 300, now = new Date() } = request
  const secrets = typeof request.secret === 'string' ? [request.secret] : request.secret
  const keys = await Promise.all(secrets.map(keyOf))
  const header = headerReader(request.headers)
  const [id, time, signature] = [
    header('webhook-id'),
    header('webhook-timestamp'),
    header('webhook-signature'),
  ]
  if (id === undefined || signature === undefined || !/^\d{1,12}$/.test(time ?? '')) {
    throw new WebhookError('headers')
  }
  const age = Math.abs(now.getTime() / 1000 - Number(time))
  if (!(age <= toleranceSeconds)) throw new WebhookError('age')
  const bytes = typeof body === 'string' ? encoder.encode(body) : body
  const signed = concat(encoder.encode(`${id}.${time ?? ''}.`), bytes)
  if (!(await isSigned(signed, signaturesIn(signature), keys))) throw new WebhookError('signature')
  return { ...eventIn(new TextDecoder().decode(bytes)), webhookId: id }
}

/** The types of Node and of browsers have different names for it. */
type Key = Awaited<ReturnType<typeof crypto.subtle.importKey>>

async function keyOf(secret: string): Promise<Key> {
  const bytes = fromBase64(secret.trim().replace(/^whsec_/, ''))
  if (bytes === undefined || bytes.length === 0) {
    throw new TypeError('A secret of webhooks is base64, after whsec_')
  }
  return await crypto.subtle.importKey('raw', bytes, { name: 'HMAC', hash: 'SHA-256' }, false, [
    'verify',
  ])
}

/** `verify` compares in constant time; every pair is tried, so that time tells nothing of which one fits. */
async function isSigned(
  signed: Uint8Array<ArrayBuffer>,
  signatures: readonly Uint8Array<ArrayBuffer>[],
  keys: readonly Key[],
): Promise<boolean> {
  const tried = keys.flatMap((key) =>
    signatures.map((signature) => crypto.subtle.verify('HMAC', key, signature, signed)),
  )
  return (await Promise.all(tried)).includes(true)
}

/** Those of version 1; others may stand beside them. */
function signaturesIn(header: string): Uint8Array<ArrayBuffer>[] {
  return header
    .split(' ')
    .slice(0, MOST_SIGNATURES)
    .flatMap((each) => {
      const bytes = each.startsWith('v1,') ? fromBase64(each.slice(3)) : undefined
      return bytes === undefined ? [] : [bytes]
    })
}

function headerReader(headers: WebhookRequest['headers']) {
  if (headers instanceof Headers) return (name: string) => headers.get(name) ?? undefined
  const lower = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value] as const)
  return (name: string) => {
    const value = lower.find(([each]) => each === name)?.[1]
    return typeof value === 'string' ? value : undefined
  }
}

function fromBase64(text: string): Uint8Array<ArrayBuffer> | undefined {
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(text)) return undefined
  try {
    return Uint8Array.from(atob(text), (char) => char.charCodeAt(0))
  } catch {
    return undefined
  }
}

function concat(first: Uint8Array, second: Uint8Array): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(first.length + second.length)
  all.set(first)
  all.set(second, first.length)
  return all
}

function eventIn(text: string): WebhookEvent {
  let event: unknown
  try {
    event = JSON.parse(text)
  } catch {
    throw new WebhookError('body')
  }
  const members: Partial<Record<keyof WebhookEvent, unknown>> =
    typeof event === 'object' && event !== null ? event : {}
  const { type, timestamp, data } = members
  if (typeof type !== 'string' || typeof timestamp !== 'string') throw new WebhookError('body')
  if (typeof data !== 'object' || data === null) throw new WebhookError('body')
  return event as WebhookEvent
}
