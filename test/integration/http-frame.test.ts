import { createHmac } from 'node:crypto'
import { once } from 'node:events'
import { type AddressInfo, connect } from 'node:net'
import t, { type Test } from 'tap'
import { Type } from 'typebox'
import type { Actor, AuditFacts } from '../../src/audit/audit-events.js'
import type { AuditLog } from '../../src/audit/audit-log.js'
import { StrongroomError } from '../../src/errors/strongroom-error.js'
import type { App } from '../../src/http/app-type.js'
import { createFrame } from '../../src/http/frame.js'
import {
  type AuthenticateOptions,
  registerAuthentication,
} from '../../src/http/plugins/authenticate.js'
import { registerCors } from '../../src/http/plugins/cors.js'
import { registerMethodNotAllowed } from '../../src/http/plugins/method-not-allowed.js'
import { registerOpenapi } from '../../src/http/plugins/openapi.js'
import { refusals, registerRefusals } from '../../src/http/plugins/refusals.js'
import { registerHealthRoutes } from '../../src/http/routes/health/index.js'
import { homeRoute } from '../../src/http/routes/home.js'
import { makeLogger } from '../../src/log.js'
import { type SharedTokensOptions, sharedTokens } from '../../src/people/shared-tokens.js'

const secret = 'a'.repeat(16) + 'b'.repeat(16) + 'c'.repeat(16)
const other = 'other'.repeat(10)
const now = Math.floor(Date.now() / 1000)

interface Options {
  readonly authentication?: Partial<AuthenticateOptions>
  readonly audit?: AuditLog
  /** Of the portal's tokens. */
  readonly tokens?: Partial<SharedTokensOptions>
  readonly userClaim?: string
  readonly trustProxy?: number | false
  readonly legacyStatus?: boolean
  readonly origins?: readonly string[]
  readonly ready?: Record<string, boolean>
  readonly metricsToken?: string
  /** Called by the route `/api/wait` while it is being answered. */
  readonly meanwhile?: () => Promise<void>
}

interface Noted extends AuditFacts {
  readonly actor: Actor
}

/** A service of the frame's pieces and a few routes, on a real socket. */
async function serve(t: Test, options: Options = {}) {
  const lines: string[] = []
  const noted: Noted[] = []
  const log = makeLogger({ logLevel: 'info' }, { write: (line) => void lines.push(line) })
  const audit = {
    note: (actor: Actor, facts: AuditFacts) => {
      noted.push({ actor, ...facts })
      return Promise.resolve()
    },
  }
  const { trustProxy = false, legacyStatus = false } = options
  const app = createFrame({ log, trustProxy, legacyStatus, bodyTimeLimitMs: 30_000 })
  registerCors(app, options.origins ?? [])
  const refuseOtherMethods = registerMethodNotAllowed(app)
  registerOpenapi(app)
  const authenticate = registerAuthentication(app, {
    sources: [
      sharedTokens({
        identity: {
          source: 'shared',
          isPrimary: true,
          userClaim: options.userClaim,
          roleMap: new Map([['PortalAdmin', ['admin']]]),
        },
        secrets: [{ kid: undefined, secret }],
        issuer: undefined,
        audience: undefined,
        ...options.tokens,
      }),
    ],
    session: undefined,
    serviceClients: new Map(),
    cookieAuth: false,
    clockToleranceSeconds: 5,
    refusals: registerRefusals(app, options.audit ?? audit),
    ...options.authentication,
  })
  app.register((open, _options, done) => {
    homeRoute(open)
    registerHealthRoutes(open, {
      ready: () => Promise.resolve(options.ready ?? { database: true, storage: true }),
      metricsToken: options.metricsToken,
    })
    open.get('/api/actor-of-nobody', ({ actor }) => actor)
    done()
  })
  app.register((scope, _options, done) => {
    scope.addHook('onRequest', authenticate)
    testRoutes(scope, options.meanwhile)
    done()
  })
  refuseOtherMethods()
  await app.listen({ host: '127.0.0.1', port: 0 })
  t.teardown(() => app.close())
  const { port } = app.server.address() as AddressInfo
  const call = (path: string, init: RequestInit & { token?: string } = {}) => {
    const headers = new Headers(init.headers)
    if (init.token !== undefined) headers.set('authorization', `Bearer ${init.token}`)
    return fetch(`http://127.0.0.1:${port}${path}`, { ...init, headers })
  }
  return { app, port, lines, noted, call }
}

