import { createHash, randomUUID } from 'node:crypto'
import { cp, mkdtemp, open, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import t, { type Test } from 'tap'
import { makeBackup } from '../../src/backup/make-backup.js'
import { openSample } from '../../src/backup/open-sample.js'
import { publicHalfOf } from '../../src/backup/public-half.js'
import { lostRows } from '../../src/backup/put-back.js'
import { keptRows, sampleFiles } from '../../src/backup/sample-files.js'
import { localDiskReader } from '../../src/blobs/local-disk-blob-store.js'
import { run } from '../../src/cli/program.js'
import { FernetKey } from '../../src/crypto/fernet-key.js'
import { copyEmbeddedDatabase } from '../../src/db/copy-embedded-database.js'
import type { Database } from '../../src/db/database.js'
import { openDeploymentKeys } from '../../src/keys/deployment-keys.js'
import { localKeyProvider } from '../../src/keys/local-key-provider.js'
import { openSigningKey } from '../../src/keys/signing-key.js'
import { backupOperations } from '../../src/operations/backup-operations.js'
import {
  createMigratedDatabase,
  emptied,
  engines,
  type TestDatabase,
} from '../helpers/databases.js'
import { type Held, holds, makeService, textOf } from '../helpers/service.js'

const newKey = () => FernetKey.generate().exportText()
const passphrase = 'a passphrase of the test'

async function scratch(t: Test): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'strongroom-safety-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  return folder
}

/** A service under two master keys with so many files, each of its own person. */
async function house(t: Test, database: Database, files: number) {
  const folder = await scratch(t)
  await database.script(
    emptied(
      'principals, files, file_versions, grants, wrapped_file_keys, user_keys, deployment_keys, signing_keys, audit_events',
    ),
  )
  const masterKeys = [newKey(), newKey()]
  const service = await makeService(database, folder, masterKeys)
  const held: Held[] = []
  for (let n = 0; n < files; n += 1) {
    held.push(await holds(service, `person-${n}`, textOf(`${n}`).padEnd(70_000 * n + 1, 'x')))
  }
  const { provider, db } = service
  const backUp = async () =>
    await makeBackup({ provider, masterKeys }, await keptRows(db.stores), { passphrase })
  const operations = backupOperations({ db })
  const events = async () => {
    const text = 'select action, outcome, subject_id as "subjectId" from audit_events order by at'
    const rows = await database.rows<{ action: string }>({ name: 'safety-events', text })
    return rows.filter(({ action }) => action.startsWith('keys.'))
  }
  return { ...service, masterKeys, held, backUp, operations, events, folder }
}

const context = { signal: new AbortController().signal, progress: () => undefined }

