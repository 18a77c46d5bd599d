import type { BucketFacts } from '../blobs/s3/s3-inspection.js'
import { type Finding, warning, well, wrong } from './finding.js'

const about = 'bucket'
/** S3 refuses signatures of a clock that is a quarter of an hour off. */
const MOST_APART_MS = 60_000

/** What a bucket should be: private, encrypted, with versions, and without what broken uploads leave. */
export function lookAtBucket(facts: BucketFacts): Finding[] {
  const { problem, clockAheadMs: ahead } = facts
  const clock =
    ahead === undefined || Math.abs(ahead) < MOST_APART_MS
      ? well('clock', 'as the bucket’s')
      : wrong('clock', `${Math.round(ahead / 1_000)} s from the bucket’s`, 'NTP on this machine')
  if (problem !== undefined)
    return [wrong(about, problem, 'the variable named, or its rights'), clock]
  return [
    well(about, 'an object was written, read and deleted'),
    clock,
    facts.hasConditions
      ? well(about, 'refuses to write over an object')
      : warning(
          about,
          'would write over an object',
          'a server that knows If-None-Match; the service asks first meanwhile',
        ),
    judged(
      facts.isPrivate,
      'is private',
      'may be read by anyone',
      'block all public access',
      wrong,
    ),
    judged(
      facts.isEncrypted,
      'encrypts by itself',
      'does not encrypt by itself',
      'default encryption',
    ),
    judged(
      facts.isVersioned,
      'keeps versions',
      'keeps no versions',
      'versioning: a deletion by mistake or malice is undone',
    ),
    judged(
      facts.endsUploads,
      'ends uploads that were broken off',
      'keeps what broken uploads left',
      'a lifecycle rule AbortIncompleteMultipartUpload of 7 days; the sweep ends those it sees',
    ),
    judged(
      facts.isLogged,
      'logs who asks it',
      'logs nothing of who asks it',
      'server access logging',
    ),
  ]
}

function judged(
  isSo: boolean | undefined,
  good: string,
  bad: string,
  mend: string,
  judge: typeof warning = warning,
): Finding {
  if (isSo === undefined) {
    return warning(about, `does not say whether it ${good}`, `${mend}; rights to ask: deploy/iam`)
  }
  return isSo ? well(about, good) : judge(about, bad, mend)
}