function testRoutes(scope: App, meanwhile: Options['meanwhile']): void {
  scope.get('/api/things', ({ actor }) => actor)
  scope.get('/api/things/:id', () => 'a thing')
  scope.delete('/api/things/:id', () => 'gone')
  scope.post('/api/things/import', () => 'imported')
  scope.get('/api/fails/:how', ({ params }) => {
    const { how } = params as { how: string }
    if (how === 'unknown') throw new Error('a secret word')
    if (how === 'number') throw Object.assign(new Error('a secret word'), { statusCode: 418 })
    if (how === 'large') throw new StrongroomError('file_too_large')
    throw new StrongroomError('database_unavailable', { detail: 'a secret word', retryAfter: 1.2 })
  })
  scope.get('/api/conflict', (_request, reply) => {
    reply.header('etag', '"x"').header('content-disposition', 'attachment')
    throw new StrongroomError('duplicate_file', { detail: 'Told.', extra: { file_id: 'f' } })
  })
  scope.get('/api/wait', async () => {
    await meanwhile?.()
    return 'waited'
  })
  const body = Type.Object(
    { size: Type.Integer(), name: Type.Optional(Type.String({ maxLength: 5 })) },
    { additionalProperties: false },
  )
  const querystring = Type.Object({ limit: Type.Optional(Type.Integer()) })
  scope.post('/api/typed', { schema: { body, querystring } }, ({ query }) => query)
}

const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')

function tokenOf(claims: unknown, { key = secret, header = {}, hash = 'sha256' } = {}): string {
  const input = `${part({ alg: 'HS256', typ: 'JWT', ...header })}.${part(claims)}`
  return `${input}.${createHmac(hash, key).update(input).digest('base64url')}`
}

const good = tokenOf({ sub: 'anna', exp: now + 600, role: 'PortalAdmin' })

async function isProblem(t: Test, answer: Response, status: number, code: string) {
  const document = (await answer.json()) as Record<string, unknown>
  t.equal(answer.status, status, JSON.stringify(document))
  t.equal(answer.headers.get('content-type'), 'application/problem+json')
  t.match(document, { type: `urn:strongroom:problem:${code}`, status, code, title: String })
  t.equal(document['request_id'], answer.headers.get('x-request-id'))
  t.equal(answer.headers.get('x-content-type-options'), 'nosniff')
  t.equal(answer.headers.get('cache-control'), 'no-store')
  return document
}

await t.test('a good token says who calls, from where and in which roles', async (t) => {
  const { call } = await serve(t)
  const headers = { 'user-agent': 'x'.repeat(400), 'x-request-id': 'id-1' }
  const answer = await call('/api/things', { token: good, headers })
  t.equal(answer.status, 200)
  t.same(await answer.json(), {
    userId: 'anna',
    roles: ['admin'],
    ip: '127.0.0.1',
    userAgent: 'x'.repeat(256),
    requestId: 'id-1',
  })
  t.equal(answer.headers.get('x-request-id'), 'id-1')
})