const tests: Record<string, (t: Test, database: Database) => Promise<void>> = {
  'lost rows are put back, and the service starts with the keys': async (t, database) => {
    const { db, provider, operations, events } = await house(t, database, 1)
    const rows = await keptRows(db.stores)
    t.same(rows.map(({ use }) => use).sort(), ['check', 'check', 'index-key'])
    await database.script('delete from deployment_keys')
    const start = () => openDeploymentKeys({ provider, store: db.stores.keys, addsChecks: false })
    await t.rejects(start(), { message: /check values .* missing/ })
    const backup_id = randomUUID()
    const compared = await operations['keys-restore-rows'].run({ backup_id, rows })
    t.same(compared.rows, [])
    const [first] = provider.masterKeyIds
    const needed = rows.filter(({ master_key_id: id }) => id === first)
    t.same(compared.lost, needed, 'not the check value of a key that wraps nothing')
    t.match(compared.user_keys, [{ user: 'person-0', version: 1 }])
    t.same(await operations['keys-put-back'].run({ backup_id, rows }), needed)
    t.same(await keptRows(db.stores), needed)
    await t.resolves(start())
    t.same(await operations['keys-put-back'].run({ backup_id, rows }), [], 'and again: nothing')
    const expected = ['keys.restore', 'keys.put_back', 'keys.put_back']
    t.match(
      await events(),
      expected.map((action) => ({ action, subjectId: backup_id })),
    )
  },
  'what is there is never replaced': async (t, database) => {
    const { db, operations } = await house(t, database, 1)
    const there = await keptRows(db.stores)
    const rows = there.map((row) => ({ ...row, wrapped: 'another' }))
    const index = { use: 'index-key', master_key_id: 'f'.repeat(16), wrapped: 'another' }
    const input = { backup_id: randomUUID(), rows: [...rows, index] }
    t.same(await operations['keys-put-back'].run(input), [])
    t.same(await keptRows(db.stores), there)
  },
  'the key that signs is put back with its public half': async (t, database) => {
    const { db, provider, operations } = await house(t, database, 1)
    const { keys } = db.stores
    const open = () => openSigningKey({ provider, store: keys })
    const { keyId } = await open()
    const rows = await keptRows(db.stores)
    const signing = rows.filter(({ use }) => use === 'signing-key')
    const half = signing[0] === undefined ? undefined : await publicHalfOf(provider, signing[0])
    if (half === undefined) throw new Error('no key that signs')
    t.equal(half.key_id, keyId)
    const backup_id = randomUUID()
    const back = (signing_key?: typeof half) =>
      operations['keys-put-back'].run({ backup_id, rows, ...(signing_key ? { signing_key } : {}) })
    const lose = {
      'the key': "delete from deployment_keys where key_use = 'signing-key'",
      'its public half': 'delete from signing_keys',
      both: "delete from signing_keys; delete from deployment_keys where key_use = 'signing-key'",
    }
    for (const [name, statement] of Object.entries(lose)) {
      await database.script(statement)
      if (name !== 'both') await t.rejects(open(), { name: 'WrongKeysError' }, name)
      const compared = await operations['keys-restore-rows'].run({ backup_id, rows })
      t.same(compared.lost, signing, name)
      t.equal(compared.signing_key_id, name === 'the key' ? keyId : null)
      t.same(await back(half), signing)
      t.equal((await open()).keyId, keyId)
      t.same(await back(half), [], 'and again: nothing')
    }
    await database.script(lose.both)
    t.same(await back(), [], 'not without its public half: the service would not start')
    t.same(await back({ ...half, wrapped: 'another' }), [], 'nor with that of another')
    const another = await open()
    t.not(another.keyId, keyId)
    await database.script(lose['the key'])
    t.same(await back(half), [], 'nor where the database knows another')
    await t.rejects(open(), { name: 'WrongKeysError', message: /keys restore/ })
  },
  'a check value is wanted where it is not known who wraps what': async (t, database) => {
    const { db } = await house(t, database, 1)
    const rows = await keptRows(db.stores)
    await database.script(
      `delete from deployment_keys where key_use = 'check'; update user_keys set master_key_id = null`,
    )
    const checks = rows.filter(({ use }) => use === 'check')
    t.same(await lostRows(db.stores, rows), checks)
  },
  'files are picked at random, each once, and again by the same seed': async (t, database) => {
    const { db } = await house(t, database, 12)
    const pick = async (files: number, seed: string) =>
      (await sampleFiles(db, { files, seed })).files.map(({ sealed_id }) => sealed_id)
    for (const files of [1, 5, 11, 12, 50]) {
      const picked = await pick(files, 'one')
      t.equal(new Set(picked).size, Math.min(files, 12))
      t.same(await pick(files, 'one'), picked)
    }
    const seen = new Set<string>()
    for (let seed = 0; seed < 60; seed += 1) {
      for (const id of await pick(1, `${seed}`)) seen.add(id)
    }
    t.ok(seen.size > 4, `${seen.size} of 12 in 60 picks`)
  },
  'a drill opens with the restored keys, and names what does not': async (t, database) => {
    const { db, folder, held, masterKeys } = await house(t, database, 4)
    const blobs = localDiskReader({ folder })
    const provider = localKeyProvider(masterKeys)
    const sample = await sampleFiles(db, { files: 10, seed: 'x' })
    // As it comes over the control socket.
    const sent = JSON.parse(JSON.stringify(sample)) as typeof sample
    const before = await contentOf(folder)
    const sound = await openSample({ provider, blobs }, sent)
    const bytes = [100, 70_001, 140_001, 210_001].reduce((sum, size) => sum + size, 0)
    t.same(sound, {
      ...{ files: 4, bytes, damaged_files: 0, damaged: [], keys_that_do_not_fit: [] },
    })
    t.same(await contentOf(folder), before, 'nothing was written')

    const other = localKeyProvider([newKey()])
    const shut = await openSample({ provider: other, blobs }, sent)
    t.match(shut, { files: 4, bytes: 0, damaged_files: 4 })
    t.equal(shut.keys_that_do_not_fit.length, 3)

    const [, second, third, fourth] = held
    if (!second || !third || !fourth) throw new Error('no files')
    await flip(pathOf(folder, second), 66_000)
    await rm(pathOf(folder, third))
    const gone = sent.files.find(({ sealed_id }) => sealed_id === fourth.sealedId)
    const files = sent.files.map((each) => (each === gone ? { ...each, rows: null } : each))
    const damaged = await openSample({ provider, blobs }, { ...sent, files })
    t.equal(damaged.damaged_files, 3)
    const found = damaged.damaged.map((each) => [each.sealed_id, each.segment, each.reason])
    t.same(
      found.sort(),
      [
        [second.sealedId, 1, 'unauthentic'],
        [third.sealedId, null, 'missing'],
        [fourth.sealedId, null, 'no_key'],
      ].sort(),
    )
  },
  'what was set aside is opened where it lies': async (t, database) => {
    const { db, blobs, folder, held, provider } = await house(t, database, 1)
    await blobs.setAside(held[0]?.sealedId ?? '')
    const sample = await sampleFiles(db, { files: 1, seed: 'x' })
    const before = await contentOf(folder)
    const report = await openSample({ provider, blobs: localDiskReader({ folder }) }, sample)
    t.match(report, { files: 1, damaged_files: 0 })
    t.same(await contentOf(folder), before)
  },
  'backups and drills are on record': async (t, database) => {
    const { operations, events } = await house(t, database, 1)
    const backup_id = randomUUID()
    t.equal((await operations['keys-backup-rows'].run({ backup_id })).length, 3)
    await operations['keys-drill-done'].run({ backup_id, files: 1, outcome: 'success' })
    await operations['keys-drill-done'].run({ backup_id, files: 1, outcome: 'failed' })
    t.match(await events(), [
      { action: 'keys.backup', outcome: 'success', subjectId: backup_id },
      { action: 'keys.drill', outcome: 'success', subjectId: backup_id },
      { action: 'keys.drill', outcome: 'failed', subjectId: backup_id },
    ])
    t.equal(
      (await operations['keys-drill-sample'].run({ files: 1, seed: '1' }, context)).files.length,
      1,
    )
  },
}

