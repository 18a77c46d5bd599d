import t, { type Test } from 'tap'
import { amzJson, startKms } from '../helpers/kms-server.js'
import { hasBytes, isProblem } from './support/checks.js'
import { pdf } from './support/content.js'
import { eventually } from './support/eventually.js'
import type { Answer } from './support/http.js'
import { filePath, personOf } from './support/people.js'
import { startServer } from './support/server.js'

/*
 * The service with its master key in KMS: whose key is in memory is served through an outage, for its
 * time, others are told to come back, nobody is told why. KMS is a server of ours: the real one does not
 * run here.
 */

const kms = await startKms()
t.teardown(() => kms.stop())
const keyId = kms.createKey()
const settings = {
  MASTER_KEYS: '',
  KEY_PROVIDER: 'aws-kms',
  KMS_KEY_IDS: kms.arnOf(keyId),
  KMS_ENDPOINT: kms.origin,
  AWS_REGION: kms.region,
  AWS_ACCESS_KEY_ID: kms.accessKeyId,
  AWS_SECRET_ACCESS_KEY: kms.secretAccessKey,
  KEY_TIMEOUT_SECONDS: '1',
  KEY_CACHE_SECONDS: '0',
  KEY_OUTAGE_SECONDS: '3600',
}
const server = await startServer(settings)
t.teardown(() => server.close())
const [anna, bert, clara] = ['anna', 'bert', 'clara'].map((id) => personOf(server, id)) as [
  ReturnType<typeof personOf>,
  ReturnType<typeof personOf>,
  ReturnType<typeof personOf>,
]
const data = pdf('report', 300_000)
const ofAnna = filePath(await anna.file(data))
const ofBert = filePath(await bert.file(data))

const isUnavailable = (t: Test, answer: Answer) => {
  isProblem(t, answer, 503, 'keys_unavailable')
  t.match(answer.headers['retry-after'], /^[1-9]\d?$/)
  t.notMatch(answer.text, /kms|aws|ECONN|key |Disabled|denied|detail/i, 'nothing of the cause')
}

const health = async () => await server.call('/health/ready')

/** Starts the service anew, so that nobody's key is in memory. */
async function restart(more: Readonly<Record<string, string>> = {}): Promise<void> {
  await server.stop()
  await server.start({ ...settings, ...more })
}

await t.test('sealed under a key of KMS, nothing of it is here', async (t) => {
  hasBytes(t, await anna.get(ofAnna), data)
  t.same([...new Set(kms.verdicts)], ['good'], 'every request is signed')
  t.equal((await health()).status, 200)
  const status = await server.command('keys', 'status', '--json')
  t.equal(status.code, 0, status.err)
  t.match(JSON.parse(status.out), {
    unknown: 0,
    master_keys: [{ configured: 'first', user_keys: 2 }],
  })
})

await t.test('an outage: who was served is served on, others are told to come back', async (t) => {
  await restart()
  hasBytes(t, await anna.get(ofAnna), data)
  await kms.stop()
  const before = await server.blobs()
  hasBytes(t, await anna.get(ofAnna), data)
  const start = performance.now()
  isUnavailable(t, await bert.get(ofBert))
  t.ok(performance.now() - start < 3_000, 'in bounded time')
  isUnavailable(t, await clara.upload(data))
  isUnavailable(t, await bert.upload(pdf('other', 1_000)))
  await anna.file(pdf('more', 1_000))
  const fast = performance.now()
  for (let n = 0; n < 5; n += 1) isUnavailable(t, await bert.get(ofBert))
  t.ok(performance.now() - fast < 1_500, 'an outage does not cost every request its time limit')
  await eventually('no debris', async () => (await server.blobs()).length === before.length + 1)
  await eventually('unready', async () => (await health()).status === 503, 15_000)
  t.match((await health()).body, { components: { keys: false, database: true } })
})

await t.test('it recovers by itself', async (t) => {
  await kms.start()
  await eventually('served', async () => (await bert.get(ofBert)).status === 200, 15_000)
  hasBytes(t, await bert.get(ofBert), data)
  await clara.file(data)
  await eventually('ready', async () => (await health()).status === 200, 15_000)
})

await t.test('a hanging and a throttling KMS are outages as well', async (t) => {
  const faults = [
    () => 'hang' as const,
    () => amzJson(400, { __type: 'ThrottlingException', message: 'Rate exceeded' }),
  ]
  for (const fault of faults) {
    await restart()
    hasBytes(t, await anna.get(ofAnna), data)
    kms.interfere(fault)
    hasBytes(t, await anna.get(ofAnna), data)
    isUnavailable(t, await bert.get(ofBert))
    kms.interfere(undefined)
  }
})

await t.test('a disabled key is no outage: nobody is served', async (t) => {
  await restart()
  hasBytes(t, await anna.get(ofAnna), data)
  kms.setState(keyId, 'Disabled')
  isUnavailable(t, await anna.get(ofAnna))
  isUnavailable(t, await bert.get(ofBert))
  kms.setState(keyId, 'Enabled')
  hasBytes(t, await anna.get(ofAnna), data)
  kms.allow()
  isUnavailable(t, await anna.get(ofAnna))
  kms.allow('Encrypt', 'Decrypt')
  hasBytes(t, await bert.get(ofBert), data)
})

await t.test('the bound of an outage', async (t) => {
  await restart({ KEY_OUTAGE_SECONDS: '3' })
  hasBytes(t, await anna.get(ofAnna), data)
  const start = performance.now()
  await kms.stop()
  hasBytes(t, await anna.get(ofAnna), data)
  await eventually('the end', async () => (await anna.get(ofAnna)).status !== 200)
  const ms = performance.now() - start
  t.ok(ms > 2_500 && ms < 6_000, `${ms} ms`)
  isUnavailable(t, await anna.get(ofAnna))
})

await t.test(
  'without KMS, or with a key it refuses, nothing starts, and it is said why',
  async (t) => {
    const said = async () => {
      await server.stop()
      const before = server.logs().length
      await t.rejects(server.start(settings), /did not become ready/)
      return server
        .logs()
        .slice(before)
        .split('\n')
        .filter((line) => line.startsWith('The master keys'))
        .join('\n')
    }
    t.match(await said(), /^The master keys cannot be used\. KEY_PROVIDER .*\(ECONNREFUSED\)$/)
    await kms.start()
    kms.setState(keyId, 'Disabled')
    t.match(await said(), /^The master keys cannot be used\. .*disabled \(DisabledException 400\)$/)
    kms.setState(keyId, 'Enabled')
  },
)

await t.test('operators are told why, and no secret', async (t) => {
  const logs = server.logs()
  for (const fault of ['unreachable', 'timeout', 'throttled', 'disabled', 'denied']) {
    t.match(logs, new RegExp(`"fault":"${fault}"`))
  }
  t.notOk(logs.includes(kms.secretAccessKey))
  await restart()
  hasBytes(t, await anna.get(ofAnna), data)
})
