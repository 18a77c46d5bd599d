import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import t from 'tap'
import { hasStatus, isProblem } from './support/checks.js'
import { personOf } from './support/people.js'
import { startServer } from './support/server.js'

// What every answer says, what is asked too often, by another name, or in the clear.

const path = '/api/files/user'

await t.test('headers that tell browsers to be careful', async (t) => {
  const server = await startServer({ CORS_ALLOWED_ORIGINS: 'https://portal.example' })
  t.teardown(() => server.close())
  const anna = personOf(server, 'anna')
  for (const answer of [await anna.get(path), await server.call('/'), await server.call('/none')]) {
    const { headers } = answer
    t.equal(headers['x-content-type-options'], 'nosniff')
    t.equal(headers['referrer-policy'], 'no-referrer')
    t.equal(headers['cache-control'], 'no-store')
    t.match(headers['content-security-policy'], /default-src 'none'.*frame-ancestors 'none'/)
    t.equal(headers['cross-origin-opener-policy'], 'same-origin')
    t.equal(headers['cross-origin-resource-policy'], 'same-origin')
    t.equal(headers['x-permitted-cross-domain-policies'], 'none')
    t.equal(headers['x-powered-by'], undefined)
    t.equal(headers['strict-transport-security'], undefined, 'in development nothing is for a year')
  }
  const from = (origin: string) => anna.get(path, { origin })
  const allowed = await from('https://portal.example')
  t.equal(allowed.headers['access-control-allow-origin'], 'https://portal.example')
  t.equal(allowed.headers['access-control-allow-credentials'], undefined)
  for (const origin of ['https://portal.example.evil.example', 'http://portal.example', 'null']) {
    t.equal((await from(origin)).headers['access-control-allow-origin'], undefined, origin)
  }
  hasStatus(t, await server.call(`/${'x'.repeat(20_000)}`), 431)
  isProblem(t, await anna.get(`/api/files/${'x'.repeat(3_000)}`), 404)
  isProblem(t, await anna.post('/api/files/check', { sha256: 'x'.repeat(70_000) }), 413)
})

await t.test('only the names it was given', async (t) => {
  const server = await startServer({
    ALLOWED_HOSTS: 'files.example .clinic.example, ward.example:8443',
  })
  t.teardown(() => server.close())
  const as = async (host: string, at = path): Promise<string> => {
    const socket = connect(server.address.port, server.address.host)
    socket.write(`GET ${at} HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\n\r\n`)
    return (await text(socket)).split('\r\n', 1)[0] ?? ''
  }
  for (const host of [
    'files.example',
    'FILES.example',
    'files.example:8006',
    'clinic.example',
    'a.b.clinic.example',
    'ward.example:8443',
  ]) {
    t.match(await as(host), '401', host)
  }
  for (const host of [
    'evil.example',
    'files.example.evil.example',
    'evilclinic.example',
    'ward.example',
    'ward.example:80',
    '127.0.0.1',
    '',
  ]) {
    t.match(await as(host), '421', host)
  }
  t.match(await as('evil.example', '/health/live'), '200', 'health calls are exempt')
  const answer = await server.call(path)
  isProblem(t, answer, 421, 'wrong_host')
})

await t.test('in production, behind a proxy: https alone', async (t) => {
  const server = await startServer({
    ...{ NODE_ENV: 'production', ALLOW_EMBEDDED: 'true', TRUST_PROXY: '1' },
  })
  t.teardown(() => server.close())
  const anna = personOf(server, 'anna')
  const secure = await anna.get(path, { 'x-forwarded-proto': 'https' })
  hasStatus(t, secure, 200)
  t.match(secure.headers['strict-transport-security'], /^max-age=31536000/)
  isProblem(t, await anna.get(path, { 'x-forwarded-proto': 'http' }), 403, 'https_required')
  isProblem(t, await anna.get(path), 403, 'https_required')
  hasStatus(t, await server.call('/health/live'), 200, 'a health call')
})

await t.test('too often', async (t) => {
  const server = await startServer({
    ...{ RATE_LIMIT_PER_PERSON: '20', RATE_LIMIT_PER_ADDRESS: '50', TRUST_PROXY: '1' },
  })
  t.teardown(() => server.close())
  const anna = personOf(server, 'anna')
  const first = await anna.get(path, { 'x-forwarded-for': '192.0.2.1' })
  t.equal(first.headers['ratelimit-limit'], '20')
  t.equal(first.headers['ratelimit-remaining'], '19')
  t.match(first.headers['ratelimit-reset'], /^[1-6]?\d$/)
  const many = await Promise.all(
    Array.from({ length: 25 }, (_, n) => anna.get(path, { 'x-forwarded-for': `198.51.100.${n}` })),
  )
  t.equal(many.filter(({ status }) => status === 200).length, 19, 'from wherever they call')
  const refused = many.find(({ status }) => status !== 200)
  if (refused === undefined) throw new Error('none was refused')
  isProblem(t, refused, 429, 'too_many_requests')
  t.ok(Number(refused.headers['retry-after']) > 0)
  hasStatus(t, await personOf(server, 'ben').get(path), 200, 'another person')

  const from = (address: string) => server.call(path, { headers: { 'x-forwarded-for': address } })
  const flood = await Promise.all(Array.from({ length: 60 }, () => from('203.0.113.9')))
  t.equal(flood.filter(({ status }) => status === 401).length, 50)
  t.equal(flood.filter(({ status }) => status === 429).length, 10)
  hasStatus(t, await from('203.0.113.10'), 401, 'another address')
  const six = await Promise.all(
    Array.from({ length: 60 }, (_, n) => from(`2001:db8:1:2${n.toString(16).padStart(2, '0')}::1`)),
  )
  t.equal(six.filter(({ status }) => status === 429).length, 10, 'a /56 is one')
  const health = { headers: { 'x-forwarded-for': '203.0.113.9' } }
  hasStatus(t, await server.call('/health/live', health), 200, 'health calls are exempt')
})
