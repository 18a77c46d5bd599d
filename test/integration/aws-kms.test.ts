import { randomBytes, randomUUID } from 'node:crypto'
import t, { type Test } from 'tap'
import { FernetKey } from '../../src/crypto/fernet-key.js'
import { awsKmsKeyProvider } from '../../src/keys/aws-kms-key-provider.js'
import type { MasterClaims } from '../../src/keys/key-provider.js'
import type { RemoteCall } from '../../src/keys/remote-key-provider.js'
import { amzJson, type KmsServer, startKms } from '../helpers/kms-server.js'

/*
 * The real SDK against a server of ours that stands in for KMS (test/helpers/kms-server.ts) and checks
 * each signature by itself. Never run against the real AWS KMS.
 */

const anna = { use: 'user-key', user: 'anna', version: 1 } as const
const bert = { ...anna, user: 'bert' } as const
const away = { code: 'keys_unavailable', away: true }
const refused = { code: 'keys_unavailable', away: false }

interface Settings {
  readonly keyIds?: readonly string[]
  readonly timeoutMs?: number
  readonly secretAccessKey?: string
}

async function startService(t: Test) {
  const kms = await startKms()
  t.teardown(() => kms.stop())
  const keyId = kms.createKey()
  const calls: RemoteCall[] = []
  const providerWith = ({ keyIds = [keyId], timeoutMs = 2_000, ...secret }: Settings = {}) => {
    const { region, accessKeyId, secretAccessKey } = kms
    const provider = awsKmsKeyProvider({
      ...{ keyIds, timeoutMs, region, endpoint: kms.origin },
      credentials: { accessKeyId, secretAccessKey, ...secret },
      onCall: (call) => calls.push(call),
    })
    t.teardown(() => provider.close())
    return provider
  }
  return { kms, keyId, calls, providerWith, provider: providerWith() }
}

const timed = async (work: Promise<unknown>) => {
  const start = performance.now()
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  return { error, ms: performance.now() - start }
}

/** What the service answers to a wrapping of these bytes under Anna's claims. */
const forged = (kms: KmsServer, keyId: string, id: string, bytes: Buffer) =>
  `kms:${id}:${kms.encrypt(keyId, bytes, { use: 'user-key', user: 'anna', version: '1' })}`

await t.test('a key is wrapped, signed for, and opened for its claims only', async (t) => {
  const { kms, provider } = await startService(t)
  const key = FernetKey.generate()
  const wrapped = await provider.wrap(key, anna)
  const [id] = provider.masterKeyIds
  t.match(wrapped, new RegExp(`^kms:${id}:[A-Za-z0-9+/]+=*$`))
  t.match(id, /^[0-9a-f]{16}$/)
  const opened = await provider.unwrapNamed(wrapped, anna)
  t.equal(opened.key.exportText(), key.exportText())
  t.equal(opened.masterKeyId, id)
  const others: MasterClaims[] = [
    bert,
    { ...anna, version: 2 },
    { use: 'index-key' },
    { use: 'check' },
  ]
  for (const claims of others) {
    await t.rejects(provider.unwrap(wrapped, claims), { code: 'damaged', reason: 'unauthentic' })
  }
  t.same(kms.contexts.at(-5), { use: 'user-key', user: 'anna', version: '1' }, 'as texts')
  t.ok(kms.verdicts.length > 6)
  t.same([...new Set(kms.verdicts)], ['good'])
})

await t.test('the verifier refuses a wrong secret', async (t) => {
  const { kms, provider, providerWith } = await startService(t)
  const wrapped = await provider.wrap(FernetKey.generate(), anna)
  const asked = kms.asked()
  const stranger = providerWith({ secretAccessKey: randomBytes(30).toString('base64') })
  await t.rejects(stranger.unwrap(wrapped, anna), { ...refused, fault: 'denied' })
  t.equal(kms.verdicts.at(-1), 'wrong signature')
  t.equal(kms.asked(), asked + 1, 'a refusal is not repeated')
})

await t.test('the same key by id and ARN is one master key; another is another', async (t) => {
  const { kms, keyId, provider, providerWith } = await startService(t)
  const byArn = providerWith({ keyIds: [kms.arnOf(keyId)] })
  t.same(byArn.masterKeyIds, provider.masterKeyIds)
  const wrapped = await byArn.wrap(FernetKey.generate(), anna)
  await provider.unwrap(wrapped, anna)
  const both = providerWith({ keyIds: [kms.createKey(), keyId] })
  t.equal(both.masterKeyIds[1], provider.masterKeyIds[0])
  t.equal((await both.unwrapNamed(wrapped, anna)).masterKeyId, both.masterKeyIds[1])
  const second = await both.wrapWith(both.masterKeyIds[1] ?? '', FernetKey.generate(), anna)
  await provider.unwrap(second, anna)
  const fresh = await both.wrap(FernetKey.generate(), anna)
  await t.rejects(provider.unwrap(fresh, anna), { code: 'damaged' }, 'not given here')
  const [first, last] = both.masterKeyIds
  const relabelled = fresh.replace(first, String(last))
  await t.rejects(both.unwrap(relabelled, anna), { code: 'damaged' }, 'under another id')
})

