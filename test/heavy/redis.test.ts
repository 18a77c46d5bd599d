import { randomBytes, randomUUID } from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'
import { Redis } from 'ioredis'
import t from 'tap'
import { unsignedWriter } from '../../src/audit/audit-writer.js'
import { FernetKey } from '../../src/crypto/fernet-key.js'
import { openPostgresDatabase } from '../../src/db/postgres-database.js'
import { transactions } from '../../src/db/stores.js'
import { jobRunner } from '../../src/jobs/job-runner.js'
import { indexHash } from '../../src/keys/index-hash.js'
import { makeLogger } from '../../src/log.js'
import { redisConnection } from '../../src/redis/redis-connection.js'
import { redisNames } from '../../src/redis/redis-names.js'
import { redisSignals } from '../../src/redis/redis-signals.js'
import { pdf } from '../acceptance/support/content.js'
import { eventually } from '../acceptance/support/eventually.js'
import { startIdentityProvider } from '../acceptance/support/identity-provider.js'
import { assign, personOf, recordPath, recordType } from '../acceptance/support/people.js'
import { openReader } from '../acceptance/support/reader.js'
import { type Server, startServer } from '../acceptance/support/server.js'
import { claimsOf, mintToken } from '../acceptance/support/tokens.js'
import { startRedis } from '../helpers/redis-server.js'

// Two nodes on one PostgreSQL and one Redis, which is stopped, hangs and comes back: they agree while it is
// there, and go on by themselves while it is not. No answer is wrong, none is a 5xx.

if ((process.env['TEST_DATABASE_URL'] ?? '') === '') throw new Error('TEST_DATABASE_URL: expected')

const perPerson = 20
const perAddress = 30
const path = '/api/files/user'
/** What a name, an address and a token of this test have in them. */
const telling = ['anna', 'doctor', 'friend', 'person-', 'example', '203.0.113', 'eyJ']

const redis = await startRedis()
t.teardown(() => redis.close())
const provider = await startIdentityProvider('ES256')
t.teardown(() => provider.stop())
const secret = randomBytes(32).toString('hex')
const common = {
  MASTER_KEYS: FernetKey.generate().exportText(),
  JWT_SECRET_KEY: secret,
  JWT_CLOCK_TOLERANCE_SECONDS: '0',
  PRIMARY_IDENTITY: 'shared',
  REDIS_URL: redis.url,
  RATE_LIMIT_PER_PERSON: String(perPerson),
  RATE_LIMIT_PER_ADDRESS: String(perAddress),
  ...{ TRUST_PROXY: '1', REQUIRE_HTTPS: 'false' },
  ...{ COOKIE_AUTH: 'true', OIDC_ISSUER: provider.issuer, OIDC_AUDIENCE: provider.audience },
  ...{ OIDC_CLIENT_ID: provider.client.id, OIDC_CLIENT_SECRET: provider.client.secret },
}
/** What the service signs tokens with is ours. */
const node = async (more: Readonly<Record<string, string>> = {}): Promise<Server> => {
  const server = await startServer({ ...common, ...more })
  return { ...server, secret, tokenOf: (user, claims = {}) => mint(user, claims) }
}
const mint = (user: string, claims: Readonly<Record<string, unknown>>) =>
  mintToken(claimsOf(user, claims), secret)
const a = await node()
t.teardown(() => a.close())
const b = await node({ DATABASE_URL: a.database?.url ?? '', FILE_STORAGE_PATH: a.filesDir })
t.teardown(() => b.close())
const nodes = [a, b] as const

const components = async (server: Server) => {
  const answer = await server.call('/health/ready')
  return { status: answer.status, text: answer.text }
}
const bothSay = (isThere: boolean) =>
  eventually(`redis: ${String(isThere)}`, async () => {
    const said = await Promise.all(nodes.map(components))
    return said.every(({ text }) => text.includes(`"redis":${String(isThere)}`))
  })
await bothSay(true)

