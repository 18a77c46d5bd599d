import { existsSync } from 'node:fs'
import { setTimeout as wait } from 'node:timers/promises'
import { HeadBucketCommand } from '@aws-sdk/client-s3'
import t, { type Test } from 'tap'
import { pdf } from '../acceptance/support/content.js'
import { eventually } from '../acceptance/support/eventually.js'
import { filePath, personOf } from '../acceptance/support/people.js'
import { startServer } from '../acceptance/support/server.js'
import { bucketOf, bucketSettings, testS3 } from '../helpers/s3-bucket.js'

// A service moves its sealed files from the disk to S3 and back, under load, with kills in between.

const settings = bucketSettings()
const bucket = bucketOf(settings)
const { endpoint, accessKeyId, secretAccessKey } = testS3()
const s3 = {
  ...{ S3_BUCKET: settings.bucket, S3_ENDPOINT: endpoint, S3_FORCE_PATH_STYLE: 'true' },
  ...{ S3_CREATE_BUCKET: 'true', AWS_REGION: 'us-east-1', S3_PREFIX: 'sealed' },
  ...{ AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey },
}
await bucket.make()
const server = await startServer(s3)
t.teardown(async () => {
  await server.close()
  bucket.close()
})
const anna = personOf(server, 'anna')
const files = new Map<string, Buffer>()
const upload = async (n: number) => {
  const data = pdf(`moved ${n}`, n % 7 === 0 ? 6 * 1024 * 1024 : 1_000 + n * 731)
  files.set(await anna.file(data), data)
}
let made = 0

/** Complete ones: a kill leaves half-written ones, which are nobody's. */
const onDisk = async () => (await server.blobs()).filter((path) => !path.includes('/incoming/'))
const inBucket = async () => (await bucket.keys()).length

const allAreRead = async (t: Test) => {
  let wrong = 0
  for (const [id, data] of files) {
    const answer = await anna.get(filePath(id))
    if (answer.status !== 200 || !answer.bytes.equals(data)) wrong += 1
  }
  t.equal(wrong, 0, `${files.size} files are read, byte by byte`)
}

interface Report {
  readonly copied: number
  readonly already: number
  readonly removed: number
  readonly damaged: number
}

const migrate = async (...args: string[]) => {
  const begun = performance.now()
  const { code, out, err } = await server.command('storage', 'migrate', '--json', ...args)
  t.comment(`migrate ${args.join(' ')}: ${Math.round(performance.now() - begun)} ms`)
  if (code !== 0) throw new Error(err)
  return JSON.parse(out) as Report
}

/** Uploads until told to stop. */
async function load(until: { isOver: boolean }): Promise<void> {
  while (!until.isOver) {
    await upload(++made)
    await wait(20)
  }
}

for (; made < 40; made++) await upload(made)

await t.test('to S3, while it serves from the disk', async (t) => {
  t.match(await server.command('storage', 'migrate', '--to', 'tape'), { code: 2 })
  const early = await server.command('storage', 'migrate', '--to', 's3', '--remove-source')
  t.match(early, { code: 1, err: /still puts new files on disk/ })
  const until = { isOver: false }
  // Broken off by the kill.
  const loading = load(until).catch(() => undefined)
  const killed = server.beginCommand(['storage', 'migrate', '--to', 's3'])
  await eventually('some are there', async () => (await inBucket()) > 5, 30_000)
  killed.kill()
  await server.kill()
  until.isOver = true
  await loading
  await server.start()
  // The service that is back goes on with it by itself, so that a second one is refused until it is done.
  const report = await eventuallyMoved('s3')
  t.equal(report.damaged, 0)
  await allAreRead(t)
  t.ok((await inBucket()) >= files.size, 'all that were there then are in the bucket')
})

async function eventuallyMoved(to: string): Promise<Report> {
  let report: Report | undefined
  await eventually(
    'the move',
    async () => {
      report = await migrate('--to', to).catch((error: unknown) => {
        if (error instanceof Error && error.message.includes('under way')) return undefined
        throw error
      })
      return report !== undefined
    },
    60_000,
  )
  if (report === undefined) throw new Error('not moved')
  return report
}

await t.test('the service goes over, what is left follows, and the disk is emptied', async (t) => {
  for (const end = made + 5; made < end; made++) await upload(made)
  await server.stop()
  await server.start({ STORAGE_DRIVER: 's3', STORAGE_FALLBACK: 'disk' })
  await allAreRead(t)
  const until = { isOver: false }
  const loading = load(until)
  const rest = await eventuallyMoved('s3')
  t.ok(rest.copied >= 5, `${rest.copied} followed`)
  const removed = await migrate('--to', 's3', '--remove-source')
  until.isOver = true
  await loading
  t.equal(removed.damaged, 0)
  t.ok(removed.removed > 40, `${removed.removed} removed from the disk`)
  t.same(await onDisk(), [])
  await allAreRead(t)
  await server.stop()
  await server.start({ STORAGE_DRIVER: 's3' })
  await allAreRead(t)
  t.match(await server.command('sweep', '--json'), { code: 0, out: /"damaged":0/ })
  t.match(await server.command('scrub', '--rate', '1000'), { code: 0, out: /\n0 damaged/ })
})

await t.test('a spoilt copy is no reason to destroy the other', async (t) => {
  await server.stop()
  await server.start({ STORAGE_DRIVER: 'disk', STORAGE_FALLBACK: 's3' })
  await migrate('--to', 'disk')
  const [path = ''] = await onDisk()
  const bytes = await server.sealed.read(path)
  const spoilt = Buffer.from(bytes)
  spoilt[100] = (spoilt[100] ?? 0) ^ 1
  await server.sealed.write(path, spoilt)
  const refused = await server.command('storage', 'migrate', '--to', 'disk', '--remove-source')
  t.match(refused, { code: 1, out: /1 damaged: named in the log/ })
  t.equal(await inBucket(), 1, 'the other half of what differs is left')
  await server.sealed.write(path, bytes)
  t.equal((await migrate('--to', 'disk', '--remove-source')).removed, 1)
  t.equal(await inBucket(), 0)
  await server.stop()
  await server.start({})
  await allAreRead(t)
  t.ok(existsSync(server.filesDir))
  await bucket.client.send(new HeadBucketCommand({ Bucket: settings.bucket }))
  const log = await personOf(server, 'admin', { role: 'admin' }).get(
    '/api/v1/audit/logs?action=storage.migrate',
  )
  t.match(log.text, /storage\.migrate/, 'it is on record')
})
