import {
  createHmac,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  sign,
} from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'
import t from 'tap'
import { hasStatus, isProblem } from './support/checks.js'
import { eventually } from './support/eventually.js'
import { startIdentityProvider } from './support/identity-provider.js'
import { startServer } from './support/server.js'
import { type Claims, claimsOf, mintToken, mintUnsecuredToken } from './support/tokens.js'

// People are known to an OpenID provider: a real one, whose keys turn, and which goes away and comes back.

const provider = await startIdentityProvider()
t.teardown(() => provider.stop())
const settings = {
  JWT_SECRET_KEY: '',
  OIDC_ISSUER: provider.issuer,
  OIDC_AUDIENCE: provider.audience,
  OIDC_CLIENT_ID: provider.client.id,
  OIDC_KEYS_SECONDS: '2',
  OIDC_OUTAGE_SECONDS: '3600',
  OIDC_TIMEOUT_MS: '1000',
  JWT_CLOCK_TOLERANCE_SECONDS: '0',
  ROLE_MAP: JSON.stringify({ 'records-office': 'auditor' }),
}
const server = await startServer(settings)
t.teardown(() => server.close())

const path = '/api/files/user'
const statusOf = async (token: string, at = path) => (await server.call(at, { token })).status

/** A token that the provider did not sign, with its key where no other is given. */
function forge(claims: Claims, header: Claims = {}, key?: ReturnType<typeof createPrivateKey>) {
  const { jwk, kid } = provider.privateKey()
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const input = `${part({ alg: 'RS256', typ: 'at+jwt', kid, ...header })}.${part(claims)}`
  const signing = key ?? createPrivateKey({ key: jwk, format: 'jwk' })
  return `${input}.${sign('sha256', Buffer.from(input), signing).toString('base64url')}`
}

const right = (extra: Claims = {}): Claims =>
  claimsOf('anna', { iss: provider.issuer, aud: provider.audience, ...extra })

await t.test('who a token of the provider says is calling', async (t) => {
  hasStatus(t, await server.call(path, { token: await provider.tokenOf('anna') }), 200)
  t.equal(await statusOf(forge(right())), 200, 'what is forged below is right but for one thing')
  t.equal(await statusOf(await provider.tokenOf('anna'), '/api/assignments'), 403)
  const admin = await provider.tokenOf('boss', { roles: ['admin'] })
  t.equal(await statusOf(admin, '/api/assignments'), 200, 'a role of the realm')
  const stats = '/api/v1/audit/stats'
  const ofClient = (name: string) =>
    provider.tokenOf(`office-${name}`, { clientRoles: { [name]: ['records-office'] } })
  t.equal(await statusOf(await ofClient('portal'), stats), 200, 'a role at our client, mapped')
  t.equal(await statusOf(await ofClient('shop'), stats), 403, 'not one at another client')
})

const now = Math.floor(Date.now() / 1000)
const other = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
const publicPem = () => {
  const { jwk } = provider.privateKey()
  return createPublicKey(createPrivateKey({ key: jwk, format: 'jwk' }))
    .export({ type: 'spki', format: 'pem' })
    .toString()
}
const withPublicKey = (secret: string) => {
  const { kid } = provider.privateKey()
  return mintToken(right(), secret, 'HS256', { kid })
}

const wrong: Readonly<Record<string, () => string>> = {
  'HS256 signed with the public key': () => withPublicKey(publicPem()),
  'HS256 signed with the public key, trimmed': () => withPublicKey(publicPem().trim()),
  'HS256 signed with the modulus': () => withPublicKey(String(provider.privateKey().jwk.n)),
  'HS256 signed with nothing': () => withPublicKey(''),
  none: () => mintUnsecuredToken(right()),
  nOnE: () => mintUnsecuredToken(right(), 'nOnE'),
  'another key under the right name': () => forge(right(), {}, other),
  'a name that is a path': () => forge(right(), { kid: '../../../dev/null' }),
  'a name that is SQL': () => forge(right(), { kid: "x' or '1'='1" }),
  'a name of every object': () => forge(right(), { kid: '__proto__' }),
  'a name that is a number': () => forge(right(), { kid: 0 }),
  'a name of 5,000 characters': () => forge(right(), { kid: 'k'.repeat(5_000) }),
  'a key of its own': () =>
    forge(right(), { kid: 'mine', jwk: createPublicKey(other).export({ format: 'jwk' }) }, other),
  'a place for its keys': () =>
    forge(right(), { kid: 'mine', jku: 'http://127.0.0.1:9/keys' }, other),
  'no algorithm': () => forge(right(), { alg: undefined }),
  'an algorithm that does not exist': () => forge(right(), { alg: 'RS1' }),
  'RS256 named PS256': () => forge(right(), { alg: 'PS256' }),
  'a critical header': () => forge(right(), { crit: ['exp'] }),
  'the wrong issuer': () => forge(right({ iss: 'https://elsewhere.example' })),
  'the issuer with a slash': () => forge(right({ iss: `${provider.issuer}/` })),
  'no issuer': () => forge(right({ iss: undefined })),
  'another audience': () => forge(right({ aud: 'https://shop.example' })),
  'no audience': () => forge(right({ aud: undefined })),
  'an audience within another': () => forge(right({ aud: `${provider.audience}.evil.example` })),
  'not before a minute from now': () => forge(right({ nbf: now + 60 })),
  'no end': () => forge(right({ exp: undefined })),
  'an end that is text': () => forge(right({ exp: 'never' })),
  'an ID token': () => forge(right({ typ: 'ID' })),
  'an ID token by its hash': () => forge(right({ at_hash: 'x' })),
  'a refresh token': () => forge(right({ typ: 'Refresh' })),
  'a logout token': () => forge(right(), { typ: 'logout+jwt' }),
  'the id of another source': () => forge(right({ sub: 'local|root' })),
  'the id of a space': () => forge(right({ sub: 'space|bucket|documents' })),
  'a changed payload': () => {
    const [head, , signature] = forge(right()).split('.')
    const payload = Buffer.from(JSON.stringify(right({ sub: 'ben' }))).toString('base64url')
    return `${head}.${payload}.${signature}`
  },
  'oversize, well signed': () => forge(right({ filling: 'x'.repeat(9_000) })),
  'HS256 of a development secret': () =>
    `${Buffer.from('{"alg":"HS256"}').toString('base64url')}.${Buffer.from(JSON.stringify(right())).toString('base64url')}.${createHmac('sha256', server.secret).update('x').digest('base64url')}`,
}