await t.test('the user id is sub, else user_id, else nobody is known', async (t) => {
  const { call } = await serve(t)
  const ids: [Record<string, unknown>, string | undefined][] = [
    [{ sub: 'a', user_id: 'b' }, 'a'],
    [{ user_id: 'b' }, 'b'],
    [{ sub: 42 }, '42'],
    [{ sub: 0 }, '0'],
    [{ sub: 'x'.repeat(128) }, 'x'.repeat(128)],
    [{ sub: 'x'.repeat(129) }, undefined],
    [{ sub: '', user_id: 'b' }, undefined],
    [{ sub: { id: 1 } }, undefined],
    [{ sub: 1.5 }, undefined],
    [{ sub: 2 ** 53 }, undefined],
    [{ sub: 'a\0' }, undefined],
    [{ sub: 'a\ud800' }, undefined],
    [{}, undefined],
  ]
  for (const [claims, id] of ids) {
    const answer = await call('/api/things', { token: tokenOf({ ...claims, exp: now + 60 }) })
    if (id === undefined) await isProblem(t, answer, 401, 'unauthenticated')
    else t.equal(((await answer.json()) as Actor).userId, id)
  }
})

await t.test('a claim that is configured is the only one believed', async (t) => {
  const { call } = await serve(t, { userClaim: 'uid' })
  const answer = await call('/api/things', { token: tokenOf({ uid: 7, sub: 'anna' }) })
  t.equal(((await answer.json()) as Actor).userId, '7')
  await isProblem(t, await call('/api/things', { token: good }), 401, 'unauthenticated')
})

const [head = '', payload = '', signature = ''] = good.split('.')
const claims = { sub: 'anna', exp: now + 600 }

const wrongTokens: Record<string, string> = {
  'alg none': `${part({ alg: 'none' })}.${payload}.`,
  'alg HS512': tokenOf(claims, { header: { alg: 'HS512' }, hash: 'sha512' }),
  'alg RS256, signed with the secret': tokenOf(claims, { header: { alg: 'RS256' } }),
  'another secret': tokenOf(claims, { key: other }),
  'an unknown kid': tokenOf(claims, { header: { kid: 'nobody' } }),
  'a kid that is no text': tokenOf(claims, { header: { kid: 7 } }),
  'a critical header': tokenOf(claims, { header: { crit: ['x'], x: 1 } }),
  'not yet': tokenOf({ ...claims, nbf: now + 600 }),
  'a list of claims': tokenOf([]),
  'null for claims': tokenOf(null),
  'a wrong exp': tokenOf({ ...claims, exp: 'soon' }),
  'no signature': `${head}.${payload}`,
  'a fourth part': `${good}.x`,
  'a cut signature': `${head}.${payload}.${signature.slice(0, 9)}`,
  'no header': `.${payload}.${signature}`,
  'a header of null': `${part(null)}.${payload}.${signature}`,
  'too long': tokenOf({ ...claims, filling: 'x'.repeat(8_000) }),
  two: `${good} ${good}`,
  dots: '...',
}

await t.test('a token that proves nothing is answered 401', async (t) => {
  const { call, lines } = await serve(t)
  for (const [what, token] of Object.entries(wrongTokens)) {
    t.comment(what)
    const answer = await call('/api/things', { token })
    t.equal(answer.headers.get('www-authenticate'), 'Bearer error="invalid_token"', what)
    await isProblem(t, answer, 401, 'unauthenticated')
  }
  for (const authorization of ['', `Basic ${good}`, good, 'Bearer']) {
    const answer = await call('/api/things', { headers: { authorization } })
    t.equal(answer.headers.get('www-authenticate'), 'Bearer')
    await isProblem(t, answer, 401, 'unauthenticated')
  }
  const expired = await call('/api/things', { token: tokenOf({ ...claims, exp: now - 10 }) })
  t.match(expired.headers.get('www-authenticate'), 'invalid_token')
  await isProblem(t, expired, 401, 'token_expired')
  const justOver = await call('/api/things', { token: tokenOf({ ...claims, exp: now - 1 }) })
  t.equal(justOver.status, 200, 'within the tolerance')
  t.notMatch(lines.join(''), signature)
})