await t.test('what is in a row is not believed', async (t) => {
  const { kms, keyId, provider } = await startService(t)
  const [id] = provider.masterKeyIds
  const wrapped = await provider.wrap(FernetKey.generate(), anna)
  const asked = kms.asked()
  for (const text of [
    '',
    'kms:',
    `kms:${id}:`,
    `kms:${id}`,
    `kms:${id}:!`,
    `${wrapped}=`,
    `${wrapped} `,
    `kms:${id.toUpperCase()}x:AAAA`,
    `kms:${'0'.repeat(16)}:AAAA`,
    `kms:${id}:${'AAAA'.repeat(3_000)}`,
  ]) {
    await t.rejects(provider.unwrap(text, anna), { code: 'damaged' }, text.slice(0, 30))
  }
  t.equal(kms.asked(), asked, 'none of that was asked about')
  for (const length of [31, 33, 64]) {
    const text = forged(kms, keyId, id, randomBytes(length))
    await t.rejects(provider.unwrap(text, anna), { code: 'damaged' }, `${length} bytes`)
  }
  const changed = `${wrapped.slice(0, -8)}${wrapped.endsWith('A=') ? 'B' : 'A'}${wrapped.slice(-7)}`
  await t.rejects(provider.unwrap(changed, anna), { code: 'damaged' })
})

await t.test('throttled, then served', async (t) => {
  const { kms, provider, calls } = await startService(t)
  const wrapped = await provider.wrap(FernetKey.generate(), anna)
  for (const [status, __type] of [
    [400, 'ThrottlingException'],
    [500, 'KMSInternalException'],
    [503, 'DependencyTimeoutException'],
    [500, 'KeyUnavailableException'],
    [400, 'ExpiredTokenException'],
  ] as const) {
    calls.length = 0
    kms.interfere((nth) => (nth <= 2 ? amzJson(status, { __type, message: 'hush' }) : undefined))
    await provider.unwrap(wrapped, anna)
    t.equal(calls.length, 3, __type)
    t.equal(calls.at(-1)?.outcome, 'done')
  }
})

await t.test('what does not get better ends in time, and says why to operators only', async (t) => {
  const { kms, keyId, provider: first, providerWith } = await startService(t)
  const wrapped = await first.wrap(FernetKey.generate(), anna)
  const garbage = { status: 200, body: '<html>not KMS</html>' }
  const ways = {
    throttled: () => amzJson(400, { __type: 'ThrottlingException', message: 'hush' }),
    timeout: () => 'hang' as const,
    garbage: () => garbage,
    failing: () => ({ status: 502, body: 'bad gateway' }),
  } as const
  for (const [fault, how] of Object.entries(ways)) {
    const provider = providerWith({ timeoutMs: 600 })
    kms.interfere(how)
    const { error, ms } = await timed(provider.unwrap(wrapped, anna))
    t.match(error, { ...away, fault, retryAfter: 5, detail: undefined }, fault)
    t.ok(ms < 1_500, `${fault}: ${ms} ms`)
    const again = await timed(provider.unwrap(wrapped, anna))
    t.match(again.error, { ...away, fault }, 'the breaker')
    t.ok(again.ms < 50, `${again.ms} ms`)
  }
  kms.interfere(undefined)
  await kms.stop()
  const provider = providerWith({ timeoutMs: 600, keyIds: [keyId] })
  const { error, ms } = await timed(provider.unwrap(wrapped, anna))
  t.match(error, { ...away, fault: 'unreachable' })
  t.match(String(error), /ECONNREFUSED/)
  t.ok(ms < 1_500, `${ms} ms`)
})

await t.test('a refusal is not repeated, and is no outage', async (t) => {
  const { kms, keyId, provider } = await startService(t)
  const wrapped = await provider.wrap(FernetKey.generate(), anna)
  const once = async (fault: string) => {
    const asked = kms.asked()
    await t.rejects(provider.unwrap(wrapped, anna), { ...refused, fault }, fault)
    t.equal(kms.asked(), asked + 1)
  }
  kms.setState(keyId, 'Disabled')
  await once('disabled')
  kms.setState(keyId, 'PendingDeletion')
  await once('disabled')
  kms.setState(keyId, 'Enabled')
  kms.allow('Encrypt')
  await once('denied')
  kms.allow('Encrypt', 'Decrypt')
  await provider.unwrap(wrapped, anna)
  const missing = `kms:${provider.masterKeyIds[0]}:${Buffer.from(randomUUID()).toString('base64')}`
  await t.rejects(provider.unwrap(missing, anna), { code: 'damaged' })
})

await t.test('a service that does not bind the context wraps nothing', async (t) => {
  const { kms, keyId, provider } = await startService(t)
  const bytes = randomBytes(32)
  const body = {
    CiphertextBlob: kms.encrypt(keyId, bytes, {}),
    Plaintext: bytes.toString('base64'),
  }
  kms.interfere(() => amzJson(200, body))
  await t.rejects(provider.wrap(FernetKey.generate(), anna), { ...refused, fault: 'unfit' })
})

await t.test('health is asked for rarely', async (t) => {
  const { kms, provider } = await startService(t)
  t.equal(await provider.isAnswering(), true)
  const asked = kms.asked()
  for (let n = 0; n < 20; n += 1) t.equal(await provider.isAnswering(), true)
  t.equal(kms.asked(), asked)
})
