import { randomBytes } from 'node:crypto'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PGlite } from '@electric-sql/pglite'
import t, { type Test } from 'tap'
import { startKms } from '../helpers/kms-server.js'
import { hasBytes } from './support/checks.js'
import { pdf } from './support/content.js'
import { filePath, personOf } from './support/people.js'
import { type Settings, startServer } from './support/server.js'

/*
 * Backups of the keys where a master key is held elsewhere, and never comes out: in the middle of a move
 * from MASTER_KEYS to KMS, and after it. KMS is a server of ours: the real one does not run here.
 */

const key = () => `${randomBytes(32).toString('base64url')}=`
const masterKey = key()
const kms = await startKms()
t.teardown(() => kms.stop())
const inKms = {
  KMS_KEY_IDS: kms.arnOf(kms.createKey()),
  KMS_ENDPOINT: kms.origin,
  AWS_REGION: kms.region,
  AWS_ACCESS_KEY_ID: kms.accessKeyId,
  AWS_SECRET_ACCESS_KEY: kms.secretAccessKey,
  KEY_TIMEOUT_SECONDS: '1',
}
const moving = { MASTER_KEYS: masterKey, ...inKms, KEY_PROVIDER: 'aws-kms' }
const moved = { ...moving, MASTER_KEYS: '' }
const server = await startServer({ MASTER_KEYS: masterKey })
t.teardown(() => server.close())
const [anna, bert] = [personOf(server, 'anna'), personOf(server, 'bert')]
const data = pdf('hers', 300_000)
const ofAnna = filePath(await anna.file(data))

const folder = await mkdtemp(join(tmpdir(), 'strongroom-elsewhere-'))
t.teardown(() => rm(folder, { recursive: true, force: true }))
const at = (name: string) => join(folder, name)
await writeFile(at('pass'), 'a passphrase for all of these tests\n', { mode: 0o600 })
const withPass = ['--passphrase-file', at('pass')]

const said: string[] = []
async function command(args: readonly string[], settings: Settings = {}) {
  const result = await server.beginCommand([...args, ...withPass], settings).result
  said.push(result.out, result.err)
  return result
}
const drill = (name: string, settings: Settings = {}) =>
  command(['drill', '--backup', at(name), '--json'], settings)
const backup = (name: string) => command(['keys', 'backup', '--out', at(name), '--json'])
const restore = (name: string, ...args: string[]) =>
  command(['keys', 'restore', at(name), '--json', ...args])

interface Said {
  readonly master_key_ids: string[]
  readonly held_elsewhere: string[]
  readonly put_back: readonly { readonly use: string }[]
}
const json = (text: string) => JSON.parse(text) as Said

async function restart(settings: Settings): Promise<void> {
  await server.stop()
  await server.start(settings)
}

/** While no service runs on it. */
async function change(statement: string): Promise<void> {
  if (server.database !== undefined) {
    await server.database.query(statement)
    return
  }
  const database = await PGlite.create(join(server.dataDir, 'database/cluster'))
  await database.exec(statement)
  await database.close()
}

/** Where it is away, neither is a thing of halves. */
async function isAway(t: Test): Promise<void> {
  await kms.stop()
  const away = await drill('mixed')
  t.match(away, { code: 1, out: '', err: /aws-kms holds master key .*ECONNREFUSED/ }, away.err)
  const none = await backup('never')
  t.match(none, { code: 1, out: '', err: /aws-kms holds master key .*ECONNREFUSED/ }, none.err)
  await t.rejects(stat(at('never')), { code: 'ENOENT' })
  await kms.start()
}

let ids: string[] = []

await t.test('in the middle of a move: one key is in the backup, one is not', async (t) => {
  t.equal((await backup('before')).code, 0)
  await restart(moving)
  await bert.file(pdf('his', 300_000))
  const made = await command(['keys', 'backup', '--out', at('mixed')])
  t.equal(made.code, 0, made.err)
  const restored = await restore('mixed', '--out', at('keys'))
  t.equal(restored.code, 0, restored.err)
  t.match(json(restored.out), { database: 'fits', keys_that_do_not_fit: [], lost: [] })
  ids = json(restored.out).master_key_ids
  t.equal(ids.length, 2)
  t.same(json(restored.out).held_elsewhere, ids.slice(0, 1))
  t.match(made.out, new RegExp(`of 1 master keys[^]*NOT in it[^]*${ids[0] ?? ''}[^]*KMS_KEY_IDS`))
  t.equal(await readFile(at('keys'), 'utf8'), `${masterKey}\n`)
  const drilled = await drill('mixed', { MASTER_KEYS: key() })
  t.equal(drilled.code, 0, drilled.err)
  t.match(json(drilled.out), { files: 2, damaged_files: 0, held_elsewhere: ids.slice(0, 1) })
  const without = await drill('mixed', { KEY_PROVIDER: 'local', KMS_KEY_IDS: '' })
  t.match(without, { code: 1, out: '', err: /Held elsewhere, and not in the settings/ })
  await isAway(t)
})

await t.test('a backup from before the key in KMS was there', async (t) => {
  const shut = await drill('before')
  t.equal(shut.code, 1)
  t.match(json(shut.out), { held_elsewhere: [], keys_that_do_not_fit: [{ master_key_id: ids[0] }] })
  const restored = await restore('before', '--check-values')
  t.equal(restored.code, 1)
  t.match(json(restored.out), { database: 'does_not_fit', put_back: [] })
})

const lost = 'delete from deployment_keys'

await t.test('what both wrapped is put back where the database lost it', async (t) => {
  await server.stop()
  await change(lost)
  await t.rejects(server.start(moving), /check values .* missing/)
  const restored = await restore('mixed', '--check-values')
  t.equal(restored.code, 0, restored.err)
  const uses = json(restored.out).put_back.map(({ use }) => use)
  t.same(uses.sort(), ['check', 'check', 'index-key', 'signing-key'])
  await server.start(moving)
  hasBytes(t, await anna.get(ofAnna), data)
})

await t.test('after the move: no key in the backup, and yet all that proves them', async (t) => {
  for (const args of [['rotate-master'], ['retire', ids[1] ?? '']]) {
    const step = await server.command('keys', ...args)
    t.equal(step.code, 0, step.err)
  }
  await restart(moved)
  const made = await backup('moved')
  t.equal(made.code, 0, made.err)
  t.same(json(made.out), { ...json(made.out), master_key_ids: [ids[0]], held_elsewhere: [ids[0]] })
  const out = await restore('moved', '--out', at('none'))
  t.match(out, { code: 1, out: '', err: /no key in this backup: .* held by AWS KMS or Vault/ })
  await t.rejects(stat(at('none')), { code: 'ENOENT' })
  const drilled = await drill('moved', { MASTER_KEYS: masterKey })
  t.equal(drilled.code, 0, drilled.err)
  t.match(json(drilled.out), { files: 2, damaged_files: 0, keys_that_do_not_fit: [] })
  await server.stop()
  await change(lost)
  const restored = await restore('moved', '--check-values')
  t.equal(restored.code, 0, restored.err)
  const uses = json(restored.out).put_back.map(({ use }) => use)
  t.same(uses.sort(), ['check', 'index-key', 'signing-key'])
  await server.start(moved)
  hasBytes(t, await anna.get(ofAnna), data)
})

await t.test('no secret in what was said or logged', (t) => {
  const all = [...said, server.logs()].join('\n')
  for (const secret of [masterKey, kms.secretAccessKey]) t.notOk(all.includes(secret))
  t.end()
})
