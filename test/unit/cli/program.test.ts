import { createHmac } from 'node:crypto'
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseEnv } from 'node:util'
import t, { type Test } from 'tap'
import { run } from '../../../src/cli/program.js'
import { newMasterKey, newSecret } from '../../../src/config/secrets.js'
import { type Environment, readConfig } from '../../../src/config.js'

async function terminalFor(t: Test, env: Environment = {}) {
  const cwd = await mkdtemp(join(tmpdir(), 'cli-'))
  t.teardown(() => rm(cwd, { recursive: true, force: true }))
  const call = async (...args: string[]) => {
    const out: string[] = []
    const err: string[] = []
    const code = await run(args, {
      cwd,
      loadEnvironment: () => env,
      out: (line) => out.push(line),
      err: (line) => err.push(line),
    })
    return { code, out: out.join('\n'), err: err.join('\n') }
  }
  return { cwd, call }
}

void t.test('help, version and wrong calls', async (t) => {
  const { call } = await terminalFor(t)
  t.match(await call('--help'), { code: 0, out: /init.*token/s })
  t.match(await call('token', '--help'), { code: 0, out: /curl/ })
  t.match(await call('--version'), { code: 0, out: /^\d+\.\d+\.\d+/ })
  t.match(await call('bogus'), { code: 2, out: '', err: /unknown command 'bogus'/ })
  t.match(await call('config', 'bogus'), { code: 2 })
  t.match(await call('config', 'check', '--bogus'), { code: 2, err: /unknown option/ })
  t.match(await call(), { code: 2, err: /Usage: strongroom/ })
  t.match(await call('token'), { code: 2, err: /--user/ })
})

void t.test('config check says settings and secrets as set', async (t) => {
  const masterKey = newMasterKey()
  const { call } = await terminalFor(t, {
    MASTER_KEYS: masterKey,
    JWT_SECRET_KEY: 'hunter2',
    PORT: '9000',
    DATABASE_URL: 'postgres://u:hunter3@db/d',
    DEBUG: '1',
  })
  const { code, out, err } = await call('config', 'check')
  t.equal(code, 0)
  t.match(out, / {2}PORT +9000\n/)
  t.match(out, / {2}HOST +127\.0\.0\.1 \(default\)\n/)
  t.match(out, / {2}MASTER_KEYS +set\n/)
  t.match(out, / {2}DATABASE_URL +set\n/)
  t.match(out, / {2}METRICS_TOKEN +not set\n/)
  t.match(out, /database +PostgreSQL/)
  t.match(err, /notice: JWT_SECRET_KEY is shorter than 32 bytes/)
  t.match(err, /notice: DEBUG is not used here/)
  t.notMatch(out + err, /hunter/)
  t.notOk((out + err).includes(masterKey))
})

void t.test('config check answers 1 and all that is wrong', async (t) => {
  const { call, cwd } = await terminalFor(t, { PORT: 'x', NODE_ENV: 'production' })
  const { code, out, err } = await call('config', 'check')
  t.equal(code, 1)
  t.match(out, / {2}PORT +wrong\n/)
  t.match(err, /error: PORT: expected.*error: MASTER_KEYS: expected.*4 to mend/s)
  await t.rejects(stat(join(cwd, 'storage')), { code: 'ENOENT' }, 'nothing is made')
})

void t.test('config check sees a lost development key', async (t) => {
  const { call, cwd } = await terminalFor(t)
  t.match(await call('config', 'check'), { code: 0 })
  await mkdir(join(cwd, 'storage', 'database', 'base'), { recursive: true })
  t.match(await call('config', 'check'), { code: 1, err: /error: MASTER_KEYS is absent and so is/ })
})

void t.test('config example prints .env.example', async (t) => {
  const { call } = await terminalFor(t)
  const file = await readFile(new URL('../../../.env.example', import.meta.url), 'utf8')
  t.same(await call('config', 'example'), { code: 0, out: file.trimEnd(), err: '' })
})

void t.test('init writes a .env that works', async (t) => {
  const { call, cwd } = await terminalFor(t)
  const path = join(cwd, '.env')
  const { code, out } = await call('init')
  t.equal(code, 0)
  t.equal((await stat(path)).mode & 0o777, 0o600)
  const text = await readFile(path, 'utf8')
  const env = parseEnv(text) as Record<string, string>
  t.same(Object.keys(env).sort(), [
    'GARAGE_ACCESS_KEY',
    'GARAGE_RPC_SECRET',
    'GARAGE_SECRET_KEY',
    'JWT_SECRET_KEY',
    'MASTER_KEYS',
    'METRICS_TOKEN',
    'POSTGRES_PASSWORD',
    'REDIS_PASSWORD',
  ])
  t.match(env['GARAGE_ACCESS_KEY'], /^GK[0-9a-f]{24}$/)
  t.match(env['GARAGE_SECRET_KEY'], /^[0-9a-f]{64}$/)
  for (const secret of Object.values(env)) t.notOk(out.includes(secret))
  const production = { NODE_ENV: 'production', ALLOW_EMBEDDED: 'true', TRUST_PROXY: '1' }
  t.same(readConfig({ ...env, ...production }, cwd).notices, [])
  t.match(await call('init'), { code: 1, err: /is there already: --force/ })
  t.equal(await readFile(path, 'utf8'), text)
})