/** Asks `times` times, at one node and the other in turn or at those given; how often which status came. */
async function ask(
  times: number,
  call: (server: Server) => Promise<{ readonly status: number }>,
  of: readonly Server[] = nodes,
): Promise<Record<number, number>> {
  const counts: Record<number, number> = {}
  for (let nth = 0; nth < times; nth++) {
    const { status } = await call(of[nth % of.length] ?? a)
    counts[status] = (counts[status] ?? 0) + 1
  }
  return counts
}
const as = (id: string) => (server: Server) => personOf(server, id).get(path)
const from = (address: string) => (server: Server) =>
  server.call(path, { headers: { 'x-forwarded-for': address } })

await t.test('rates are of all nodes together', async (t) => {
  t.same(await ask(perPerson + 6, as('anna')), { 200: perPerson, 429: 6 })
  t.same(await ask(perAddress + 6, from('203.0.113.1')), { 401: perAddress, 429: 6 })
  const many = Array.from({ length: 40 }, (_, n) => as('anna-at-once')(n % 2 === 0 ? a : b))
  const statuses = (await Promise.all(many)).map(({ status }) => status)
  t.equal(statuses.filter((status) => status === 200).length, perPerson, 'at once, too')
})

const sessionCall = (refresh: string) => (server: Server) =>
  server.call(path, { headers: { cookie: `refresh_token=${refresh}` } })

await t.test('a refresh token that reaches both nodes is exchanged once', async (t) => {
  for (let round = 0; round < 3; round++) {
    const refresh = await provider.refreshTokenOf(`person-${round}`)
    const before = provider.asked('/token')
    const calls = Array.from({ length: 6 }, (_, n) => sessionCall(refresh)(n % 2 === 0 ? a : b))
    const statuses = (await Promise.all(calls)).map(({ status }) => status)
    t.same(statuses, [200, 200, 200, 200, 200, 200])
    t.equal(provider.asked('/token') - before, 1)
  }
  const later = await provider.refreshTokenOf('person-later')
  const before = provider.asked('/token')
  t.equal((await sessionCall(later)(a)).status, 200)
  await wait(2_000)
  t.equal((await sessionCall(later)(b)).status, 200, 'two seconds later, on the other node')
  t.equal(provider.asked('/token') - before, 1)
})

await t.test(
  'what a refused token was told is shared, a provider that is away is not',
  async (t) => {
    const before = provider.asked('/token')
    t.same(await ask(4, sessionCall('never-given')), { 401: 4 })
    t.equal(provider.asked('/token') - before, 1)
    const refresh = await provider.refreshTokenOf('person-away')
    await provider.stop()
    t.same(await ask(2, sessionCall(refresh)), { 503: 2 })
    await provider.start()
    t.same(await ask(2, sessionCall(refresh)), { 200: 2 })
  },
)

await t.test('a grant revoked on one node ends readings on the other at once', async (t) => {
  const admin = personOf(a, 'admin', { role: 'admin' })
  const [patient, doctor] = [personOf(a, 'patient'), personOf(a, 'doctor', { role: 'clinician' })]
  await assign(admin, doctor, patient)
  const type = await recordType(admin)
  const record = { patient_id: patient.id, medical_record_type_id: type }
  const at = recordPath(await doctor.record(pdf('revoked', 24 * 1024 * 1024), record))
  const endings = async () => {
    const rows = await a.database?.query(
      "select count(*)::int as n from audit_events where reason = 'grant_ended'",
    )
    return Number(rows?.[0]?.['n'])
  }
  const took: number[] = []
  for (let round = 0; round < 6; round++) {
    const friend = personOf(b, `friend-${round}`)
    t.equal((await patient.post(`${at}/grants`, { user_id: friend.id })).status, 201)
    const reading = await openReader(b.address, friend, `${at}/download`)
    t.equal(reading.status, 200)
    await reading.read(1)
    const before = await endings()
    await wait(Math.random() * 500)
    t.equal((await patient.delete(`${at}/grants/${friend.id}`)).status, 200)
    took.push(await eventually('its end', async () => (await endings()) > before))
    reading.destroy()
  }
  t.ok(took.filter((ms) => ms < 400).length >= 5, `after ${took.map(Math.round).join(', ')} ms`)
})

