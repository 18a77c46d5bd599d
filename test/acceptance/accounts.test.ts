import { randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { hash as bcrypt } from 'bcryptjs'
import { Secret, TOTP } from 'otpauth'
import t from 'tap'
import { hasStatus, isProblem } from './support/checks.js'
import type { Answer, Call } from './support/http.js'
import { personOf } from './support/people.js'
import { type Server, startServer } from './support/server.js'
import { claimsOf, mintToken } from './support/tokens.js'

// Accounts for those who have no identity provider: made by hand, kept by administrators, ended everywhere.

const masterKey = randomBytes(32).toString('base64url').concat('=')
const secret = randomBytes(32).toString('hex')
const settings = {
  MASTER_KEYS: masterKey,
  JWT_SECRET_KEY: secret,
  PRIMARY_IDENTITY: 'local',
  TRUST_PROXY: '1',
  REQUIRE_SECOND_FACTOR: 'grants',
}
const server = await startServer(settings)
t.teardown(() => server.close())

interface Told {
  readonly access_token?: string
  readonly token_type?: string
  readonly expires_in?: number
  readonly id?: string
  readonly email?: string | null
  readonly is_admin?: boolean
  readonly is_active?: boolean
  readonly roles?: readonly string[]
  readonly last_login?: string | null
  readonly secret?: string
  readonly otpauth_url?: string
  readonly users?: readonly Told[]
}
const told = (answer: Answer) => answer.body as Told

let addresses = 0
/** From an address of its own, so that no try counts for another. */
const elsewhere = () => {
  addresses += 1
  return { 'x-forwarded-for': `10.${addresses >> 16}.${(addresses >> 8) & 255}.${addresses & 255}` }
}
const login = (email: string, password: string, more: object = {}, headers = elsewhere()) =>
  server.call('/api/v1/auth/login', { method: 'POST', headers, json: { email, password, ...more } })
const tokenFor = async (email: string, password: string, more: object = {}) => {
  const answer = await login(email, password, more)
  const { access_token: token } = told(answer)
  if (token === undefined) throw new Error(`not logged in: ${answer.status} ${answer.text}`)
  return token
}
const post = (path: string, token: string, json: unknown = {}, on: Server = server) =>
  on.call(path, { method: 'POST', token, json })
const me = (token: string, on: Server = server) => on.call('/api/v1/auth/me', { token })

const rootPassword = 'seven crooked lanterns of Graz'
const passwordFile = join(server.dataDir, '..', 'password')
await writeFile(passwordFile, `${rootPassword}\n`, { mode: 0o600 })
const made = await server.command(
  ...['user', 'create', '--email', 'Root@Clinic.example', '--name', 'The Root', '--admin'],
  ...['--password-file', passwordFile],
)
const root = await tokenFor('root@clinic.example', rootPassword)

const newUser = async (email: string, password: string, more: object = {}) => {
  const answer = await post('/api/v1/users', root, { email, password, ...more })
  const { id } = told(answer)
  if (answer.status !== 201 || id === undefined) throw new Error(answer.text)
  return id
}

await t.test('the first administrator is made by a command', async (t) => {
  t.equal(made.code, 0, made.err)
  t.match(made.out, /^[\da-f-]{36}\n$/)
  const answer = await me(root)
  hasStatus(t, answer, 200)
  t.match(told(answer), { id: made.out.trim(), email: 'Root@Clinic.example', is_admin: true })
  t.ok(told(answer).last_login)
  const again = await server.command(
    ...['user', 'create', '--email', 'ROOT@clinic.example', '--password-file', passwordFile],
  )
  t.equal(again.code, 1)
  t.match(again.err, 'There is an account of this e-mail')
  await writeFile(passwordFile, 'password1234', { mode: 0o600 })
  const weak = await server.command(
    ...['user', 'create', '--email', 'x@clinic.example', '--password-file', passwordFile],
  )
  t.equal(weak.code, 1)
  t.match(weak.err, 'guessed too easily')
  t.notMatch(weak.err, 'password1234')
})

await t.test('logging in: JSON, a form, and what is refused', async (t) => {
  const form = await server.call('/auth/token', {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded', ...elsewhere() },
    body: new URLSearchParams({
      username: 'root@clinic.example',
      password: rootPassword,
    }).toString(),
  })
  hasStatus(t, form, 200)
  t.match(told(form), { token_type: 'bearer', expires_in: 1800 })
  hasStatus(t, await me(told(form).access_token ?? ''), 200)
  isProblem(t, await login('root@clinic.example', 'wrong'), 401, 'wrong_credentials')
  isProblem(t, await login('nobody@clinic.example', 'wrong'), 401, 'wrong_credentials')
  const same = ['root@clinic.example', 'nobody@clinic.example'].map((email) => login(email, 'x'))
  const [known, unknown] = (await Promise.all(same)).map(({ text }) =>
    text.replace(/"request_id":"[^"]*"/, ''),
  )
  t.equal(known, unknown, 'the same answer')
  for (const json of [{}, { email: 'root@clinic.example' }, { email: 1, password: [] }]) {
    isProblem(t, await server.call('/api/v1/auth/login', { method: 'POST', json }), 400)
  }
  const odd = await login('root@clinic.example\0', 'x\0y')
  t.ok([400, 401].includes(odd.status), `${odd.status}`)
})

await t.test('accounts are kept by administrators', async (t) => {
  const id = await newUser('anna@clinic.example', 'tangerine gearbox by the lake', {
    full_name: 'Anna',
    roles: ['clinician'],
    something_else: 'ignored',
  })
  const anna = await tokenFor('anna@clinic.example', 'tangerine gearbox by the lake')
  t.match(told(await me(anna)), { id, email: 'anna@clinic.example', roles: ['clinician'] })
  for (const path of ['/api/v1/users', `/api/v1/users/${id}`]) {
    isProblem(t, await server.call(path, { token: anna }), 403, 'forbidden')
    hasStatus(t, await server.call(path, { token: root }), 200)
  }
  isProblem(t, await post('/api/v1/users', anna, { email: 'x@x.x', password: 'y' }), 403)
  const taken = { email: 'ANNA@clinic.example', password: 'another gearbox of the lake' }
  isProblem(t, await post('/api/v1/users', root, taken), 409, 'email_taken')
  const weak: readonly (readonly [string, string])[] = [
    ['short', 'kx7!vq'],
    ['common', 'password1234'],
    ['a row of keys', 'qwertyuiop12'],
    ['repeated', 'aaaaaaaaaaaaaaaa'],
    ['their own address', 'berta@clinic.example'],
    ['ours', 'strongroom12'],
    ['endless', 'x7 '.repeat(100)],
  ]
  for (const [what, password] of weak) {
    t.comment(what)
    const answer = await post('/api/v1/users', root, { email: 'berta@clinic.example', password })
    isProblem(t, answer, 400, 'weak_password')
  }
  for (const email of [
    '',
    'no-address',
    'two@at@signs',
    `${'a'.repeat(70)}@x.example`,
    'a b@c.d',
  ]) {
    const json = { email, password: 'another gearbox of the lake' }
    isProblem(t, await post('/api/v1/users', root, json), 400)
  }
  const put = (json: unknown, who = id): Promise<Answer> =>
    server.call(`/api/v1/users/${who}`, { method: 'PUT', token: root, json })
  t.match(told(await put({ is_admin: true })), { is_admin: true, roles: ['clinician', 'admin'] })
  hasStatus(t, await server.call('/api/v1/users', { token: anna }), 200, 'at once')
  t.match(told(await put({ is_admin: false, full_name: null })), { roles: ['clinician'] })
  isProblem(t, await server.call('/api/v1/users', { token: anna }), 403)
  isProblem(t, await put({ is_admin: false }, made.out.trim()), 409, 'conflict')
  isProblem(t, await put({}, 'nobody'), 404, 'not_found')
  const gone = await server.call(`/api/v1/users/${id}`, { method: 'DELETE', token: root })
  t.match(told(gone), { id, is_active: false })
  isProblem(t, await me(anna), 401)
  const late = await login('anna@clinic.example', 'tangerine gearbox by the lake')
  isProblem(t, late, 401, 'wrong_credentials')
  const log = await server.call(`/api/v1/audit/logs?user_id=${id}`, { token: root })
  t.ok((log.body.events ?? []).length > 0, 'what she did stays on record')
})

await t.test('the list goes on from page to page', async (t) => {
  const seen: (string | undefined)[] = []
  let cursor: string | null | undefined
  do {
    const at = cursor === undefined ? '' : `&cursor=${cursor}`
    const answer = await server.call(`/api/v1/users?limit=1${at}`, { token: root })
    hasStatus(t, answer, 200)
    seen.push(...(told(answer).users ?? []).map(({ id }) => id))
    cursor = answer.body.next_cursor
  } while (typeof cursor === 'string')
  t.equal(seen.length, 2)
  t.equal(new Set(seen).size, 2)
})

const someone = async (name: string, more: object = {}) => {
  const email = `${name}@clinic.example`
  const password = `${name} walks eleven llamas home`
  const id = await newUser(email, password, more)
  return { id, email, password, token: await tokenFor(email, password) }
}

await t.test('logging out ends this token, everywhere; all of them where asked', async (t) => {
  const cara = await someone('cara')
  const other = await tokenFor(cara.email, cara.password)
  const renewed = told(await post('/api/v1/auth/renew', cara.token)).access_token ?? ''
  hasStatus(t, await me(renewed), 200, 'a renewed token')
  hasStatus(t, await post('/api/v1/auth/logout', cara.token), 200)
  isProblem(t, await me(cara.token), 401, 'unauthenticated')
  hasStatus(t, await me(other), 200, 'another one')
  await onAnotherNode(async (node) => {
    isProblem(t, await me(cara.token, node), 401, 'unauthenticated')
    hasStatus(t, await me(other, node), 200, 'another one')
  })
  hasStatus(t, await post('/api/v1/auth/logout?everywhere=true', other), 200)
  for (const token of [other, renewed]) isProblem(t, await me(token), 401)
})

await t.test('a changed password ends all tokens but the one it answers', async (t) => {
  const dora = await someone('dora')
  const other = await tokenFor(dora.email, dora.password)
  const change = (current: string, next: string) =>
    post('/api/v1/auth/change-password', dora.token, {
      current_password: current,
      new_password: next,
    })
  isProblem(t, await change('wrong', 'a perfectly new umbrella stand'), 401, 'wrong_credentials')
  isProblem(t, await change(dora.password, 'password1234'), 400, 'weak_password')
  hasStatus(t, await me(other), 200, 'nothing happened')
  const changed = await change(dora.password, 'a perfectly new umbrella stand')
  hasStatus(t, changed, 200)
  for (const token of [dora.token, other]) isProblem(t, await me(token), 401)
  const fresh = told(changed).access_token ?? ''
  hasStatus(t, await me(fresh), 200)
  await onAnotherNode(async (node) => {
    isProblem(t, await me(other, node), 401)
    hasStatus(t, await me(fresh, node), 200)
  })
  isProblem(t, await login(dora.email, dora.password), 401)
  hasStatus(t, await login(dora.email, 'a perfectly new umbrella stand'), 200)
})

/** A second process on the same data; on the embedded database, the same one started again. */
async function onAnotherNode(work: (node: Server) => Promise<void>): Promise<void> {
  if (server.database === undefined) {
    await server.stop()
    await server.start()
    await work(server)
    return
  }
  const node = await startServer({ ...settings, DATABASE_URL: server.database.url })
  await work(node).finally(() => node.close())
}

await t.test('a second factor', async (t) => {
  const emil = await someone('emil')
  const begun = told(await post('/api/v1/auth/totp', emil.token))
  t.match(begun.otpauth_url, /^otpauth:\/\/totp\//)
  const totp = new TOTP({ secret: Secret.fromBase32(begun.secret ?? '') })
  const codeAt = (steps: number) => totp.generate({ timestamp: Date.now() + steps * 30_000 })
  hasStatus(
    t,
    await login(emil.email, emil.password),
    200,
    'until it is confirmed, none is needed:',
  )
  const confirm = (code: string) => post('/api/v1/auth/totp/confirm', emil.token, { code })
  isProblem(t, await confirm('000000'), 401, 'wrong_credentials')
  hasStatus(t, await confirm(codeAt(-1)), 200)
  const desk = elsewhere()
  for (let nth = 0; nth < 12; nth++) {
    const asked = await login(emil.email, emil.password, {}, desk)
    isProblem(t, asked, 401, 'second_factor_needed')
  }
  t.comment('which is no guess; a code is')
  for (const status of [...Array<number>(10).fill(401), 429]) {
    hasStatus(t, await login(emil.email, emil.password, { totp: '000000' }, desk), status)
  }
  isProblem(t, await login(emil.email, 'wrong'), 401, 'wrong_credentials')
  const wrong = await login(emil.email, emil.password, { totp: '000000' })
  isProblem(t, wrong, 401, 'wrong_credentials')
  const code = codeAt(0)
  const right = await login(emil.email, emil.password, { totp: code })
  hasStatus(t, right, 200)
  const again = await login(emil.email, emil.password, { totp: code })
  isProblem(t, again, 401, 'wrong_credentials')
  t.comment('and calls can demand it: sharing does here')
  const share = (token: string) =>
    post(`/api/files/medical-records/${crypto.randomUUID()}/grants`, token, { user_id: 'x' })
  isProblem(t, await share(emil.token), 403, 'second_factor_required')
  isProblem(t, await share(told(right).access_token ?? ''), 404, 'not_found')
  const byProvider = personOf(server, 'x', { amr: ['pwd', 'mfa'] })
  isProblem(
    t,
    await byProvider.post(`/api/files/medical-records/${crypto.randomUUID()}/grants`, {
      user_id: 'y',
    }),
    401,
  )
  t.comment('lost: an administrator takes it away, and it is begun anew')
  const put = (json: unknown) =>
    server.call(`/api/v1/users/${emil.id}`, { method: 'PUT', token: root, json })
  isProblem(t, await put({ has_totp: true }), 400)
  hasStatus(t, await put({ has_totp: false }), 200)
  hasStatus(t, await login(emil.email, emil.password), 200, 'the password alone')
  const anew = told(await post('/api/v1/auth/totp', emil.token))
  t.not(anew.secret, begun.secret)
  const other = new TOTP({ secret: Secret.fromBase32(anew.secret ?? '') })
  const later = (steps: number) => other.generate({ timestamp: Date.now() + steps * 30_000 })
  hasStatus(t, await confirm(later(1)), 200)
  const last = { method: 'DELETE', token: emil.token, json: { code: later(1) } }
  isProblem(t, await server.call('/api/v1/auth/totp', last), 401, 'wrong_credentials')
  await put({ has_totp: false })
  hasStatus(t, await login(emil.email, emil.password), 200)
})

await t.test('hashes of an older service are good for one login, and are ours then', async (t) => {
  const password = 'the old service knew this one'
  await writeFile(passwordFile, await bcrypt(password, 10), { mode: 0o600 })
  const { code, err } = await server.command(
    ...['user', 'create', '--email', 'old@clinic.example', '--password-file', passwordFile],
  )
  t.equal(code, 0, err)
  isProblem(t, await login('old@clinic.example', 'not this one'), 401)
  for (let nth = 0; nth < 2; nth++) {
    hasStatus(t, await login('old@clinic.example', password), 200)
  }
  const log = await server.call('/api/v1/audit/logs?action=auth.password_upgrade', { token: root })
  t.equal((log.body.events ?? []).length, 1)
})

await t.test('guessing is slowed down, and locks nobody out elsewhere', async (t) => {
  const fred = await someone('fred')
  const attacker = elsewhere()
  const guesses = await Promise.all(
    Array.from({ length: 16 }, () => login(fred.email, 'guess', {}, attacker)),
  )
  const statuses = guesses.map(({ status }) => status)
  t.equal(statuses.filter((status) => status === 401).length, 10, 'at once, too')
  t.equal(statuses.filter((status) => status === 429).length, 6)
  const refused = await login(fred.email, fred.password, {}, attacker)
  isProblem(t, refused, 429, 'too_many_requests')
  const after = Number(refused.headers['retry-after'])
  t.ok(after > 0 && after <= 900, `again after ${after} s`)
  const unknown = elsewhere()
  for (let nth = 0; nth < 11; nth++)
    await login('nobody-at-all@clinic.example', 'guess', {}, unknown)
  const same = await login('nobody-at-all@clinic.example', 'guess', {}, unknown)
  isProblem(t, same, 429, 'too_many_requests')
  t.comment('from very many addresses')
  await Promise.all(Array.from({ length: 60 }, () => login(fred.email, 'guess')))
  const new1 = elsewhere()
  isProblem(t, await login(fred.email, 'typo', {}, new1), 401)
  hasStatus(t, await login(fred.email, fred.password, {}, new1), 200, 'fred, somewhere new,')
  const new2 = elsewhere()
  for (const status of [401, 401, 429]) {
    hasStatus(t, await login(fred.email, 'guess', {}, new2), status, 'fewer tries there')
  }
})

await t.test('tokens that are not what they say', async (t) => {
  const gina = await someone('gina')
  const [head = '', payload = '', signature = ''] = gina.token.split('.')
  const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as object
  const wrong: Readonly<Record<string, string>> = {
    'signed with the portal’s secret': mintToken({ ...claims }, secret),
    'of the portal, with the id of an account and no issuer': mintToken(
      claimsOf('local|root', {}),
      secret,
    ),
    'without a signature': `${head}.${payload}.`,
    'for another person': `${head}.${Buffer.from(
      JSON.stringify({ ...claims, sub: made.out.trim() }),
    ).toString('base64url')}.${signature}`,
    'with a longer life': `${head}.${Buffer.from(
      JSON.stringify({ ...claims, exp: 9_999_999_999 }),
    ).toString('base64url')}.${signature}`,
  }
  for (const [what, token] of Object.entries(wrong)) {
    t.comment(what)
    const answer = await me(token)
    if (what.startsWith('of the portal'))
      hasStatus(t, answer, 200, 'it is shared|local|root, nobody,')
    else isProblem(t, answer, 401, 'unauthenticated')
  }
  t.equal((await me(mintToken(claimsOf('local|root'), secret))).body.id, 'shared|local|root')
})

await t.test('characters that nothing can be called by', async (t) => {
  const at = (path: string, method = 'GET') =>
    server.call(path, { method, token: root, ...(method === 'PUT' ? { json: {} } : {}) })
  for (const method of ['GET', 'PUT', 'DELETE']) {
    for (const id of ['a%00b', '%00', '%E2%80%AE', 'x'.repeat(128)]) {
      isProblem(t, await at(`/api/v1/users/${id}`, method), 404, 'not_found')
    }
  }
  for (const path of [
    '/api/v1/audit/logs?user_id=a%00b',
    '/api/v1/audit/logs?patient_id=%00',
    '/api/v1/audit/user-stats/a%00b',
    '/api/v1/permissions?user_id=a%00b',
    '/api/files/medical-records?patient_id=a%00b',
    '/api/files/medical-records?type=a%00b',
    '/api/assignments?clinician_id=a%00b',
    '/api/patients/a%00b/disclosures',
    '/api/emergency-access?patient_id=a%00b',
  ]) {
    isProblem(t, await at(path), 400, 'invalid_field')
  }
})

await t.test('nothing of it is in the log or, open, in the database', async (t) => {
  const logs = server.logs()
  for (const word of ['clinic.example', 'lanterns', 'llamas', 'eyJ', 'Anna']) t.notMatch(logs, word)
  const options: Call = { token: root }
  const log = await server.call('/api/v1/audit/logs?action=auth.login&limit=200', options)
  t.ok((log.body.events ?? []).length > 20)
  t.notMatch(log.text, 'clinic.example')
  await wait(1_500)
  await server.stop()
  const { code, out } = await server.command('audit', 'verify')
  t.equal(code, 0, out)
  await server.start()
})