await t.test('issuer and audience count where they are configured', async (t) => {
  const { call } = await serve(t, { tokens: { issuer: 'portal', audience: 'files' } })
  const ok = { ...claims, iss: 'portal', aud: ['files', 'more'] }
  t.equal((await call('/api/things', { token: tokenOf(ok) })).status, 200)
  const wrong = [claims, { ...ok, iss: 'x' }, { ...ok, aud: 'x' }, { ...claims, iss: 'portal' }]
  for (const each of wrong) {
    const answer = await call('/api/things', { token: tokenOf(each) })
    await isProblem(t, answer, 401, 'unauthenticated')
  }
})

await t.test('of several secrets the header names the one', async (t) => {
  const named = { kid: 'k1', secret: other }
  const both = await serve(t, {
    tokens: { secrets: [{ kid: undefined, secret }, named] },
  })
  const status = async (service: typeof both, token: string) =>
    (await service.call('/api/things', { token })).status
  t.equal(await status(both, good), 200)
  t.equal(await status(both, tokenOf(claims, { key: other, header: { kid: 'k1' } })), 200)
  t.equal(await status(both, tokenOf(claims, { header: { kid: 'k1' } })), 401)
  t.equal(await status(both, tokenOf(claims, { key: other })), 401)
  const one = await serve(t, { tokens: { secrets: [named] } })
  t.equal(await status(one, tokenOf(claims, { key: other })), 200, 'without a name: the first')
})

await t.test('refused before a byte of the body is wanted', async (t) => {
  const { port } = await serve(t)
  const socket = connect(port, '127.0.0.1')
  socket.write(
    'POST /api/typed HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 99\r\nexpect: 100-continue\r\n\r\n',
  )
  const [first] = (await once(socket, 'data')) as [Buffer]
  t.match(first.toString(), /^HTTP\/1.1 401 /)
  socket.destroy()
})

await t.test('refusals are on record, capped for each address', async (t) => {
  const { call, noted, app } = await serve(t, { trustProxy: 1 })
  const refuse = async (address: string) => {
    const headers = { 'x-forwarded-for': `6.6.6.6, ${address}` }
    await isProblem(t, await call('/api/things', { headers }), 401, 'unauthenticated')
  }
  for (let n = 0; n < 13; n++) await refuse('10.0.0.1')
  await refuse('10.0.0.2')
  await refuse('<script>')
  const of = (ip: string) => noted.filter(({ actor }) => actor.ip === ip)
  t.equal(of('10.0.0.1').length, 10)
  t.match(of('10.0.0.2'), [
    {
      action: 'auth.refused',
      outcome: 'denied',
      reason: 'unauthenticated',
      actor: { userId: '-' },
    },
  ])
  t.equal(of('127.0.0.1').length, 1, 'what is no address is not believed')
  await app.close()
  t.match(of('10.0.0.1').slice(10), [{ action: 'auth.refused_summary', bytes: 3 }])
  t.equal(noted.filter(({ action }) => action === 'auth.refused_summary').length, 1)
})

await t.test('where refusals cannot be put on record nothing is answered but 503', async (t) => {
  const note = () => Promise.reject(new StrongroomError('audit_unavailable', { retryAfter: 2 }))
  const { call } = await serve(t, { audit: { note } })
  const answer = await call('/api/things')
  t.equal(answer.headers.get('retry-after'), '2')
  await isProblem(t, answer, 503, 'audit_unavailable')
})

await t.test(
  'the count of refusals is bounded, and a summary that fails comes later',
  async (t) => {
    const noted: Noted[] = []
    const problems: unknown[] = []
    let broken = false
    const record = refusals({
      audit: {
        note: (actor, facts) => {
          if (broken) return Promise.reject(new StrongroomError('audit_unavailable'))
          noted.push({ actor, ...facts })
          return Promise.resolve()
        },
      },
      onProblem: (error) => problems.push(error),
      perAddress: 1,
      maxAddresses: 2,
    })
    const caller = { userId: '-', roles: [], userAgent: '', requestId: 'r' }
    for (const ip of ['a', 'b', 'c', 'd', 'e', 'a']) {
      await record.note({ ...caller, ip }, 'unauthenticated')
    }
    t.equal(noted.length, 3, 'a, b and one of the others')
    broken = true
    await record.close()
    t.equal(problems.length, 2)
    broken = false
    await record.close()
    const summaries = noted.slice(3).map(({ actor, bytes }) => [actor.ip, bytes])
    t.same(summaries, [
      ['a', 1],
      ['other', 2],
    ])
  },
)