const pathOf = (folder: string, { sealedId }: Held) =>
  join(folder, sealedId.slice(0, 2), sealedId.slice(2, 4), sealedId)

async function flip(path: string, at: number): Promise<void> {
  const handle = await open(path, 'r+')
  const byte = Buffer.alloc(1)
  await handle.read(byte, 0, 1, at)
  await handle.write(Buffer.from([(byte[0] ?? 0) ^ 1]), 0, 1, at)
  await handle.close()
}

/** Every name below, with the digest of what is in it. */
async function contentOf(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const lines = entries.map(async (entry) => {
    const path = join(entry.parentPath, entry.name)
    if (!entry.isFile()) return path
    return `${path} ${createHash('sha256')
      .update(await readFile(path))
      .digest('hex')}`
  })
  return (await Promise.all(lines)).sort()
}

/** The commands, in this process, on a database that nobody serves. */
async function commands(t: Test, test: TestDatabase): Promise<void> {
  const database = await test.open()
  const { folder, backUp, masterKeys, held } = await house(t, database, 3)
  const made = await backUp()
  await database.close()
  const cwd = await scratch(t)
  await writeFile(join(cwd, 'backup.json'), made.text)
  await writeFile(join(cwd, 'pass'), `${passphrase}\n`, { mode: 0o600 })
  const place: Record<string, string> =
    test.engine === 'embedded' ? { DATA_DIR: dirname(test.place) } : { DATABASE_URL: test.place }
  const call = async (args: readonly string[], env = place) => {
    const [out, err]: [string[], string[]] = [[], []]
    const code = await run(args, {
      ...{ cwd, loadEnvironment: () => ({ ...env, FILE_STORAGE_PATH: folder }) },
      ...{ out: (line) => out.push(line), err: (line) => err.push(line) },
    })
    return { code, out: out.join('\n'), err: err.join('\n') }
  }
  const withPass = ['--passphrase-file', 'pass']
  const restore = (...args: string[]) =>
    call(['keys', 'restore', 'backup.json', ...args, ...withPass])

  await t.test('restore where the database lost its rows', async (t) => {
    const lost = await test.open()
    await lost.script('delete from deployment_keys')
    await lost.close()
    const first = await restore('--out', 'keys')
    t.match(first, { code: 0, err: '', out: /They open what the database has/ })
    t.match(first.out, /lost check, index-key: --check-values/)
    t.equal(await readFile(join(cwd, 'keys'), 'utf8'), `${masterKeys.join('\n')}\n`)
    t.equal((await stat(join(cwd, 'keys'))).mode & 0o777, 0o600)
    const again = await restore('--out', 'keys')
    t.match(again, { code: 1, out: '', err: /is there already: nothing was written/ })
    const mended = await restore('--check-values')
    t.match(mended, { code: 0, out: /Put back: check .*\nPut back: index-key/ })
    t.match(await restore('--check-values'), { code: 0, out: /lost nothing that the backup has/ })
  })
  await t.test('a drill on the database itself', async (t) => {
    const drill = await call(['drill', '--backup', 'backup.json', '--seed', 'x', ...withPass])
    t.match(drill, { code: 0, out: /3 of 3 file versions opened.*\(seed x\)\nThe backup is good/ })
    await flip(pathOf(folder, held[2] as Held), 70_000)
    const failed = await call(['drill', '--backup', 'backup.json', '--json', ...withPass])
    t.equal(failed.code, 1)
    t.match(JSON.parse(failed.out), {
      ...{ files: 3, damaged_files: 1, on_record: true },
      damaged: [{ file_id: held[2]?.fileId, segment: 1, reason: 'unauthentic' }],
    })
  })
  await t.test('keys of another database', async (t) => {
    const keys = [newKey()]
    const others = localKeyProvider(keys)
    const [id] = others.masterKeyIds
    const wrapped = await others.wrap(FernetKey.generate(), { use: 'check' })
    const rows = [{ use: 'check', master_key_id: id, wrapped }]
    const use = { provider: others, masterKeys: keys }
    const foreign = await makeBackup(use, rows, { passphrase })
    await writeFile(join(cwd, 'foreign.json'), foreign.text)
    const before = await test.open()
    await before.script('delete from deployment_keys')
    await before.close()
    const args = ['keys', 'restore', 'foreign.json', '--check-values', '--out', 'other']
    const restored = await call([...args, ...withPass])
    t.match(restored, { code: 1, out: /NOT the keys of the database/ }, restored.err)
    const after = await test.open()
    t.same(await after.rows({ name: 'safety-left', text: 'select * from deployment_keys' }), [])
    await after.close()
    const drill = await call(['drill', '--backup', 'foreign.json', ...withPass])
    t.match(drill, { code: 1, out: /0 of 3 .*\n[^]*The drill FAILED/ })
  })
  await t.test('no database to reach', async (t) => {
    const nowhere = {
      DATA_DIR: join(cwd, 'nowhere'),
      MASTER_KEYS_FILE: '/nowhere',
      NODE_ENV: 'production',
    }
    const args = ['keys', 'restore', 'backup.json', '--out', 'elsewhere', ...withPass]
    t.match(await call(args, nowhere), {
      code: 0,
      out: /Not compared with a database: There is no/,
    })
    t.ok(await stat(join(cwd, 'elsewhere')))
    const mend = ['keys', 'restore', 'backup.json', '--check-values', ...withPass]
    t.match(await call(mend, nowhere), { code: 1 })
    const away = { DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none' }
    t.match(await call([...args.slice(0, 4), 'third', ...withPass], away), {
      ...{ code: 0, out: /Not compared with a database: .*database_unavailable/ },
    })
    await t.rejects(stat(join(cwd, 'nowhere')), { code: 'ENOENT' }, 'nothing is made')
  })
}

for (const engine of engines) {
  await t.test(engine, async (t) => {
    const test = await createMigratedDatabase(engine)
    t.teardown(() => test.drop())
    const database = await test.open()
    for (const [name, run] of Object.entries(tests)) {
      await t.test(name, async (t) => {
        await run(t, database)
      })
    }
    await database.close()
    await t.test('commands', (t) => commands(t, test))
  })
}

await t.test('an embedded database is copied without being changed', async (t) => {
  const test = await createMigratedDatabase('embedded')
  t.teardown(() => test.drop())
  const database = await test.open()
  const to = await scratch(t)
  await t.rejects(copyEmbeddedDatabase(test.place, join(to, 'busy')), {
    ...{ code: 'database_unavailable', message: /in use by process/ },
  })
  await database.close()
  const before = await contentOf(test.place)
  await copyEmbeddedDatabase(test.place, join(to, 'copy'))
  t.same(await contentOf(test.place), before)
  await cp(test.place, join(to, 'bare'), { recursive: true })
  await rm(join(to, 'bare', 'lock'))
  await copyEmbeddedDatabase(join(to, 'bare'), join(to, 'second'))
  await t.rejects(stat(join(to, 'bare', 'lock')), { code: 'ENOENT' })
  await t.rejects(copyEmbeddedDatabase(join(to, 'none'), join(to, 'third')), {
    code: 'database_unavailable',
  })
})
