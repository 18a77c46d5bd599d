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

/** Whether a range may be served (RFC 9110, 13.1.5): a weak or another validator means the whole. */
export function rangeMayBeServed(ifRange: string | undefined, now: Validators): boolean {
  if (ifRange === undefined) return true
  if (ifRange.startsWith('"')) return ifRange === now.etag
  return dateOf(ifRange) === wholeSeconds(now.lastModified)
}

function matches(header: string, etag: string, comparison: 'strong' | 'weak'): boolean {
  if (header.trim() === '*') return true
  const tags = header.match(/(?:W\/)?"[^"]*"/gu) ?? []
  return tags.some((tag) => (comparison === 'weak' ? tag.replace(/^W\//u, '') : tag) === etag)
}

function dateOf(header: string | undefined): number | undefined {
  const time = header === undefined ? Number.NaN : Date.parse(header)
  return Number.isNaN(time) ? undefined : time
}

function wholeSeconds(date: Date): number {
  return Math.floor(date.getTime() / 1000) * 1000
}