await t.test('outside of the authenticated scope there is nobody', async (t) => {
  const { call } = await serve(t)
  const answer = await call('/api/actor-of-nobody', { token: good })
  await isProblem(t, answer, 500, 'internal')
})

await t.test('errors: ours are told, others are nobody’s business', async (t) => {
  const { call, lines } = await serve(t, { legacyStatus: true })
  const get = (path: string) => call(path, { token: good })
  const conflict = await get('/api/conflict')
  t.equal(conflict.headers.get('etag'), null)
  t.equal(conflict.headers.get('content-disposition'), null)
  t.match(await isProblem(t, conflict, 409, 'duplicate_file'), { file_id: 'f', detail: 'Told.' })
  for (const how of ['unknown', 'number']) {
    const document = await isProblem(t, await get(`/api/fails/${how}`), 500, 'internal')
    t.notMatch(JSON.stringify(document), 'secret word')
  }
  const away = await get('/api/fails/ours')
  t.equal(away.headers.get('retry-after'), '2')
  t.equal((await isProblem(t, away, 503, 'database_unavailable'))['detail'], undefined)
  const large = await get('/api/fails/large')
  t.equal(large.status, 400, 'as older clients know it')
  t.notMatch(lines.join(''), 'secret word')
  t.match(lines.join(''), '"code":"internal"')
})

await t.test('errors in what is sent', async (t) => {
  const { call } = await serve(t)
  const post = (body: string, type = 'application/json', path = '/api/typed') =>
    call(path, { method: 'POST', token: good, body, headers: { 'content-type': type } })
  t.equal((await post('{"size":1}')).status, 200)
  const wrong: [string, string, string?][] = [
    ['{"size":"1"}', 'invalid_field', 'size'],
    ['{}', 'invalid_field', 'size'],
    ['{"size":1,"name":"Margarethe"}', 'invalid_field', 'name'],
    ['{"size":1,"Margarethe":1}', 'unknown_field'],
    ['[]', 'invalid_field'],
    ['{"__proto__":{"size":1}}', 'bad_request'],
    ['{"constructor":{"prototype":1},"size":1}', 'bad_request'],
    ['{', 'bad_request'],
    ['', 'bad_request'],
  ]
  for (const [body, code, field] of wrong) {
    t.comment(body)
    const document = await isProblem(t, await post(body), 400, code)
    t.equal(document['field'], field)
    t.notMatch(JSON.stringify(document), 'Margarethe')
  }
  await isProblem(t, await post('<a/>', 'application/xml'), 415, 'unsupported_media_type')
  const long = JSON.stringify({ size: 1, name: 'x'.repeat(70_000) })
  await isProblem(t, await post(long), 413, 'body_too_large')
  const query = await post('{"size":1}', 'application/json', '/api/typed?limit=7')
  t.same(await query.json(), { limit: 7 }, 'a query has no numbers of its own')
  const noNumber = await post('{"size":1}', 'application/json', '/api/typed?limit=x')
  await isProblem(t, noNumber, 400, 'invalid_field')
})

