import type { IncomingHttpHeaders } from 'node:http'

/** What the file is now. */
export interface Validators {
  /** With its quotes; strong. */
  readonly etag: string
  readonly lastModified: Date
}

/** The order of RFC 9110, 13.2.2. */
export function precondition(
  headers: IncomingHttpHeaders,
  now: Validators,
): 'proceed' | 'failed' | 'not_modified' {
  const modified = wholeSeconds(now.lastModified)
  const unmodifiedSince = dateOf(headers['if-unmodified-since'])
  if (headers['if-match'] !== undefined) {
    if (!matches(headers['if-match'], now.etag, 'strong')) return 'failed'
  } else if (unmodifiedSince !== undefined && modified > unmodifiedSince) {
    return 'failed'
  }
  const modifiedSince = dateOf(headers['if-modified-since'])
  if (headers['if-none-match'] !== undefined) {
    return matches(headers['if-none-match'], now.etag, 'weak') ? 'not_modified' : 'proceed'
  }
  return modifiedSince !== undefined && modified <= modifiedSince ? 'not_modified' : 'proceed'
}

/**
 * Whether a range may be served (RFC 9110, 13.1.5): a weak or another validator means the whole. So
 * does a date: two versions can be of one second, and only the client knows when it asked (8.8.2.2).
 */
export function rangeMayBeServed(
  ifRange: string | undefined,
  now: Pick<Validators, 'etag'>,
): boolean {
  return ifRange === undefined || ifRange === now.etag
}

function matches(header: string, etag: string, comparison: 'strong' | 'weak'): boolean {
  if (header.trim() === '*') return true
  const tags = header.match(/(?:W\/)?"[^"]*"/gu) ?? []
  return tags.some((tag) => (comparison === 'weak' ? tag.replace(/^W\//u, '') : tag) === etag)
}

const clock = String.raw`\d{2}:\d{2}:\d{2}`
const httpDate = new RegExp(
  String.raw`^(?:\w{3}, \d{2} \w{3} \d{4} ${clock}|\w{6,9}, \d{2}-\w{3}-\d{2} ${clock}) GMT$`,
  'u',
)
const asctime = new RegExp(String.raw`^\w{3} \w{3} [ \d]\d ${clock} \d{4}$`, 'u')

/** What is no HTTP-date is ignored, whatever else it could be read as (RFC 9110, 13.1.3 and 5.6.7). */
function dateOf(header: string | undefined): number | undefined {
  if (header === undefined) return undefined
  const text = asctime.test(header) ? `${header} GMT` : header
  const time = httpDate.test(header) || text !== header ? Date.parse(text) : Number.NaN
  return Number.isNaN(time) ? undefined : time
}

function wholeSeconds(date: Date): number {
  return Math.floor(date.getTime() / 1000) * 1000
}
