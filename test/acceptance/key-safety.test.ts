import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { cp, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { pdf } from './support/content.js'
import { personOf } from './support/people.js'
import { startServer } from './support/server.js'

// The keys are backed up, lost, and brought back; a drill shows that it works before it must.

const key = () => `${randomBytes(32).toString('base64url')}=`
const masterKey = key()
const passphrase = 'a passphrase for all of these tests'
const server = await startServer({ MASTER_KEYS: masterKey })
t.teardown(() => server.close())
const isEmbedded = server.database === undefined
const anna = personOf(server, 'anna')
for (const name of ['one', 'two', 'three']) await anna.file(pdf(name, 300_000))

const folder = await mkdtemp(join(tmpdir(), 'strongroom-keys-'))
t.teardown(() => rm(folder, { recursive: true, force: true }))
const at = (name: string) => join(folder, name)
await writeFile(at('pass'), `${passphrase}\n`, { mode: 0o600 })
await writeFile(at('wrong'), 'another passphrase altogether\n', { mode: 0o600 })
const withPass = ['--passphrase-file', at('pass')]

const cli = fileURLToPath(new URL('../../dist/cli/strongroom.js', import.meta.url))
const settings = {
  PATH: process.env['PATH'] ?? '',
  DATA_DIR: server.dataDir,
  MASTER_KEYS: masterKey,
  ...(server.database === undefined ? {} : { DATABASE_URL: server.database.url }),
}

const said: string[] = []
/** Runs a command, and keeps what it said for the search at the end. */
async function command(...args: string[]) {
  const result = await server.command(...args)
  said.push(result.out, result.err)
  return result
}

const json = (text: string) => JSON.parse(text) as Readonly<Record<string, unknown>>
const modeOf = async (path: string) => (await stat(path)).mode & 0o777

/** Stands between commands and the service's control socket, and keeps what goes over it. */
async function listenIn(t: Test): Promise<() => string> {
  if (!isEmbedded) return () => ''
  const [path, real] = [join(server.dataDir, 'control.sock'), join(server.dataDir, 'real.sock')]
  await rename(path, real)
  const heard: Buffer[] = []
  const tap = createServer((client) => {
    const service = connect(real)
    for (const [from, to] of [
      [client, service],
      [service, client],
    ] as const) {
      from.on('data', (piece: Buffer) => heard.push(piece))
      from.on('error', () => to.destroy())
      from.pipe(to)
    }
  }).listen(path)
  await once(tap, 'listening')
  t.teardown(async () => {
    tap.close()
    await rm(path, { force: true })
    await rename(real, path)
  })
  return () => Buffer.concat(heard).toString()
}

await t.test('beside the running service: a passphrase', async (t) => {
  const heard = await listenIn(t)
  const made = await command('keys', 'backup', '--out', at('pass.json'), ...withPass)
  t.match(made, { code: 0, err: '', out: /backup .* of 1 master keys. It was opened again/ })
  t.equal(await modeOf(at('pass.json')), 0o600)
  const before = await readFile(at('pass.json'), 'utf8')
  t.notOk(before.includes(masterKey))
  const again = await command('keys', 'backup', '--out', at('pass.json'), ...withPass)
  t.match(again, { code: 1, out: '', err: /is there already: nothing was written/ })
  t.equal(await readFile(at('pass.json'), 'utf8'), before)
  const forced = await command('keys', 'backup', '--out', at('pass.json'), '--force', ...withPass)
  t.equal(forced.code, 0, forced.err)
  t.not(await readFile(at('pass.json'), 'utf8'), before)

  const restored = await command(
    'keys',
    'restore',
    at('pass.json'),
    '--out',
    at('keys'),
    ...withPass,
  )
  t.match(restored, { code: 0, out: /They open what the database has/ }, restored.err)
  t.equal(await readFile(at('keys'), 'utf8'), `${masterKey}\n`)
  t.equal(await modeOf(at('keys')), 0o600)
  const taken = await command('keys', 'restore', at('pass.json'), '--out', at('keys'), ...withPass)
  t.match(taken, { code: 1, err: /is there already/ })

  const drill = await command('drill', '--backup', at('pass.json'), '--json', ...withPass)
  t.equal(drill.code, 0, drill.err)
  t.match(json(drill.out), { files: 3, bytes: 900_000, damaged_files: 0, on_record: true })
  for (const secret of [masterKey, passphrase]) t.notOk(heard().includes(secret))
  if (isEmbedded)
    t.match(heard(), /keys-backup-rows[^]*keys-drill-sample/, 'it went over the socket')
})

await t.test('shares', async (t) => {
  const shares = ['--shares', '2/3', '--shares-dir', at('shares')]
  const made = await command('keys', 'backup', '--out', at('shares.json'), '--json', ...shares)
  t.equal(made.code, 0, made.err)
  const files = (json(made.out)['shares'] as string[]).sort()
  t.equal(files.length, 3)
  for (const file of files) t.equal(await modeOf(file), 0o600)
  t.equal(await modeOf(at('shares')), 0o700)
  for (const [n, without] of files.entries()) {
    const two = files.filter((file) => file !== without)
    const args = ['--out', at(`keys-${n}`), '--share', ...two]
    t.match(await command('keys', 'restore', at('shares.json'), ...args), { code: 0 })
    t.equal(await readFile(at(`keys-${n}`), 'utf8'), `${masterKey}\n`)
  }
  const few = ['--out', at('few'), '--share', files[0] ?? '']
  const refused = await command('keys', 'restore', at('shares.json'), ...few)
  t.match(refused, { code: 1, err: /Too few shares: 1 given, 2 of 3 open/ })
  const secrets = await Promise.all(files.map((file) => readFile(file, 'utf8')))
  for (const secret of secrets) t.notOk(said.some((text) => text.includes(secret.slice(-60, -1))))
  const drill = await command('drill', '--backup', at('shares.json'), '--share', ...files)
  t.match(drill, { code: 0, out: /3 of 3 file versions[^]*The backup is good/ })
})

await t.test('what is wrong is said', async (t) => {
  const restore = (file: string, ...args: string[]) =>
    command('keys', 'restore', file, '--out', at('never'), ...args)
  const wrong = await restore(at('pass.json'), '--passphrase-file', at('wrong'))
  t.match(wrong, { code: 1, out: '', err: /The passphrase is wrong/ })
  const text = await readFile(at('pass.json'), 'utf8')
  await writeFile(at('damaged.json'), text.replace(/"sealed": "(.{50})./, '"sealed": "$1_'))
  const damaged = await restore(at('damaged.json'), ...withPass)
  t.match(damaged, { code: 1, err: /backup is damaged: its SHA-256 does not fit/ })
  t.match(await restore(at('none.json'), ...withPass), { code: 1, err: /ENOENT/ })
  t.match(await restore(at('pass.json')), { code: 2, err: /no terminal to ask/ })
  await t.rejects(stat(at('never')), { code: 'ENOENT' })
  await writeFile(at('weak'), 'short\n', { mode: 0o644 })
  const weak = await command(
    'keys',
    'backup',
    '--out',
    at('never'),
    '--passphrase-file',
    at('weak'),
  )
  t.match(weak, { code: 1, err: /can be read by others[^]*too weak/ })
  await t.rejects(stat(at('never')), { code: 'ENOENT' })
})

await t.test('keys that are not those of the database are not backed up', async (t) => {
  const child = spawn(
    process.execPath,
    [cli, 'keys', 'backup', '--out', at('other.json'), ...withPass],
    { env: { ...settings, MASTER_KEYS: key() }, stdio: 'ignore' },
  )
  t.same(await once(child, 'close'), [1, null])
  await t.rejects(stat(at('other.json')), { code: 'ENOENT' })
})

await t.test('a terminal is asked, and shows nothing', async (t) => {
  const line = `${process.execPath} ${cli} keys backup --out ${at('typed.json')}`
  const child = spawn('script', ['-qec', line, '/dev/null'], { env: settings })
  let shown = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    const asked = /(?:Passphrase|Once more): $/
    if (asked.test((shown += text))) child.stdin.write(`x\u007f${passphrase}\r`)
  })
  const [code] = (await once(child, 'close')) as [number]
  t.equal(code, 0, shown)
  t.match(shown, /^Passphrase: \r\nOnce more: \r\nWrote /)
  said.push(shown)
  const args = ['--out', at('typed-keys'), ...withPass]
  t.match(await command('keys', 'restore', at('typed.json'), ...args), { code: 0 })
})

const sealedOnes = async () => (await server.blobs()).filter((path) => !path.includes('/aside/'))

async function flip(path: string): Promise<void> {
  const bytes = await readFile(path)
  bytes[100_000] = (bytes[100_000] ?? 0) ^ 1
  await writeFile(path, bytes)
}

await t.test('a drill on a restored copy', async (t) => {
  await server.stop()
  await cp(server.dataDir, at('copy'), { recursive: true })
  let place = ['--data-dir', at('copy')]
  if (server.database !== undefined) {
    // Read only: a copy in name is enough.
    await writeFile(at('url'), server.database.url, { mode: 0o600 })
    place = ['--database-url-file', at('url'), '--files-dir', at('copy/files')]
  }
  const drill = (...args: string[]) =>
    command('drill', '--backup', at('pass.json'), ...place, ...withPass, ...args)
  const files = await namesIn(at('copy'))
  const sound = await drill('--files', '2', '--seed', '7', '--json')
  t.equal(sound.code, 0, sound.err)
  t.match(json(sound.out), { files: 2, damaged_files: 0, seed: '7' })
  t.same(await namesIn(at('copy')), files, 'the copy is as it was')
  const [first = ''] = await sealedOnes()
  const [, name = ''] = first.split(/\/files\//)
  await flip(at(`copy/files/${name}`))
  const failed = await drill()
  t.match(failed, { code: 1, out: /2 of 3 file versions[^]*The drill FAILED/ })
  const sealedId = name.split('/').at(-1) ?? ''
  t.match(failed.out, new RegExp(`file .* version 1, sealed ${sealedId}, segment 0: unauthentic`))
  const left = (await readdir(tmpdir())).filter((each) => each.startsWith('strongroom-drill-'))
  t.same(left, [], 'nothing is left of the scratch copy')
})

async function namesIn(path: string): Promise<string[]> {
  const entries = await readdir(path, { recursive: true, withFileTypes: true })
  return entries.map((entry) => join(entry.parentPath, entry.name)).sort()
}

await t.test('the day of the disaster: keys and check values are lost', async (t) => {
  const env = { MASTER_KEYS: '', MASTER_KEYS_FILE: at('back') }
  if (server.database !== undefined) await server.database.query('delete from deployment_keys')
  await t.rejects(server.start(env), /MASTER_KEYS_FILE/)
  // The settings of the failed start are those of the command now.
  const args = ['--out', at('back'), '--check-values', ...withPass]
  const restored = await command('keys', 'restore', at('pass.json'), ...args)
  t.equal(restored.code, 0, restored.err)
  if (!isEmbedded) t.match(restored.out, /Put back: check .*\nPut back: index-key/)
  await server.start(env)
  t.equal((await anna.get('/api/files/user')).status, 200)
  const stopped = await command('drill', '--backup', at('pass.json'), ...withPass)
  t.match(stopped, { code: 0, out: /3 of 3/ }, stopped.err)
})

await t.test('no secret in what was said or logged', (t) => {
  const all = [...said, server.logs()].join('\n')
  for (const secret of [masterKey, passphrase, masterKey.slice(0, 20)]) {
    t.notOk(all.includes(secret))
  }
  t.end()
})