await t.test('a job added on one node is begun on another at once', async (t) => {
  const database = await openPostgresDatabase({ url: a.database?.url ?? '', poolSize: 2 })
  const db = transactions(database, unsignedWriter)
  const log = makeLogger({ logLevel: 'silent' })
  const nameOf = redisNames(indexHash(FernetKey.generate()))
  const ends = [redisConnection({ url: redis.url, log }), redisConnection({ url: redis.url, log })]
  const [here, there] = ends.map((each) => redisSignals(each, nameOf))
  let done = 0
  const runner = jobRunner({
    db,
    handlers: { 'test-of-wake': () => Promise.resolve((done += 1)) },
    onProblem: () => undefined,
  })
  there?.on('jobs', () => {
    runner.wake()
  })
  runner.start()
  await eventually('both', () => ends.every((each) => each.isThere()))
  await wait(500)
  const took: number[] = []
  for (let round = 1; round <= 3; round++) {
    await db.stores.jobs.add({ jobId: randomUUID(), kind: 'test-of-wake', payload: {} }, new Date())
    here?.send('jobs')
    took.push(await eventually('the job', () => done >= round))
  }
  t.ok(Math.max(...took) < 1_500, `after ${took.map(Math.round).join(', ')} ms`)
  await runner.stop()
  for (const each of ends) await each.close()
  await database.close()
})

await t.test('nothing in Redis can be read', async (t) => {
  const client = new Redis(redis.url)
  t.teardown(() => {
    client.disconnect()
  })
  const refresh = await provider.refreshTokenOf('person-of-the-scan')
  t.equal((await sessionCall(refresh)(a)).status, 200)
  const keys = await client.keys('*')
  const values = await Promise.all(keys.map(async (key) => (await client.get(key)) ?? ''))
  t.ok(keys.some((key) => key.includes(':rate:')) && keys.some((key) => key.includes(':answer:')))
  for (const key of keys) t.match(key, /^strongroom:[\w-]{22}:(rate|answer|answer-lock):[\w-]{22}$/)
  for (const value of values) t.match(value, /^(\d{1,4}|gAAAA[\w-]+=*)$/)
  const all = [...keys, ...values].join('\n')
  for (const word of [...telling, refresh, secret]) t.notMatch(all, word)
  for (const key of keys) t.ok((await client.pttl(key)) > 0, 'everything ends by itself')
})

await t.test('an answer under another name, or changed, is none', async (t) => {
  const client = new Redis(redis.url)
  t.teardown(() => {
    client.disconnect()
  })
  const keysOf = async (use: string) => await client.keys(`*:${use}:*`)
  await client.flushall()
  const own = await provider.refreshTokenOf('person-own')
  t.equal((await sessionCall(own)(a)).status, 200)
  const [place = ''] = await keysOf('answer')
  const answer = (await client.get(place)) ?? ''
  await client.flushall()
  await sessionCall('never-given-before')(a)
  const [other = ''] = await keysOf('answer')
  await client.set(other, answer, 'PX', 30_000)
  t.equal((await sessionCall('never-given-before')(b)).status, 401, 'nobody’s session')
  await client.set(place, `${answer.slice(0, -6)}AAAAAA`, 'PX', 30_000)
  t.equal((await sessionCall(own)(b)).status, 401, 'as without Redis: it was exchanged')
})

