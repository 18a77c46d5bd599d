import { setTimeout as wait } from 'node:timers/promises'
import t from 'tap'
import { hasStatus, isProblem } from './support/checks.js'
import { pdf } from './support/content.js'
import type { Answer } from './support/http.js'
import { startIdentityProvider } from './support/identity-provider.js'
import { filePart, multipart } from './support/multipart.js'
import { startServer } from './support/server.js'

// Sessions of browsers: the access token in a cookie, kept going at the provider, of no use to other pages.

const provider = await startIdentityProvider('ES256')
t.teardown(() => provider.stop())
const server = await startServer({
  JWT_SECRET_KEY: '',
  COOKIE_AUTH: 'true',
  OIDC_ISSUER: provider.issuer,
  OIDC_AUDIENCE: provider.audience,
  OIDC_CLIENT_ID: provider.client.id,
  OIDC_CLIENT_SECRET: provider.client.secret,
  JWT_CLOCK_TOLERANCE_SECONDS: '0',
})
t.teardown(() => server.close())

const path = '/api/files/user'
const withCookies = (
  cookies: Readonly<Record<string, string>>,
  more: Record<string, string> = {},
) => ({
  headers: {
    cookie: Object.entries(cookies)
      .map(([name, value]) => `${name}=${value}`)
      .join('; '),
    ...more,
  },
})

async function expiredToken(): Promise<string> {
  const token = await provider.tokenOf('anna', {}, 1)
  await wait(2_000)
  return token
}

/** The cookies an answer sets, with their flags. */
function cookiesOf(answer: Answer): Map<string, { value: string; flags: string[] }> {
  const lines = (answer.headers['set-cookie'] ?? '')
    .split(/, (?=\w+=)/)
    .filter((each) => each !== '')
  return new Map(
    lines.map((line) => {
      const [pair = '', ...flags] = line.split('; ')
      const at = pair.indexOf('=')
      return [pair.slice(0, at), { value: pair.slice(at + 1), flags }]
    }),
  )
}

const upload = (headers: Readonly<Record<string, string>>) => {
  const form = multipart([filePart(pdf(`of a session ${Math.random()}`))])
  return server.call('/api/files/upload', {
    method: 'POST',
    headers: { ...form.headers, ...headers },
    body: form.body,
  })
}

await t.test('the cookie lets in, and the header goes before it', async (t) => {
  const access = await provider.tokenOf('anna')
  hasStatus(t, await server.call(path, withCookies({ access_token: access })), 200)
  const both = withCookies({ access_token: access }, { authorization: 'Bearer a.b.c' })
  isProblem(t, await server.call(path, both), 401)
  isProblem(t, await server.call(path, withCookies({ access_token: 'a.b.c' })), 401)
  isProblem(t, await server.call(path, withCookies({ other: access })), 401)
})

await t.test('a stolen ride from another origin', async (t) => {
  const cookie = `access_token=${await provider.tokenOf('anna')}`
  hasStatus(t, await upload({ cookie, origin: server.origin }), 201)
  for (const origin of [
    'https://evil.example',
    'null',
    '',
    `${server.origin}.evil.example`,
    server.origin.replace('http:', 'https:'),
  ]) {
    isProblem(t, await upload({ cookie, origin }), 403, 'cross_origin')
  }
  isProblem(t, await upload({ cookie }), 403, 'cross_origin')
  const token = await provider.tokenOf('anna')
  const bearer = await upload({ authorization: `Bearer ${token}`, origin: 'https://evil.example' })
  hasStatus(t, bearer, 201, 'who has the token itself needs no origin, which')
})

await t.test('an expired session is kept going at the provider, once', async (t) => {
  const expired = await expiredToken()
  const refresh = await provider.refreshTokenOf('anna')
  const before = provider.asked('/token')
  const session = withCookies({ access_token: expired, refresh_token: refresh })
  const answers = await Promise.all(Array.from({ length: 8 }, () => server.call(path, session)))
  t.same([...new Set(answers.map(({ status }) => status))], [200])
  t.equal(provider.asked('/token') - before, 1)
  const [first] = answers
  if (first === undefined) throw new Error('no answer')
  const cookies = cookiesOf(first)
  for (const name of ['access_token', 'refresh_token']) {
    const { value, flags } = cookies.get(name) ?? { value: '', flags: [] }
    t.ok(value.length > 20, name)
    for (const flag of ['HttpOnly', 'Secure', 'SameSite=Lax', 'Path=/']) {
      t.ok(flags.includes(flag), `${name} is ${flag}`)
    }
  }
  const access = cookies.get('access_token')?.value ?? ''
  hasStatus(t, await server.call(path, withCookies({ access_token: access })), 200, 'the new one')
  const gone = withCookies({ refresh_token: cookies.get('refresh_token')?.value ?? '' })
  hasStatus(t, await server.call(path, gone), 200, 'a browser that dropped the expired one')
})

await t.test('what cannot be exchanged is over', async (t) => {
  const expired = await expiredToken()
  const alone = withCookies({ access_token: expired })
  isProblem(t, await server.call(path, alone), 401, 'token_expired')
  const unknown = withCookies({ access_token: expired, refresh_token: 'never-given' })
  isProblem(t, await server.call(path, unknown), 401, 'token_expired')
  const forged = withCookies({
    access_token: `${expired.slice(0, -4)}AAAA`,
    refresh_token: await provider.refreshTokenOf('anna'),
  })
  const before = provider.asked('/token')
  isProblem(t, await server.call(path, forged), 401, 'unauthenticated')
  t.equal(provider.asked('/token'), before, 'a token that is no token of ours exchanges nothing')
})

await t.test('another origin exchanges nothing', async (t) => {
  const refresh = await provider.refreshTokenOf('anna')
  const before = provider.asked('/token')
  const answer = await upload({
    cookie: `refresh_token=${refresh}`,
    origin: 'https://evil.example',
  })
  isProblem(t, answer, 403, 'cross_origin')
  t.equal(provider.asked('/token'), before)
})

await t.test('the provider is away: 503, and the session is not lost', async (t) => {
  const refresh = await provider.refreshTokenOf('anna')
  const session = withCookies({ refresh_token: refresh })
  await provider.stop()
  isProblem(t, await server.call(path, session), 503, 'identity_unavailable')
  await provider.start()
  hasStatus(t, await server.call(path, session), 200)
})

await t.test('logging out, the browser forgets; the provider ends its own session', async (t) => {
  const cookie = `access_token=${await provider.tokenOf('anna')}`
  const logout = (headers: Readonly<Record<string, string>>) =>
    server.call('/api/v1/auth/logout', { method: 'POST', headers })
  isProblem(t, await logout({ cookie }), 403, 'cross_origin')
  const answer = await logout({ cookie, origin: server.origin })
  hasStatus(t, answer, 200)
  for (const name of ['access_token', 'refresh_token']) {
    t.equal(cookiesOf(answer).get(name)?.value, '', `${name} is forgotten`)
  }
  const token = await provider.tokenOf('anna')
  isProblem(t, await logout({ authorization: `Bearer ${token}` }), 403, 'forbidden')
})

await t.test('no token is in the log', (t) => {
  t.notMatch(server.logs(), 'eyJ')
  t.end()
})