await t.test('what is not there, and what is there with other methods', async (t) => {
  const { call } = await serve(t)
  await isProblem(t, await call('/api/nowhere'), 404, 'not_found')
  const typed = { method: 'POST', body: '<a/>', headers: { 'content-type': 'text/xml' } }
  await isProblem(t, await call('/nowhere', typed), 404, 'not_found')
  const allowed: [string, string, string][] = [
    ['PUT', '/api/things', 'GET, HEAD'],
    ['PATCH', '/api/things/1', 'DELETE, GET, HEAD'],
    ['GET', '/api/things/import', 'POST'],
    ['DELETE', '/api/things/import/', 'POST'],
    ['OPTIONS', '/api/things', 'GET, HEAD'],
  ]
  for (const [method, path, allow] of allowed) {
    const answer = await call(path, { method, token: good })
    t.equal(answer.headers.get('allow'), allow, `${method} ${path}`)
    await isProblem(t, answer, 405, 'method_not_allowed')
  }
  t.equal((await call('/api/things/x/', { method: 'DELETE', token: good })).status, 200)
  t.equal((await call(`/api/things/${'x'.repeat(1000)}`, { token: good })).status, 200)
  const long = await call(`/api/things/${'x'.repeat(3000)}`, { token: good })
  await isProblem(t, long, 404, 'not_found')
  await isProblem(t, await call('/api/things/%e0%a4%a', { token: good }), 400, 'bad_request')
})

await t.test('X-Request-Id is kept if well formed', async (t) => {
  const { call, lines } = await serve(t)
  for (const id of ['abc-1', 'A.b_c', 'x'.repeat(128)]) {
    const answer = await call('/api/nowhere', { headers: { 'x-request-id': id } })
    t.equal(answer.headers.get('x-request-id'), id)
    t.match(lines.join(''), `"request_id":"${id}"`)
  }
  for (const id of ['', 'a b', '<a>', 'x'.repeat(129)]) {
    const answer = await call('/api/nowhere', { headers: { 'x-request-id': id } })
    t.match(answer.headers.get('x-request-id'), /^[0-9a-f-]{36}$/)
  }
})

await t.test('one line for a request: the route, never the URL', async (t) => {
  const { call, lines } = await serve(t)
  await (await call('/api/things/Margarethe?q=Margarethe', { token: good })).text()
  await (await call('/Margarethe')).text()
  await (await call('/%e0%a4%aMargarethe')).text()
  const requests = lines
    .map((line) => JSON.parse(line) as Record<string, unknown>)
    .filter(({ msg }) => msg === 'request')
  t.match(requests, [
    { method: 'GET', route: '/api/things/:id', status: 200, user_id: 'anna', ms: Number },
    { route: 'unmatched', status: 404 },
    { route: 'unmatched', status: 400 },
  ])
  t.equal(requests.length, 3)
  t.ok(
    lines.every((line) => line.split('"request_id"').length <= 2),
    'the id stands there once',
  )
  t.notMatch(lines.join(''), 'Margarethe')
})

async function raw(port: number, request: string): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  let received = ''
  socket.on('data', (piece: Buffer) => {
    received += piece.toString('latin1')
  })
  socket.write(request, 'latin1')
  await once(socket, 'close')
  return received
}

await t.test('what is no HTTP is answered in our form too', async (t) => {
  const { port, call } = await serve(t)
  const wrong: [string, number, string][] = [
    ['GARBAGE\r\n\r\n', 400, 'bad_request'],
    ['GET / HTTP/9.9\r\n\r\n', 400, 'bad_request'],
    [`GET /${'a'.repeat(40_000)} HTTP/1.1\r\n\r\n`, 431, 'header_too_large'],
    ['GET /\0 HTTP/1.1\r\n\r\n', 400, 'bad_request'],
  ]
  for (const [request, status, code] of wrong) {
    const answer = await raw(port, request)
    t.ok(answer.startsWith(`HTTP/1.1 ${status} `), answer)
    const [top = '', body = ''] = answer.split('\r\n\r\n')
    t.match(top, 'content-type: application/problem+json')
    t.match(JSON.parse(body), { status, code })
  }
  t.equal((await call('/health/live')).status, 200)
})

