import { randomUUID } from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'
import t from 'tap'
import { pdf } from '../acceptance/support/content.js'
import { type Answer, listOf } from '../acceptance/support/http.js'
import { filePart } from '../acceptance/support/multipart.js'
import {
  assign,
  filePath,
  personOf,
  recordPath,
  recordType,
  uploadPath,
} from '../acceptance/support/people.js'
import { startServer } from '../acceptance/support/server.js'
import { type Asked, type Fault, flakyProxy } from '../helpers/flaky-proxy.js'
import { s3Outages } from '../helpers/outages.js'
import { bucketOf, bucketSettings, testS3 } from '../helpers/s3-bucket.js'

// What a caller is told while S3 does not do its work, call by call (test/helpers/outages.ts), and what is there
// afterwards.

const MIB = 1024 * 1024
const proxy = await flakyProxy(testS3().endpoint)
const settings = bucketSettings({ endpoint: proxy.origin })
const bucket = bucketOf(settings)
await bucket.make()
const { accessKeyId, secretAccessKey } = testS3()
const server = await startServer({
  ...{ STORAGE_DRIVER: 's3', S3_BUCKET: settings.bucket, S3_ENDPOINT: proxy.origin },
  ...{ S3_FORCE_PATH_STYLE: 'true', AWS_REGION: 'us-east-1', S3_TIMEOUT_SECONDS: '1' },
  ...{ AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey },
  DELETE_RETENTION_DAYS: '0',
})
t.teardown(async () => {
  proxy.behave(() => undefined)
  await server.close()
  bucket.close()
  await proxy.close()
})
const anna = personOf(server, 'anna')
const [small, large] = [pdf('small', 40_000), pdf('large', 11 * MIB)]
const [smallPath, largePath] = [filePath(await anna.file(small)), filePath(await anna.file(large))]

const admin = personOf(server, 'admin', { role: 'admin' })
const doctor = personOf(server, 'doctor', { role: 'clinician' })
await assign(admin, doctor, anna)
const recordId = await doctor.record(pdf('a record'), {
  patient_id: anna.id,
  medical_record_type_id: await recordType(admin),
})

const isWrite = ({ method }: Asked) => method === 'PUT' || method === 'POST'
const isRead = ({ method }: Asked) => method === 'GET'
const isComplete = ({ method, path }: Asked) =>
  method === 'POST' && path.includes('uploadId=') && !path.includes('uploads')
const isHead = ({ method }: Asked) => method === 'HEAD'
const isAny = () => true

interface Fails {
  readonly meets: (asked: Asked) => boolean
  readonly does: Fault
  /** How often; then S3 is well again. */
  readonly times: number
}

const slowDown: Fault = { kind: 'refuse', status: 503, code: 'SlowDown' }
const denied: Fault = { kind: 'refuse', status: 403, code: 'AccessDenied' }
const always = 100_000

type Name = (typeof s3Outages)[number]['fault']
const cut: Fault = { kind: 'cut request', after: 20_000 }

const fails = new Map<Name, Fails>([
  ['S3 says SlowDown once', { meets: isAny, does: slowDown, times: 1 }],
  ['S3 says SlowDown for long', { meets: isAny, does: slowDown, times: always }],
  ['S3 refuses to write', { meets: isWrite, does: denied, times: always }],
  ['S3 refuses to read', { meets: isRead, does: denied, times: always }],
  ['S3 is gone', { meets: isAny, does: { kind: 'drop' }, times: always }],
  ['S3 is slow within the limit', { meets: isAny, does: { kind: 'delay', ms: 300 }, times: 2 }],
  [
    'S3 is slow past the limit',
    { meets: isAny, does: { kind: 'delay', ms: 5_000 }, times: always },
  ],
  ['S3 cuts in mid-part, once', { meets: isWrite, does: cut, times: 1 }],
  ['S3 cuts every part', { meets: isWrite, does: cut, times: always }],
  ['S3 cuts an answer', { meets: isRead, does: { kind: 'cut answer', after: 1_000 }, times: 1 }],
  ['S3 loses an answer', { meets: isWrite, does: { kind: 'lose answer' }, times: 1 }],
  [
    'S3 completes, and never says so',
    { meets: isComplete, does: { kind: 'lose answer' }, times: always },
  ],
  ['S3 refuses HEAD', { meets: isHead, does: denied, times: always }],
])

