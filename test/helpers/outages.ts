// What callers are told while something that the service needs does not do its work: fault × call → status.
// test/heavy/outages.test.ts and s3-outages.test.ts run it; docs/OPERATIONS.md shows it, which a test holds to it.

export interface Outage {
  readonly fault: string
  /** An upload that is one part in S3, and one that is several. */
  readonly upload: number
  readonly large: number
  readonly list: number
  readonly download: number
  readonly share: number
  readonly remove: number
  readonly ready: number
  readonly after: string
}

type Statuses = readonly [
  upload: number,
  large: number,
  list: number,
  download: number,
  share: number,
  remove: number,
  ready: number,
]

function outage(fault: string, statuses: Statuses, after: string): Outage {
  const [upload, large, list, download, share, remove, ready] = statuses
  return { fault, upload, large, list, download, share, remove, ready, after }
}

const itself = 'tried again by itself'
const again = 'nothing is left; the same request may be sent again'

export const s3Outages = [
  outage('S3 says SlowDown once', [201, 201, 200, 200, 201, 200, 200], itself),
  outage('S3 says SlowDown for long', [503, 503, 200, 503, 201, 200, 503], again),
  outage('S3 refuses to write', [503, 503, 200, 200, 201, 200, 200], again),
  outage('S3 refuses to read', [201, 201, 200, 503, 201, 200, 200], again),
  outage('S3 is gone', [503, 503, 200, 503, 201, 200, 503], again),
  outage('S3 is slow within the limit', [201, 201, 200, 200, 201, 200, 200], 'waited for'),
  outage('S3 is slow past the limit', [503, 503, 200, 503, 201, 200, 503], again),
  outage('S3 cuts in mid-part, once', [201, 201, 200, 200, 201, 200, 200], itself),
  outage('S3 cuts every part', [503, 503, 200, 200, 201, 200, 200], `no part is left; ${again}`),
  outage('S3 cuts an answer', [201, 201, 200, 200, 201, 200, 200], 'gone on with where it ended'),
  outage('S3 loses an answer', [201, 201, 200, 200, 201, 200, 200], itself),
  outage(
    'S3 completes, and never says so',
    [201, 201, 200, 200, 201, 200, 200],
    'a look at the object decides',
  ),
  outage('S3 refuses HEAD', [201, 201, 200, 200, 201, 200, 503], again),
] as const

export const otherOutages = [
  outage('the disk of sealed files is full', [503, 503, 200, 200, 201, 200, 503], again),
  outage('the disk of sealed files is read-only', [503, 503, 200, 200, 201, 200, 503], again),
  outage('PostgreSQL is stopped', [503, 503, 503, 503, 503, 503, 503], again),
  outage('PostgreSQL crashes', [503, 503, 503, 503, 503, 503, 503], again),
  outage('PostgreSQL only reads', [503, 503, 503, 503, 503, 503, 503], again),
  outage('Redis is stopped', [201, 201, 200, 200, 201, 200, 200], 'each node counts by itself'),
  outage('Redis hangs', [201, 201, 200, 200, 201, 200, 200], 'each node counts by itself'),
  outage(
    'the clock is two hours ahead',
    [201, 201, 200, 200, 201, 200, 200],
    'tokens that end meanwhile: 401; the log is sound',
  ),
  outage('the clock is an hour behind', [201, 201, 200, 200, 201, 200, 200], 'the log is sound'),
] as const

/** The table as docs/OPERATIONS.md shows it. */
export function outageLines(): string[] {
  return [...s3Outages, ...otherOutages].map(
    ({ fault, upload, large, list, download, share, remove, ready, after }) =>
      `| ${[fault, upload, large, list, download, share, remove, ready, after].join(' | ')} |`,
  )
}
