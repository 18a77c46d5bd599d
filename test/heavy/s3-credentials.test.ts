import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { promisify } from 'node:util'
import t from 'tap'
import { s3BlobStore } from '../../src/blobs/s3/s3-blob-store.js'
import { pieces } from '../helpers/blob-store-contract.js'
import { flakyProxy } from '../helpers/flaky-proxy.js'
import { bucketOf, bucketSettings, testS3 } from '../helpers/s3-bucket.js'

// Keys that change and roles that are assumed, at a real server with users and STS.

const run = promisify(execFile)

async function admin(...args: string[]): Promise<void> {
  const conf = process.env['TEST_S3_CEPH_CONF']
  if (conf === undefined) throw new Error('TEST_S3_CEPH_CONF: the configuration of the server')
  await run('radosgw-admin', ['-c', conf, '-n', 'client.rgw', ...args])
}

const put = async (store: Awaited<ReturnType<typeof s3BlobStore>>) => {
  const id = randomUUID()
  await store.put(id, pieces(Buffer.from('sealed'), 3))
  await (await store.open(id)).close()
}

void t.test('keys in files that are changed work without a restart', async (t) => {
  const uid = `u${randomUUID().slice(0, 8)}`
  await admin(
    'user',
    'create',
    '--uid',
    uid,
    '--display-name',
    uid,
    '--access-key',
    `${uid}A`,
    '--secret',
    'one',
  )
  const folder = t.testdir()
  const files = { accessKeyId: join(folder, 'id'), secretAccessKey: join(folder, 'secret') }
  await writeFile(files.accessKeyId, `${uid}A\n`)
  await writeFile(files.secretAccessKey, 'one\n')
  const settings = bucketSettings({ credentials: { files } })
  const store = await s3BlobStore({ settings, createBucket: true })
  t.teardown(() => {
    store.close()
  })
  await put(store)
  await admin(
    'key',
    'create',
    '--uid',
    uid,
    '--key-type',
    's3',
    '--access-key',
    `${uid}B`,
    '--secret',
    'two',
  )
  await writeFile(files.accessKeyId, `${uid}B\n`)
  await writeFile(files.secretAccessKey, 'two\n')
  await put(store)
  await wait(32_000)
  await admin('key', 'rm', '--uid', uid, '--key-type', 's3', '--access-key', `${uid}A`)
  await put(store)
  t.pass('the old key is gone, and the store writes on')
})

void t.test('a role is assumed, and again before its session ends', async (t) => {
  const name = `r${randomUUID().slice(0, 8)}`
  const trust = {
    ...{ Effect: 'Allow', Action: ['sts:AssumeRole'] },
    Principal: { AWS: ['arn:aws:iam:::user/test'] },
  }
  const rights = { Effect: 'Allow', Action: ['s3:*'], Resource: 'arn:aws:s3:::*' }
  const policy = (statement: object) =>
    JSON.stringify({ Version: '2012-10-17', Statement: [statement] })
  await admin('role', 'create', `--role-name=${name}`, `--assume-role-policy-doc=${policy(trust)}`)
  await admin(
    'role-policy',
    'put',
    `--role-name=${name}`,
    '--policy-name=p',
    `--policy-doc=${policy(rights)}`,
  )
  const sts = await flakyProxy(testS3().endpoint)
  const { credentials: master } = bucketSettings()
  // The SDK asks again five minutes before the end: a few seconds after the beginning of such a session.
  const role = { arn: `arn:aws:iam:::role/${name}`, sessionName: 'test', sessionSeconds: 305 }
  const settings = bucketSettings({ credentials: { ...master, role, stsEndpoint: sts.origin } })
  const bucket = bucketOf(settings)
  await bucket.make()
  const store = await s3BlobStore({ settings, verify: false })
  t.teardown(async () => {
    store.close()
    bucket.close()
    await sts.close()
  })
  await put(store)
  t.equal(sts.asked.length, 1, 'one session for many calls')
  await wait(7_000)
  await Promise.all([put(store), put(store), put(store)])
  await wait(500)
  await put(store)
  t.ok(sts.asked.length >= 2 && sts.asked.length <= 4, `${sts.asked.length} sessions`)
  sts.behave(() => ({ kind: 'refuse', status: 503, code: 'SlowDown' }))
  await put(store)
  t.pass('while STS is away the session that is there goes on')
})

void t.test('no keys, wrong keys and no bucket are said so that somebody can act', async (t) => {
  const { credentials } = bucketSettings()
  const cases: readonly [Parameters<typeof bucketSettings>[0], RegExp][] = [
    [{ credentials: { ...credentials, accessKeyId: 'NOBODY' } }, /^AWS_ACCESS_KEY_ID|may not do/],
    [
      { credentials: { ...credentials, secretAccessKey: 'wrong' } },
      /^AWS_SECRET_ACCESS_KEY|may not/,
    ],
    [{}, /^S3_BUCKET: there is no such bucket; S3_CREATE_BUCKET/],
    [
      { endpoint: 'http://127.0.0.1:9', maxAttempts: 1 },
      /^S3_BUCKET: the bucket cannot be used \(ECONNREFUSED\)/,
    ],
  ]
  for (const [extra, detail] of cases) {
    const starting = s3BlobStore({ settings: bucketSettings(extra) })
    await t.rejects(starting, { code: 'storage_unavailable', detail })
  }
})
