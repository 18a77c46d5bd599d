import { randomBytes } from 'node:crypto'
import t, { type Test } from 'tap'
import { unsignedWriter } from '../../src/audit/audit-writer.js'
import { openKeyProvider } from '../../src/compose-keys.js'
import { newMasterKey, newSecret } from '../../src/config/secrets.js'
import { type Environment, readConfig } from '../../src/config.js'
import type { Database } from '../../src/db/database.js'
import { transactions } from '../../src/db/stores.js'
import { openDeploymentKeys, WrongKeysError } from '../../src/keys/deployment-keys.js'
import { userKeys } from '../../src/keys/user-keys.js'
import { keyStatus } from '../../src/rotation/key-status.js'
import { retireMaster } from '../../src/rotation/retire-master.js'
import { rotateMaster } from '../../src/rotation/rotate-master.js'
import { createMigratedDatabase, engines } from '../helpers/databases.js'
import { type KmsServer, startKms } from '../helpers/kms-server.js'
import { startVault, type VaultServer } from '../helpers/vault-server.js'

/*
 * A deployment moves from MASTER_KEYS to KMS, to Vault, from version to version there, and back, by the
 * steps every master key is turned with. KMS and Vault are servers of ours: the real ones do not run here.
 */

const [masterKey, another] = [newMasterKey(), newMasterKey()]
const people = ['anna', 'bert', 'clara', 'ümit']

interface Places {
  readonly kms: KmsServer
  readonly vault: VaultServer
  readonly kmsKey: string
}

function settingsFor({ kms, vault, kmsKey }: Places, env: Environment) {
  return readConfig({
    JWT_SECRET_KEY: newSecret(),
    AWS_REGION: kms.region,
    AWS_ACCESS_KEY_ID: kms.accessKeyId,
    AWS_SECRET_ACCESS_KEY: kms.secretAccessKey,
    KMS_ENDPOINT: kms.origin,
    VAULT_ADDR: vault.origin,
    VAULT_TOKEN: vault.token,
    KEY_TIMEOUT_SECONDS: '1',
    ...(env['KMS_KEY_IDS'] === 'the key' ? { ...env, KMS_KEY_IDS: kmsKey } : env),
  }).keys
}

function deployment(t: Test, database: Database, places: Places) {
  const db = transactions(database, unsignedWriter)
  const log = { info: () => undefined, warn: () => undefined }
  /** As a start of the service with these settings. */
  const start = async (env: Environment) => {
    const settings = settingsFor(places, env)
    const provider = await openKeyProvider(settings, { masterKeys: settings.masterKeys ?? [] }, log)
    t.teardown(() => provider.close())
    const index = await openDeploymentKeys({ provider, store: db.stores.keys })
    const keys = new Map([['', index.exportText()]])
    const ring = userKeys({ provider, store: db.stores.keys })
    for (const person of people) {
      const { key } = await ring.forWrapping(person)
      keys.set(person, key.exportText())
    }
    return { provider, keys, use: { db, provider } }
  }
  return { db, start }
}

async function run(t: Test, database: Database, places: Places): Promise<void> {
  const { db, start } = deployment(t, database, places)
  const local = { MASTER_KEYS: masterKey }
  // What was retired stays so: the way back takes a fresh key.
  const fresh = { MASTER_KEYS: another }
  const kms = { KMS_KEY_IDS: 'the key' }
  const steps: readonly [string, Environment, Environment][] = [
    ['to KMS', { ...local, ...kms }, { KEY_PROVIDER: 'aws-kms', ...kms }],
    [
      'to Vault',
      { VAULT_TRANSIT_KEYS: 'ward:1', ...kms },
      { KEY_PROVIDER: 'vault', VAULT_TRANSIT_KEYS: 'ward:1' },
    ],
    [
      'another version',
      { VAULT_TRANSIT_KEYS: 'ward:2,ward:1' },
      { KEY_PROVIDER: 'vault', VAULT_TRANSIT_KEYS: 'ward:2' },
    ],
    ['back', { VAULT_TRANSIT_KEYS: 'ward:2', ...fresh }, { ...fresh }],
  ]
  const first = await start(local)
  let old = first.provider.masterKeyIds[0]
  for (const [name, both, alone] of steps) {
    await t.test(name, async (t) => {
      await t.rejects(start(alone), WrongKeysError, 'too early')
      const next = await start({ ...both, KEY_PROVIDER: alone['KEY_PROVIDER'] ?? 'local' })
      t.same(next.keys, first.keys, 'everything is what it was')
      await t.rejects(retireMaster(next.use)(old), { code: 'conflict' })
      const report = await rotateMaster(next.use)()
      t.match(report, { rewrapped: people.length, deployment_keys: 1, verified: people.length })
      const { master_keys } = await keyStatus(next.use)
      t.same(master_keys.find(({ id }) => id === old)?.safe.includes('retire'), true)
      await retireMaster(next.use)(old)
      old = next.provider.masterKeyIds[0]
      const after = await start(alone)
      t.same(after.keys, first.keys)
      t.same(after.provider.masterKeyIds, [old])
    })
  }
  await t.test('a row moved to another person opens nothing', async (t) => {
    const { use } = await start({ KEY_PROVIDER: 'vault', VAULT_TRANSIT_KEYS: 'ward:3', ...fresh })
    await rotateMaster(use)()
    await database.script(
      "update user_keys set wrapped = (select wrapped from user_keys where user_id = 'anna') where user_id = 'bert'",
    )
    const ring = userKeys({ provider: use.provider, store: db.stores.keys })
    await ring.forOpening('anna', 1)
    await t.rejects(ring.forOpening('bert', 1), { code: 'damaged', reason: 'unauthentic' })
  })
  await t.test('who holds the keys is away at a start: not the wrong keys', async (t) => {
    await places.vault.stop()
    const starting = start({ KEY_PROVIDER: 'vault', VAULT_TRANSIT_KEYS: 'ward:3', ...fresh })
    await t.rejects(starting, { code: 'keys_unavailable', fault: 'unreachable' })
    await places.vault.start()
  })
}

for (const engine of engines) {
  await t.test(engine, async (t) => {
    const test = await createMigratedDatabase(engine)
    t.teardown(() => test.drop())
    const database = await test.open()
    t.teardown(() => database.close())
    const [kms, vault] = await Promise.all([startKms(), startVault()])
    t.teardown(() => Promise.all([kms.stop(), vault.stop()]))
    vault.keys.set('ward', { versions: [1, 2, 3].map(() => randomBytes(32)) })
    await run(t, database, { kms, vault, kmsKey: kms.createKey() })
  })
}