void t.test('init --force keeps what data depend on', async (t) => {
  const { call, cwd } = await terminalFor(t)
  const path = join(cwd, '.env')
  await call('init')
  const before = await readFile(path, 'utf8')
  await writeFile(path, `${before}JWT_SECRET=old\nROLE_MAP='{"a": "admin"}'\nPORT=\n`)
  t.match(await call('init', '--force'), { code: 0 })
  const old = parseEnv(before)
  const env = parseEnv(await readFile(path, 'utf8'))
  t.equal(env['MASTER_KEYS'], old['MASTER_KEYS'])
  const ofCompose = ['POSTGRES_PASSWORD', 'REDIS_PASSWORD', 'GARAGE_SECRET_KEY'] as const
  for (const name of ofCompose) t.equal(env[name], old[name], name)
  t.equal(env['ROLE_MAP'], '{"a": "admin"}')
  t.not(env['JWT_SECRET_KEY'], old['JWT_SECRET_KEY'])
  t.not(env['METRICS_TOKEN'], old['METRICS_TOKEN'])
  t.equal(env['JWT_SECRET'], undefined)
  await writeFile(path, 'MASTER_KEYS_FILE=/run/secrets/keys\n')
  await call('init', '--force')
  const last = parseEnv(await readFile(path, 'utf8'))
  t.equal(last['MASTER_KEYS_FILE'], '/run/secrets/keys')
  t.equal(last['MASTER_KEYS'], undefined)
  t.match(last['REDIS_PASSWORD'], /^[\w-]{32}$/, 'an older file gets what it lacks')
})

void t.test('init takes over a development master key', async (t) => {
  const { call, cwd } = await terminalFor(t)
  const key = newMasterKey()
  await mkdir(join(cwd, 'storage', 'keys'), { recursive: true })
  await writeFile(join(cwd, 'storage', 'keys', 'master.key'), `${key}\n`)
  t.match(await call('init'), { code: 0, out: /the key made for development/ })
  t.equal(parseEnv(await readFile(join(cwd, '.env'), 'utf8'))['MASTER_KEYS'], key)
})

function open(token: string, secret: string) {
  const [header = '', claims = '', signature] = token.split('.')
  const expected = createHmac('sha256', secret).update(`${header}.${claims}`).digest('base64url')
  const parse = (part: string): unknown =>
    JSON.parse(Buffer.from(part, 'base64url').toString('utf8'))
  return { valid: signature === expected, header: parse(header), claims: parse(claims) }
}

void t.test('token signs with the configured secret', async (t) => {
  const secret = newSecret()
  const { call } = await terminalFor(t, {
    JWT_SECRET_KEY: secret,
    JWT_USER_CLAIM: 'uid',
    JWT_ISSUER: 'https://portal.example',
    JWT_AUDIENCE: 'strongroom',
    ROLE_MAP: '{"doctor": "clinician"}',
  })
  const before = Math.floor(Date.now() / 1000)
  const { code, out, err } = await call(
    ...['token', '--user', 'ann', '--role', 'doctor', '--role', 'auditor,admin'],
    ...['--email', 'ann@portal.example', '--expires', '15m'],
  )
  t.match({ code, err }, { code: 0, err: '' })
  const token = open(out, secret)
  t.ok(token.valid)
  t.same(token.header, { alg: 'HS256', typ: 'JWT' })
  const claims = token.claims as { iat: number; exp: number }
  t.match(claims, {
    sub: 'ann',
    uid: 'ann',
    iss: 'https://portal.example',
    aud: 'strongroom',
    roles: ['doctor', 'auditor', 'admin'],
    email: 'ann@portal.example',
  })
  t.ok(claims.iat >= before)
  t.equal(claims.exp - claims.iat, 900)
})

void t.test('token names its key where there are several', async (t) => {
  const secret = newSecret()
  const { call } = await terminalFor(t, { JWT_SECRET_KEYS: JSON.stringify({ k1: secret }) })
  const token = open((await call('token', '--user', 'ann')).out, secret)
  t.match(token, { valid: true, header: { kid: 'k1' } })
})

void t.test('token uses the development secret where none is configured', async (t) => {
  const { call, cwd } = await terminalFor(t)
  const { code, out, err } = await call('token', '--user', 'ann')
  t.equal(code, 0)
  t.match(err, /notice: JWT_SECRET_KEY is absent/)
  const secret = (await readFile(join(cwd, 'storage', 'keys', 'jwt.secret'), 'utf8')).trim()
  t.ok(open(out, secret).valid)
  await t.rejects(stat(join(cwd, 'storage', 'keys', 'master.key')), { code: 'ENOENT' })
})

void t.test('token refuses', async (t) => {
  const { call } = await terminalFor(t, { JWT_SECRET_KEY: newSecret() })
  t.match(await call('token', '--user', ''), { code: 2, out: '' })
  t.match(await call('token', '--user', 'u'.repeat(129)), { code: 2 })
  t.match(await call('token', '--user', 'u', '--role', 'king'), { code: 2, err: /king: expected/ })
  for (const time of ['', '1', '0s', '1w', '-1h', '31d', '1h30m']) {
    t.match(await call('token', '--user', 'u', '--expires', time), { code: 2 }, time)
  }
  t.match(await call('token', '--user', 'u', '--expires', '30d'), { code: 0 })
  const production = await terminalFor(t, {
    NODE_ENV: 'production',
    ALLOW_EMBEDDED: 'true',
    MASTER_KEYS: newMasterKey(),
    JWT_SECRET_KEY: newSecret(),
  })
  t.match(await production.call('token', '--user', 'u'), { code: 1, out: '', err: /production/ })
  const wrong = await terminalFor(t, { PORT: 'x' })
  t.match(await wrong.call('token', '--user', 'u'), { code: 1, err: /error: PORT: expected/ })
})