/** People who ask while `disturb` goes on: each within the limits, at both nodes. */
async function underLoad(disturb: () => Promise<void>) {
  const statuses = new Map<number, number>()
  const going = { on: true, longest: 0, asked: 0 }
  const clients = Array.from({ length: 4 }, async (_, nth) => {
    while (going.on) {
      going.asked += 1
      const start = performance.now()
      const { status } = await as(`person-${randomUUID()}`)(nodes[nth % 2] ?? a)
      going.longest = Math.max(going.longest, performance.now() - start)
      statuses.set(status, (statuses.get(status) ?? 0) + 1)
    }
  })
  await disturb()
  going.on = false
  await Promise.all(clients)
  return { statuses: [...statuses.keys()], longest: going.longest, asked: going.asked }
}

const logLines = (server: Server, words: RegExp) => (server.logs().match(words) ?? []).length

await t.test('Redis is stopped, and comes back empty, under load', async (t) => {
  const away = nodes.map((each) => logLines(each, /Redis is away/g))
  const result = await underLoad(async () => {
    await wait(300)
    await redis.stop()
    await bothSay(false)
    for (const each of nodes) t.equal((await components(each)).status, 200, 'ready all the same')
    for (const each of nodes) {
      const id = `alone-${randomUUID()}`
      t.same(await ask(perPerson + 5, as(id), [each]), { 200: perPerson, 429: 5 })
    }
    t.same(await ask(4, sessionCall(await provider.refreshTokenOf('alone')), [a]), { 200: 4 })
    await redis.start()
    await bothSay(true)
  })
  t.same(result.statuses, [200], `of ${result.asked} requests`)
  t.ok(result.longest < 3_000, `${Math.round(result.longest)} ms the longest`)
  for (const [nth, each] of nodes.entries()) {
    t.equal(logLines(each, /Redis is away/g) - (away[nth] ?? 0), 1, 'one line when it goes')
  }
  t.same(await ask(perPerson + 4, as('together-again')), { 200: perPerson, 429: 4 })
})

await t.test('a count of before goes on while Redis is away', async (t) => {
  t.same(await ask(10, as('before')), { 200: 10 })
  await redis.stop()
  await bothSay(false)
  // Each node knows at least what it counted, and at most what both did.
  const { 200: let_in = 0, 429: refused = 0 } = await ask(perPerson, as('before'), [a])
  t.ok(let_in <= 11 && refused >= 9, `${let_in} let in`)
  await redis.start()
  await bothSay(true)
})

await t.test('Redis hangs under load: one time limit, not one for each request', async (t) => {
  const result = await underLoad(async () => {
    await wait(300)
    redis.hang()
    await bothSay(false)
    const slow: number[] = []
    for (let nth = 0; nth < 20; nth++) {
      const start = performance.now()
      t.equal((await as(`hung-${nth}`)(a)).status, 200)
      slow.push(performance.now() - start)
    }
    t.ok(slow.filter((ms) => ms > 190).length < 5, `${slow.map(Math.round).join(', ')} ms`)
    const id = `hung-${randomUUID()}`
    t.same(await ask(perPerson + 5, as(id), [b]), { 200: perPerson, 429: 5 })
    await wait(5_000)
    redis.goOn()
    await bothSay(true)
  })
  t.same(result.statuses, [200], `of ${result.asked} requests`)
  t.same(await ask(perPerson + 4, as('after-all')), { 200: perPerson, 429: 4 })
})

await t.test('started while Redis is away, a node serves', async (t) => {
  await redis.stop()
  const { server, close } = await third()
  t.teardown(close)
  t.equal((await as('early')(server)).status, 200)
  await redis.start()
  await eventually('Redis', async () => (await components(server)).text.includes('"redis":true'))
})

async function third() {
  const server = await node({ DATABASE_URL: a.database?.url ?? '', FILE_STORAGE_PATH: a.filesDir })
  return { server, close: () => server.close() }
}

await t.test('nothing was a 500, and neither log tells a token', async (t) => {
  for (const each of nodes) {
    t.notMatch(each.logs(), /"status":500/)
    t.notMatch(each.logs(), 'eyJ')
  }
  await Promise.resolve()
})
