import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import type { PeerRequest } from './peer.js'

/*
 * Verifies AWS Signature Version 4 of requests to a service, written from AWS's description of it
 * ("Create a signed AWS API request") and from nothing else: not from the SDK, whose signer it judges.
 */

export interface AwsSecret {
  readonly secretAccessKey: string
  /** Where the key is a temporary one. */
  readonly sessionToken?: string
}

export interface Verifier {
  readonly region: string
  readonly service: string
  /** By access key id. */
  readonly secrets: ReadonlyMap<string, AwsSecret>
  /** Headers that must be among the signed ones, beside host and x-amz-date. */
  readonly mustSign: readonly string[]
}

export type Verdict = 'good' | 'no signature' | 'unknown key' | 'wrong signature' | 'expired'

const FIVE_MINUTES_MS = 300_000

export function verifySignature(verifier: Verifier, request: PeerRequest): Verdict {
  const parts =
    /^AWS4-HMAC-SHA256 Credential=([^/,]+)\/([^,]+), ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$/.exec(
      request.headers.authorization ?? '',
    )
  const [, accessKeyId = '', scope = '', signedHeaders = '', signature = ''] = parts ?? []
  const time = String(request.headers['x-amz-date'])
  if (parts === null || !/^\d{8}T\d{6}Z$/.test(time)) return 'no signature'
  const secret = verifier.secrets.get(accessKeyId)
  if (secret === undefined) return 'unknown key'
  const { region, service } = verifier
  const date = time.slice(0, 8)
  if (scope !== `${date}/${region}/${service}/aws4_request`) return 'wrong signature'
  const names = signedHeaders.split(';')
  const required = ['host', 'x-amz-date', ...verifier.mustSign]
  if (secret.sessionToken !== undefined) required.push('x-amz-security-token')
  if (!required.every((name) => names.includes(name))) return 'wrong signature'
  if (request.headers['x-amz-security-token'] !== secret.sessionToken) return 'unknown key'
  const canonical = sha256(canonicalRequest(request, names))
  const toSign = ['AWS4-HMAC-SHA256', time, scope, canonical].join('\n')
  const key = [date, region, service, 'aws4_request'].reduce<Buffer>(
    (above, word) => hmac(above, word),
    Buffer.from(`AWS4${secret.secretAccessKey}`),
  )
  if (!timingSafeEqual(hmac(key, toSign), Buffer.from(signature, 'hex'))) return 'wrong signature'
  return Math.abs(Date.now() - timeOf(time)) > FIVE_MINUTES_MS ? 'expired' : 'good'
}

/** Method, path, query, headers, their names, and the hash of the body. */
function canonicalRequest({ method, url, headers, body }: PeerRequest, names: string[]): string {
  const { pathname, searchParams } = new URL(url, 'http://host')
  const query = [...searchParams]
    .map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`)
    .sort()
    .join('&')
  const lines = [...names].sort().map((name) => {
    const value = String(headers[name] ?? '')
    return `${name}:${value.trim().replaceAll(/ +/g, ' ')}\n`
  })
  return [method, pathname, query, lines.join(''), [...names].sort().join(';'), sha256(body)].join(
    '\n',
  )
}

function sha256(data: string | Buffer): string {
  return createHash('sha256').update(data).digest('hex')
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest()
}

function timeOf(text: string): number {
  return Date.parse(text.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'))
}
