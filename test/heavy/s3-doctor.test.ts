import {
  PutBucketLifecycleConfigurationCommand,
  PutBucketPolicyCommand,
  PutBucketVersioningCommand,
} from '@aws-sdk/client-s3'
import t from 'tap'
import { startServer } from '../acceptance/support/server.js'
import { bucketOf, bucketSettings, testS3 } from '../helpers/s3-bucket.js'

// What `strongroom doctor` finds of a real bucket, as it is made and as it should be.

const settings = bucketSettings()
const bucket = bucketOf(settings)
await bucket.make()
const { endpoint, accessKeyId, secretAccessKey } = testS3()
const server = await startServer({
  ...{ STORAGE_DRIVER: 's3', S3_BUCKET: settings.bucket, S3_ENDPOINT: endpoint },
  ...{ S3_FORCE_PATH_STYLE: 'true', AWS_REGION: 'us-east-1' },
  ...{ AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey },
})
t.teardown(async () => {
  await server.close()
  bucket.close()
})

const about = async (setting: Readonly<Record<string, string>> = {}) => {
  const { code, out } = await server.beginCommand(['doctor'], setting).result
  const lines = out.split('\n').filter((line) => / (?:bucket|clock) /.test(line))
  return { code, lines: lines.join('\n'), out }
}

await t.test('a bucket as it was made', async (t) => {
  const { code, lines } = await about()
  t.equal(code, 0, lines)
  t.match(lines, /ok +bucket +an object was written, read and deleted/)
  t.match(lines, /ok +bucket +refuses to write over an object/)
  t.match(lines, /ok +clock +as the bucket’s/)
  t.match(lines, /could +bucket +keeps no versions/)
  t.match(lines, /could +bucket +keeps what broken uploads left/)
  t.same(await bucket.keys(), [], 'nothing is left of looking')
})

await t.test('what is mended is well', async (t) => {
  const Bucket = { Bucket: settings.bucket }
  await bucket.client.send(
    new PutBucketVersioningCommand({ ...Bucket, VersioningConfiguration: { Status: 'Enabled' } }),
  )
  await bucket.client.send(
    new PutBucketLifecycleConfigurationCommand({
      ...Bucket,
      LifecycleConfiguration: {
        Rules: [
          {
            ...{ ID: 'uploads', Status: 'Enabled', Filter: { Prefix: '' } },
            AbortIncompleteMultipartUpload: { DaysAfterInitiation: 7 },
          },
        ],
      },
    }),
  )
  const { lines } = await about()
  t.match(lines, /ok +bucket +keeps versions/)
  t.match(lines, /ok +bucket +ends uploads that were broken off/)
})

await t.test(
  'rights that are missing, a bucket that is not there, and keys that are wrong',
  async (t) => {
    const Resource = `arn:aws:s3:::${settings.bucket}/*`
    const statement = { Effect: 'Deny', Principal: '*', Action: 's3:PutObject', Resource }
    const Policy = JSON.stringify({ Version: '2012-10-17', Statement: [statement] })
    const Bucket = settings.bucket
    await bucket.client.send(new PutBucketPolicyCommand({ Bucket, Policy }))
    const denied = await about()
    t.equal(denied.code, 1)
    t.match(denied.lines, /WRONG +bucket +S3_BUCKET: these credentials may not do there/)
    const none = await about({ S3_BUCKET: 'there-is-no-such-bucket' })
    t.equal(none.code, 1)
    t.match(none.lines, /WRONG +bucket/)
    const wrong = await about({ AWS_SECRET_ACCESS_KEY: 'not-the-secret' })
    t.equal(wrong.code, 1)
    // Some servers do not say which of the two is wrong.
    t.match(wrong.lines, /WRONG +bucket +(?:AWS_SECRET_ACCESS_KEY|S3_BUCKET): /)
    t.notMatch(wrong.out, 'not-the-secret')
  },
)