await t.test('health', async (t) => {
  const { call } = await serve(t, { trustProxy: 1, metricsToken: 'a-metrics-token' })
  t.same(await (await call('/api/health')).json(), { status: 'healthy' })
  t.same(await (await call('/health/live/')).json(), { status: 'live' })
  const known = { status: 'ready', components: { database: true, storage: true } }
  t.same(await (await call('/health/ready')).json(), known, 'from this machine')
  const forwarded = { headers: { 'x-forwarded-for': '127.0.0.1' } }
  t.same(await (await call('/health/ready', forwarded)).json(), { status: 'ready' })
  const asked = (token: string) => call('/health/ready', { ...forwarded, token })
  t.same(await (await asked('a-metrics-token')).json(), known)
  t.same(await (await asked('b-metrics-token')).json(), { status: 'ready' })
  const away = await serve(t, { ready: { database: false, storage: true } })
  const answer = await away.call('/health/ready')
  t.equal(answer.status, 503)
  t.match(await answer.json(), { status: 'unavailable', components: { database: false } })
})

await t.test('pages and the document', async (t) => {
  const { call } = await serve(t)
  const home = await call('/')
  t.match(home.headers.get('content-type'), 'text/html')
  t.match(home.headers.get('content-security-policy'), "default-src 'none'; style-src 'sha256-")
  t.notMatch(await home.text(), '<script')
  const document = (await (await call('/api/openapi.json')).json()) as {
    openapi: string
    paths: Record<string, Record<string, unknown>>
  }
  t.match(document.openapi, /^3\.1/)
  t.strictSame(Object.keys(document.paths['/api/things/{id}'] ?? {}).sort(), [
    'delete',
    'get',
    'head',
  ])
  const page = await call('/api/reference/')
  t.equal(page.status, 200)
  const policy = page.headers.get('content-security-policy') ?? ''
  t.match(policy, "script-src 'self'")
  t.notMatch(policy, /https:|upgrade-insecure|validator/)
  const api = await call('/api/things', { token: good })
  t.equal(api.headers.get('content-security-policy'), "default-src 'none'; frame-ancestors 'none'")
})

await t.test('pages of named origins may read answers', async (t) => {
  const origin = 'https://portal.example'
  const { call } = await serve(t, { origins: [origin] })
  const read = await call('/api/things', { headers: { origin } })
  t.equal(read.status, 401)
  t.equal(read.headers.get('access-control-allow-origin'), origin)
  t.match(read.headers.get('access-control-expose-headers'), 'Repr-Digest')
  const preflight = await call('/api/things', {
    method: 'OPTIONS',
    headers: {
      origin,
      'access-control-request-method': 'DELETE',
      'access-control-request-headers': 'authorization',
    },
  })
  t.equal(preflight.status, 204)
  t.match(preflight.headers.get('access-control-allow-methods'), 'DELETE')
  const stranger = await call('/api/things', { headers: { origin: 'https://evil.example' } })
  t.equal(stranger.headers.get('access-control-allow-origin'), null)
})

await t.test(
  'closing lets the answer under way finish, and refuses what comes after',
  async (t) => {
    let arrived = () => {
      /* nobody waits */
    }
    let release = () => {
      /* nobody waits */
    }
    const under = new Promise<void>((resolve) => {
      arrived = resolve
    })
    const released = new Promise<void>((resolve) => {
      release = resolve
    })
    const { app, port } = await serve(t, {
      meanwhile: () => {
        arrived()
        return released
      },
    })
    const socket = connect(port, '127.0.0.1')
    let received = ''
    socket.on('data', (piece: Buffer) => {
      received += piece.toString()
    })
    const request = (path: string) =>
      `GET ${path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${good}\r\n\r\n`
    socket.write(request('/api/wait'))
    await under
    const closed = app.close()
    socket.write(request('/api/things'))
    release()
    await Promise.all([closed, once(socket, 'close')])
    t.match(received, /^HTTP\/1.1 200 [^]*waited/)
    t.notMatch(received, '"userId"')
  },
)
