import t from 'tap'
import { hasStatus, isProblem } from './support/checks.js'
import { startServer } from './support/server.js'
import { claimsOf, mintRsaToken, mintToken, mintUnsecuredToken } from './support/tokens.js'

// Who is calling: every token that does not prove it is answered 401, never 500.

const server = await startServer()
t.teardown(() => server.close())

const path = '/api/files/user'
const now = Math.floor(Date.now() / 1000)
const good = mintToken(claimsOf('anna'), server.secret)
const [head = '', payload = '', signature = ''] = good.split('.')

const forged = Buffer.from(JSON.stringify(claimsOf('ben'))).toString('base64url')

const wrongTokens: Readonly<Record<string, string>> = {
  'expired an hour ago': mintToken(claimsOf('anna', { exp: now - 3600 }), server.secret),
  'not valid yet': mintToken(claimsOf('anna', { nbf: now + 3600 }), server.secret),
  'alg none': mintUnsecuredToken(claimsOf('anna')),
  'alg None': mintUnsecuredToken(claimsOf('anna'), 'None'),
  'alg HS256 without a signature': mintUnsecuredToken(claimsOf('anna'), 'HS256'),
  'another secret': mintToken(claimsOf('anna'), 'x'.repeat(64)),
  'an empty secret': mintToken(claimsOf('anna'), ''),
  HS384: mintToken(claimsOf('anna'), server.secret, 'HS384'),
  HS512: mintToken(claimsOf('anna'), server.secret, 'HS512'),
  RS256: mintRsaToken(claimsOf('anna')),
  'no user id': mintToken({ iat: now, exp: now + 60 }, server.secret),
  'an empty user id': mintToken(claimsOf(''), server.secret),
  'a user id of 129 characters': mintToken(claimsOf('a'.repeat(129)), server.secret),
  'a user id that is an object': mintToken(
    { ...claimsOf('anna'), sub: { id: 'anna' } },
    server.secret,
  ),
  'a user id with NUL': mintToken(claimsOf('an\0na'), server.secret),
  'claims that are no object': mintToken([] as never, server.secret),
  'an unknown critical header': mintToken(claimsOf('anna'), server.secret, 'HS256', {
    crit: ['x'],
    x: 1,
  }),
  'a changed payload': `${head}.${forged}.${signature}`,
  'a changed signature': `${head}.${payload}.${signature.slice(0, -2)}AA`,
  'a cut signature': `${head}.${payload}.${signature.slice(0, 10)}`,
  'no signature': `${head}.${payload}`,
  'a fourth part': `${good}.x`,
  garbage: 'garbage',
  dots: '...',
  'a long run of letters': 'a'.repeat(6000),
}

for (const [what, token] of Object.entries(wrongTokens)) {
  await t.test(`401: ${what}`, async (t) => {
    const answer = await server.call(path, { token })
    isProblem(t, answer, 401)
    t.match(answer.headers['www-authenticate'], /^Bearer/)
    const upload = await server.call('/api/files/upload', { method: 'POST', token, body: 'x' })
    t.equal(upload.status, 401, 'before anything is said of the body')
  })
}

const wrongHeaders: Readonly<Record<string, Record<string, string>>> = {
  'no header': {},
  'an empty header': { authorization: '' },
  'no scheme': { authorization: good },
  'another scheme': { authorization: `Basic ${Buffer.from('a:b').toString('base64')}` },
  'no token': { authorization: 'Bearer ' },
  'two tokens': { authorization: `Bearer ${good} ${good}` },
  'the token as a cookie': { cookie: `access_token=${good}` },
}

for (const [what, headers] of Object.entries(wrongHeaders)) {
  await t.test(`401: ${what}`, async (t) => {
    const answer = await server.call(path, { headers })
    isProblem(t, answer, 401)
    t.match(answer.headers['www-authenticate'], /^Bearer/)
  })
}

await t.test('401: the token as a query parameter', async (t) => {
  isProblem(t, await server.call(`${path}?token=${good}&access_token=${good}`), 401)
})

await t.test('an expired token is told so', async (t) => {
  const token = mintToken(claimsOf('anna', { exp: now - 3600 }), server.secret)
  const answer = await server.call(path, { token })
  isProblem(t, answer, 401, 'token_expired')
  t.match(answer.headers['www-authenticate'], 'invalid_token')
})

await t.test('the user id is sub, else user_id; a number is its decimal string', async (t) => {
  const token = (claims: Readonly<Record<string, unknown>>) =>
    mintToken({ exp: now + 600, ...claims }, server.secret)
  for (const claims of [{ sub: 'anna' }, { user_id: 'anna' }, { sub: 42 }, { user_id: 42 }]) {
    hasStatus(t, await server.call(path, { token: token(claims) }), 200, JSON.stringify(claims))
  }
  hasStatus(t, await server.call(path, { token: token({ sub: 'a'.repeat(128) }) }), 200)
})

await t.test('the scheme is not case sensitive', async (t) => {
  const answer = await server.call(path, { headers: { authorization: `bearer ${good}` } })
  hasStatus(t, answer, 200)
})

await t.test('no answer to a wrong token was a 5xx', (t) => {
  t.notMatch(server.logs(), /"statusCode":5\d\d/)
  t.notMatch(server.logs(), good, 'and no token is in the log')
  t.end()
})