for (const [what, make] of Object.entries(wrong)) {
  await t.test(`401: ${what}`, async (t) => {
    const answer = await server.call(path, { token: make() })
    isProblem(t, answer, 401, 'unauthenticated')
    t.equal(await statusOf(forge(right())), 200, 'and the right one goes on')
  })
}

await t.test('expired by a second', async (t) => {
  const over = Math.floor(Date.now() / 1000) - 1
  isProblem(
    t,
    await server.call(path, { token: forge(right({ exp: over })) }),
    401,
    'token_expired',
  )
})

await t.test(
  'a flood of names that nobody knows does not become one at the provider',
  async (t) => {
    const before = provider.asked('/jwks')
    const statuses = await Promise.all(
      Array.from({ length: 400 }, (_, n) =>
        statusOf(forge(right(), { kid: `nobody-${n}` }, other)),
      ),
    )
    t.same([...new Set(statuses)], [401])
    t.ok(provider.asked('/jwks') - before <= 3, `asked ${provider.asked('/jwks') - before} times`)
  },
)

await t.test('refusals are on record, within the cap', async (t) => {
  const auditor = await provider.tokenOf('auditor', { roles: ['auditor'] })
  const answer = await server.call('/api/v1/audit/logs?action=auth.refused&limit=200', {
    token: auditor,
  })
  const refused = answer.body.events ?? []
  t.ok(refused.length > 0 && refused.length <= 40, `${refused.length} of some 440`)
  t.match(refused[0], { outcome: 'denied', reason: /^(unauthenticated|token_expired)$/ })
})

await t.test('keys turn while requests run, and none of them is refused', async (t) => {
  const wrongOnes: number[] = []
  let asked = 0
  const going = { on: true }
  let token = await provider.tokenOf('anna')
  const load = Array.from({ length: 4 }, async () => {
    while (going.on) {
      const status = await statusOf(token)
      asked += 1
      if (status !== 200) wrongOnes.push(status)
    }
  })
  for (let turn = 0; turn < 2; turn++) {
    await wait(400)
    provider.rotate({ keepOld: true })
    // As a provider does it: published before it signs, for as long as nodes may take to notice.
    await wait(2_500)
    token = await provider.tokenOf('anna')
  }
  going.on = false
  await Promise.all(load)
  t.same(wrongOnes, [])
  t.ok(asked > 100, `${asked} requests`)
})

await t.test('a provider that signs with a new key at once keeps nobody waiting', async (t) => {
  await wait(5_000)
  provider.rotate({ keepOld: true })
  const token = await provider.tokenOf('anna')
  t.same(await Promise.all([1, 2, 3, 4].map(() => statusOf(token))), [200, 200, 200, 200])
})

await t.test('a key that was withdrawn is refused within the bound', async (t) => {
  const old = await provider.tokenOf('anna')
  t.equal(await statusOf(old), 200)
  provider.rotate({ keepOld: false })
  const start = performance.now()
  await eventually('it is refused', async () => (await statusOf(old)) === 401)
  const seconds = (performance.now() - start) / 1_000
  t.ok(seconds <= 3, `${seconds.toFixed(1)} s, the bound being 2`)
  t.equal(await statusOf(await provider.tokenOf('anna')), 200, 'what the new one signs is good')
})

await t.test('the provider is away: known keys go on, unknown ones are 503', async (t) => {
  const token = await provider.tokenOf('anna')
  t.equal(await statusOf(token), 200)
  await provider.stop()
  await wait(2_500)
  for (let nth = 0; nth < 5; nth++) t.equal(await statusOf(token), 200, 'past the bound of keys')
  const unknown = await server.call(path, { token: forge(right(), { kid: 'new' }, other) })
  isProblem(t, unknown, 503, 'identity_unavailable')
  t.ok(Number(unknown.headers['retry-after']) > 0)
  t.equal(await statusOf(forge(right(), {}, other)), 401, 'a wrong signature is wrong all the same')
  await provider.start()
  await eventually('it is refused as unknown', async () => {
    return (await statusOf(forge(right(), { kid: 'new' }, other))) === 401
  })
})

await t.test('started while the provider is away: 503, until it is back', async (t) => {
  const token = await provider.tokenOf('anna')
  await provider.stop()
  await server.stop()
  await server.start()
  isProblem(t, await server.call(path, { token }), 503, 'identity_unavailable')
  await provider.start()
  await eventually('it is let in', async () => (await statusOf(token)) === 200)
})

await t.test('nothing was a 500, and no token is in the log', async (t) => {
  t.notMatch(server.logs(), /"status":500/)
  t.notMatch(server.logs(), forge(right()).split('.')[1] ?? '-')
  await Promise.resolve()
})
