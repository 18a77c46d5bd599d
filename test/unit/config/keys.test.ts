import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { inspect } from 'node:util'
import t from 'tap'
import { provideSecrets } from '../../../src/config/development-secrets.js'
import { newMasterKey, newSecret } from '../../../src/config/secrets.js'
import { ConfigError, type Environment, readConfig } from '../../../src/config.js'

const id = '1234abcd-12ab-34cd-56ef-1234567890ab'
const arn = `arn:aws:kms:eu-central-1:123456789012:key/${id}`
const kms: Environment = {
  JWT_SECRET_KEY: newSecret(),
  KEY_PROVIDER: 'aws-kms',
  KMS_KEY_IDS: arn,
  AWS_REGION: 'eu-central-1',
}
const vault: Environment = {
  JWT_SECRET_KEY: newSecret(),
  KEY_PROVIDER: 'vault',
  VAULT_ADDR: 'https://vault.portal.example:8200',
  VAULT_TOKEN: 'hvs.canary-token',
  VAULT_TRANSIT_KEYS: 'strongroom:2, strongroom:1',
}
const production = {
  NODE_ENV: 'production',
  DATABASE_URL: 'postgres://strongroom:pw@db/strongroom?sslmode=verify-full',
}

function problems(env: Environment): readonly string[] {
  try {
    readConfig(env, '/srv')
    return []
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
}

void t.test('keys held elsewhere, by subject', (t) => {
  const { keys } = readConfig(vault)
  t.match(keys, { provider: 'vault', timeoutMs: 5_000, cacheMs: 300_000, outageMs: 3_600_000 })
  t.match(keys.vault, {
    mount: 'transit',
    namespace: undefined,
    keys: [
      { name: 'strongroom', version: 2 },
      { name: 'strongroom', version: 1 },
    ],
  })
  const { kms: ofKms } = readConfig({ ...kms, KMS_KEY_IDS: `${arn},mrk-${'0'.repeat(32)}` }).keys
  t.same(ofKms.keyIds, [arn, `mrk-${'0'.repeat(32)}`])
  t.notMatch(inspect(keys, { depth: 9, showHidden: false }), 'canary')
  t.equal(readConfig({}).keys.provider, 'local')
  t.end()
})

void t.test('in production they take the place of MASTER_KEYS, and are asked over TLS', (t) => {
  t.same(problems({ ...kms, ...production }), [])
  t.same(problems({ ...vault, ...production }), [])
  t.same(problems({ ...vault, ...production, VAULT_ADDR: 'http://127.0.0.1:8200' }), [])
  t.same(problems({ ...vault, ...production, VAULT_ADDR: 'http://[::1]:8200' }), [])
  t.same(problems({ ...vault, HOST: '0.0.0.0' }), [])
  for (const [name, env] of [
    ['VAULT_ADDR', { ...vault, VAULT_ADDR: 'http://vault.portal.example:8200' }],
    ['KMS_ENDPOINT', { ...kms, KMS_ENDPOINT: 'http://kms.portal.example' }],
    ['MASTER_KEYS', { ...kms, KEY_PROVIDER: 'local' }],
  ] as const) {
    const found = problems({ ...env, ...production })
    t.equal(found.length, 1, found.join('\n'))
    t.match(found[0], new RegExp(`^${name}: `))
    t.notMatch(found[0], 'portal.example')
  }
  t.end()
})

void t.test('what is missing, or belongs together', (t) => {
  const without = (env: Environment, ...names: string[]) =>
    Object.fromEntries(Object.entries(env).filter(([name]) => !names.includes(name)))
  const cases: [Environment, RegExp][] = [
    [without(kms, 'KMS_KEY_IDS'), /^KMS_KEY_IDS: /],
    [without(vault, 'VAULT_TRANSIT_KEYS'), /^VAULT_TRANSIT_KEYS: /],
    [without(vault, 'VAULT_ADDR'), /^VAULT_ADDR: /],
    [without(vault, 'VAULT_TOKEN'), /^VAULT_TOKEN: /],
    [{ ...kms, AWS_REGION: 'us-east-1' }, /^KMS_KEY_IDS: expected keys of AWS_REGION/],
    [{ ...kms, AWS_ACCESS_KEY_ID: 'AKIA' }, /^AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY: /],
  ]
  for (const [env, expected] of cases) {
    const found = problems(env)
    t.equal(found.length, 1, found.join('\n'))
    t.match(found[0], expected)
  }
  const elsewhere = { AWS_REGION: 'us-east-1', KMS_ENDPOINT: 'https://vpce.example' }
  t.same(problems({ ...kms, ...elsewhere }), [])
  t.same(problems({ ...kms, KMS_KEY_IDS: id }), [], 'a bare id names no region')
  const { notices } = readConfig({ ...kms, KEY_OUTAGE_SECONDS: '10' })
  t.match(notices.join('\n'), /KEY_OUTAGE_SECONDS is shorter/)
  t.end()
})

void t.test('names of keys', (t) => {
  for (const ids of [
    'alias/strongroom',
    'strongroom',
    `${id},${arn}`,
    `${id}0`,
    'arn:aws:s3:::b',
  ]) {
    t.match(problems({ ...kms, KMS_KEY_IDS: ids })[0], /^KMS_KEY_IDS: expected/, ids)
  }
  for (const keys of ['strongroom', 'strongroom:0', 'strongroom:01', 'a/b:1', '../x:1', '.a:1']) {
    t.match(problems({ ...vault, VAULT_TRANSIT_KEYS: keys })[0], /^VAULT_TRANSIT_KEYS: exp/, keys)
  }
  for (const mount of ['/transit', 'a//b', 'transit/', 'a?b']) {
    t.match(problems({ ...vault, VAULT_TRANSIT_MOUNT: mount })[0], /^VAULT_TRANSIT_MOUNT/, mount)
  }
  t.end()
})

void t.test('the file of a token is known, so that it can be read again', (t) => {
  const file = join(t.testdir(), 'token')
  writeFileSync(file, 'hvs.from-file\n')
  const { keys } = readConfig({ ...vault, VAULT_TOKEN: '', VAULT_TOKEN_FILE: file })
  t.match(keys.vault, { token: 'hvs.from-file', tokenFile: file })
  t.equal(readConfig(vault).keys.vault.tokenFile, undefined)
  t.end()
})

void t.test('no development master key is made where others hold it', async (t) => {
  const folder = t.testdir()
  const env = { DATA_DIR: join(folder, 'data') }
  const secrets = await provideSecrets(readConfig({ ...kms, ...env }))
  t.same(secrets.masterKeys, [])
  t.same(secrets.notices, [])
  const masterKey = newMasterKey()
  const both = await provideSecrets(readConfig({ ...kms, ...env, MASTER_KEYS: masterKey }))
  t.same(both.masterKeys, [masterKey], 'it opens what it wrapped')
})
