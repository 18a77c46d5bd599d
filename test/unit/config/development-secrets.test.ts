import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { provideJwtSecrets, provideSecrets } from '../../../src/config/development-secrets.js'
import { newMasterKey, newSecret } from '../../../src/config/secrets.js'
import { writePrivateFile } from '../../../src/config/write-private-file.js'
import { type Environment, readConfig } from '../../../src/config.js'

async function setUp(t: Test, env: Environment = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'secrets-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const config = readConfig(env, folder)
  return { folder, config, keys: join(config.dataDir, 'keys') }
}

const modeOf = async (path: string) => (await stat(path)).mode & 0o777

void t.test('made at the first start, read at the next', async (t) => {
  const { config, keys } = await setUp(t)
  const first = await provideSecrets(config)
  t.match(first.masterKeys, [/^[\w-]{43}=$/])
  t.equal(first.jwtSecrets.length, 1)
  t.match(first.notices, [
    /^MASTER_KEYS is absent.*made just now/,
    /^JWT_SECRET_KEY.*made just now/,
  ])
  t.same((await readdir(keys)).sort(), ['jwt.secret', 'master.key'])
  t.equal(await modeOf(keys), 0o700)
  t.equal(await modeOf(join(keys, 'master.key')), 0o600)
  t.equal(await modeOf(join(keys, 'jwt.secret')), 0o600)
  const second = await provideSecrets(config)
  t.same(second.masterKeys, first.masterKeys)
  t.same(second.jwtSecrets, first.jwtSecrets)
  t.match(second.notices, [/, read in /, /, read in /])
})

void t.test('given secrets are used and nothing is made', async (t) => {
  const masterKey = newMasterKey()
  const { config, folder } = await setUp(t, { MASTER_KEYS: masterKey, JWT_SECRET_KEY: newSecret() })
  const secrets = await provideSecrets(config)
  t.same(secrets.masterKeys, [masterKey])
  t.same(secrets.jwtSecrets, config.jwt.secrets)
  t.same(secrets.notices, [])
  t.same(await readdir(folder), [])
})

void t.test('processes that start together agree', async (t) => {
  const { config } = await setUp(t)
  const all = await Promise.all(Array.from({ length: 8 }, () => provideSecrets(config)))
  t.equal(new Set(all.map(({ masterKeys }) => masterKeys[0])).size, 1)
  t.equal(new Set(all.map(({ jwtSecrets }) => jwtSecrets[0]?.secret)).size, 1)
})

void t.test('no new master key over sealed data', async (t) => {
  for (const [name, place] of [
    ['database', 'storage/database'],
    ['files', 'storage/files'],
  ] as const) {
    const { config, folder, keys } = await setUp(t)
    await mkdir(join(folder, place, 'ab'), { recursive: true })
    await t.rejects(
      provideSecrets(config),
      { name: 'ConfigError', problems: [/MASTER_KEYS is absent .*is not empty.*open nothing/] },
      name,
    )
    await t.rejects(readdir(keys), { code: 'ENOENT' }, 'nothing was made')
    t.equal((await provideJwtSecrets(config)).jwtSecrets.length, 1, 'tokens are another matter')
    await writePrivateFile(join(keys, 'master.key'), newMasterKey())
    t.ok(await provideSecrets(config), 'the key is back')
  }
})

void t.test('files elsewhere count, an empty folder does not', async (t) => {
  const elsewhere = await mkdtemp(join(tmpdir(), 'files-'))
  t.teardown(() => rm(elsewhere, { recursive: true, force: true }))
  const { config } = await setUp(t, { FILE_STORAGE_PATH: elsewhere })
  await writeFile(join(elsewhere, 'sealed'), 'x')
  await t.rejects(provideSecrets(config), { name: 'ConfigError', problems: [/is not empty/] })
  await rm(join(elsewhere, 'sealed'))
  await mkdir(join(elsewhere, 'lost+found'))
  t.ok(await provideSecrets(config))
})

void t.test('a damaged key file is refused, not replaced', async (t) => {
  for (const [name, content] of [
    ['master.key', 'hunter2'],
    ['master.key', ''],
    ['jwt.secret', 'hunter2'],
  ] as const) {
    const { config, keys } = await setUp(t)
    await mkdir(keys, { recursive: true })
    await writeFile(join(keys, name), content)
    const error: unknown = await provideSecrets(config).catch((reason: unknown) => reason)
    t.match(error, { name: 'ConfigError', problems: [new RegExp(`${name}: expected a `)] })
    t.notMatch(String(error), /hunter2/)
    t.equal(await readFile(join(keys, name), 'utf8'), content)
  }
  const { config, keys } = await setUp(t)
  await mkdir(join(keys, 'master.key'), { recursive: true })
  await t.rejects(provideSecrets(config), {
    name: 'ConfigError',
    problems: [/cannot be read \(EISDIR\)/],
  })
})

void t.test('a key file open to others is said', async (t) => {
  const { config, keys } = await setUp(t)
  await provideSecrets(config)
  await chmod(join(keys, 'master.key'), 0o644)
  t.match((await provideSecrets(config)).notices[1], /can be read by others: expected mode 0600/)
})

void t.test('none in production', async (t) => {
  const { config } = await setUp(t)
  await t.rejects(provideSecrets({ ...config, production: true }), { name: 'ConfigError' })
})

void t.test('a private file is written whole, and only over another when asked', async (t) => {
  const { folder } = await setUp(t)
  const path = join(folder, 'file')
  t.equal(await writePrivateFile(path, 'one'), true)
  t.equal(await writePrivateFile(path, 'two'), false)
  t.equal(await readFile(path, 'utf8'), 'one')
  await chmod(path, 0o644)
  t.equal(await writePrivateFile(path, 'three', { replace: true }), true)
  t.equal(await readFile(path, 'utf8'), 'three')
  t.equal(await modeOf(path), 0o600)
  t.same(await readdir(folder), ['file'], 'no temporary file stays')
  await t.rejects(writePrivateFile(join(folder, 'none', 'file'), 'x'), { code: 'ENOENT' })
})