/** The answer while S3 is as the row says. */
async function during({ meets, does, times }: Fails, send: () => Promise<Answer>): Promise<Answer> {
  let left = times
  proxy.behave((asked) => (meets(asked) && left-- > 0 ? does : undefined))
  try {
    return await send()
  } finally {
    proxy.behave(() => undefined)
  }
}

const live = async () => listOf(await anna.get('/api/files/user?limit=200')).length

for (const each of s3Outages) {
  await t.test(each.fault, { timeout: 120_000 }, async (t) => {
    const how = fails.get(each.fault)
    if (how === undefined) throw new Error('how it fails is not said')
    // Where most calls failed the SDK tries less often, until enough went well.
    for (let call = 0; call < 50; call++) await anna.get(smallPath)
    for (const [what, size, expected] of [
      ['a small upload', 30_000, each.upload],
      ['an upload in parts', 11 * MIB, each.large],
    ] as const) {
      const data = pdf(randomUUID(), size)
      const headers = { 'idempotency-key': randomUUID() }
      const send = () => anna.form(uploadPath, [filePart(data)], { headers })
      const before = await live()
      const answer = await during(how, send)
      t.equal(answer.status, expected, `${what}: ${answer.text.slice(0, 200)}`)
      if (answer.status === 503) {
        t.equal(answer.body.code, 'storage_unavailable')
        t.ok(Number(answer.headers['retry-after']) > 0, 'says when to come again')
        t.equal(await live(), before, 'nothing of it is listed')
        const again = await send()
        t.equal(again.status, 201, `${what}, sent again as it is: ${again.text.slice(0, 200)}`)
      }
      t.equal(await live(), before + 1, 'it is there once')
      const made = listOf(await anna.get('/api/files/user?limit=1'))[0]?.file_id ?? ''
      t.ok((await anna.get(filePath(made))).bytes.equals(data), 'byte for byte')
      await anna.delete(filePath(made))
    }
    const reading = await during(how, () => anna.get(smallPath))
    t.equal(reading.status, each.download, 'a download')
    if (reading.status === 503) t.equal(reading.body.code, 'storage_unavailable')
    const listed = await during(how, () => anna.get('/api/files/user'))
    t.equal(listed.status, each.list, 'a list')
    const wish = { user_id: randomUUID() }
    const shared = await during(how, () => anna.post(`${recordPath(recordId)}/grants`, wish))
    t.equal(shared.status, each.share, 'a grant')
    const extra = filePath(await anna.file(pdf(randomUUID())))
    const removed = await during(how, () => anna.delete(extra))
    t.equal(removed.status, each.remove, 'a deletion')
    t.equal((await anna.get(extra)).status, 404, 'what is deleted is gone')
    const ready = await during(how, () => server.call('/health/ready'))
    t.equal(ready.status, each.ready, 'readiness')
    t.ok((await anna.get(smallPath)).bytes.equals(small), 'well again')
    t.ok((await anna.get(largePath)).bytes.equals(large))
  })
}

await t.test('nothing is left of all that', async (t) => {
  await wait(500)
  t.same(await bucket.uploads(), [], 'no part')
  const swept = await server.command('sweep', '--json', '--grace-hours', '1')
  t.equal(swept.code, 0, swept.err)
  const { sound, damaged, young } = JSON.parse(swept.out) as Record<string, number>
  t.equal(damaged, 0)
  t.equal(sound, 3)
  t.comment(`${String(young)} objects that nobody could say of whether they were written`)
})
