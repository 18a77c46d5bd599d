import { randomBytes, randomUUID } from 'node:crypto'
import { mkdir, stat, utimes, writeFile } from 'node:fs/promises'
import { request } from 'node:http'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import t, { type Test } from 'tap'
import { hasBytes, hasStatus } from './support/checks.js'
import { pdf } from './support/content.js'
import { filePath, personOf } from './support/people.js'
import { startServer } from './support/server.js'

// Commands of an operator, beside a running service and without one.

const server = await startServer()
t.teardown(() => server.close())
const anna = personOf(server, 'anna')
const data = pdf('kept', 400_000)
const kept = filePath(await anna.file(data))
const socket = join(server.dataDir, 'control.sock')
const isEmbedded = server.database === undefined

const pathOf = (id: string) => join(server.filesDir, id.slice(0, 2), id.slice(2, 4), id)

/** Sealed bytes that no row knows, as a kill leaves them. */
async function orphan({ hours }: { hours: number }): Promise<string> {
  const id = randomUUID()
  const path = pathOf(id)
  await mkdir(join(path, '..'), { recursive: true })
  await writeFile(path, Buffer.alloc(500))
  const at = new Date(Date.now() - hours * 3_600_000)
  await utimes(path, at, at)
  return id
}

const isThere = (id: string) =>
  stat(pathOf(id)).then(
    () => true,
    () => false,
  )

const report = (out: string) => JSON.parse(out) as Readonly<Record<string, unknown>>

async function sweeps(t: Test): Promise<void> {
  const [old, young] = [await orphan({ hours: 30 }), await orphan({ hours: 3 })]
  const dry = await server.command('sweep', '--dry-run', '--json')
  t.equal(dry.code, 0, dry.err)
  t.match(report(dry.out), { dry_run: true, sound: 1, orphans: 1, orphan_bytes: 500, young: 1 })
  t.ok(await isThere(old))
  const real = await server.command('sweep')
  t.equal(real.code, 0, real.err)
  t.match(real.out, /1 sealed files are where .*\n1 without a row \(500 bytes\): set aside/)
  t.same([await isThere(old), await isThere(young)], [false, true])
  const closer = await server.command('sweep', '--json', '--grace-hours', '1')
  t.match(report(closer.out), { orphans: 1, young: 0 })
  t.notOk(await isThere(young))
}

await t.test('beside the running service', async (t) => {
  await sweeps(t)
  hasBytes(t, await anna.get(kept), data)
  if (isEmbedded) t.match(server.logs(), '"swept"', 'which did it')
})

/** What the service answers on its socket. */
async function control(path: string, body: string, method = 'POST'): Promise<string> {
  const call = request({ socketPath: socket, method, path })
  call.end(body)
  const answer = await new Promise<NodeJS.ReadableStream>((resolve, reject) => {
    call.once('response', resolve).once('error', reject)
  })
  return await text(answer)
}

await t.test('its socket is for its owner alone, and takes what it knows', async (t) => {
  if (!isEmbedded) {
    await t.rejects(stat(socket), { code: 'ENOENT' }, 'with PostgreSQL there is none')
    return
  }
  t.equal((await stat(socket)).mode & 0o777, 0o600)
  const code = async (...args: Parameters<typeof control>) =>
    (JSON.parse(await control(...args)) as { problem?: { code: string } }).problem?.code
  t.equal(await code('/operations/bogus', '{}'), 'not_found')
  t.equal(await code('/operations/constructor', '{}'), 'not_found')
  t.equal(await code('/', '{}'), 'not_found')
  t.equal(await code('/operations/sweep', '{'), 'bad_request')
  t.equal(await code('/operations/sweep', '{"dry_run": 1}'), 'invalid_field')
  t.equal(await code('/operations/sweep', '{"dry_run":true,"force":false,"x":1}'), 'invalid_field')
  t.equal(await code('/operations/sweep', ' '.repeat(70_000)), 'body_too_large')
  t.equal(await code('/operations/sweep', '', 'GET'), 'method_not_allowed')
})

await t.test('every file is opened from end to end', async (t) => {
  const sound = await server.command('scrub', '--json', '--rate', '100')
  t.equal(sound.code, 0, sound.err)
  t.match(report(sound.out), { checked: 1, bytes: data.length, damaged_files: 0 })
  const [path = ''] = (await server.blobs()).filter((each) => !each.includes('/aside/'))
  const bytes = await server.sealed.read(path)
  const flipped = Buffer.from(bytes)
  flipped[300_000] = (flipped[300_000] ?? 0) ^ 1
  await server.sealed.write(path, flipped)
  const decayed = await server.command('scrub')
  t.equal(decayed.code, 1, decayed.err)
  t.match(decayed.out, /1 damaged.*\n {2}file .* version 1, sealed .*, segment 1: unauthentic/)
  await server.sealed.write(path, bytes)
  t.match(await server.command('scrub'), { code: 0, out: /\n0 damaged/ })
  t.match(await server.command('scrub', '--rate', '0'), { code: 2 })
})

await t.test('damage is told, and the exit code says so', async (t) => {
  const id = filePath(await anna.file(pdf('lost')))
  const placed = (await server.blobs()).filter((path) => !path.includes('/aside/'))
  t.equal(placed.length, 2)
  const [first = '', second = ''] = placed
  const sizeOf = async (name: string) => (await server.sealed.read(name)).length
  const lost = (await sizeOf(first)) < (await sizeOf(second)) ? first : second
  await server.sealed.remove(lost)
  const found = await server.command('sweep', '--json')
  t.equal(found.code, 1)
  t.match(report(found.out), { sound: 1, damaged: 1 })
  hasStatus(t, await anna.delete(id), 200, 'what is left of it can be deleted')
})

await t.test('called wrongly', async (t) => {
  for (const hours of ['0', '-1', 'x', '9999']) {
    t.match(await server.command('sweep', '--grace-hours', hours), { code: 2, out: '' })
  }
  t.match(await server.command('sweep', '--bogus'), { code: 2, err: /unknown option/ })
  t.match(await server.command('sweep', '--help'), { code: 0, out: /--dry-run/ })
})

await t.test('while the service is stopped', async (t) => {
  await server.stop()
  if (isEmbedded) await t.rejects(stat(socket), { code: 'ENOENT' }, 'the socket went with it')
  const { code, out, err } = await server.command('sweep', '--json')
  t.match(report(out), { sound: 1, damaged: 1 })
  t.equal(code, 1, err)
})

await t.test('after a kill, whose socket nobody answers', async (t) => {
  await server.start()
  await server.kill()
  if (isEmbedded) t.ok(await stat(socket))
  t.match(report((await server.command('sweep', '--json')).out), { sound: 1 })
  await server.start()
  t.match(report((await server.command('sweep', '--json')).out), { sound: 1 })
  hasBytes(t, await anna.get(kept), data)
})

await t.test('a master key is turned while the service runs', async (t) => {
  const key = () => `${randomBytes(32).toString('base64url')}=`
  const [old, next] = [key(), key()]
  const turned = await startServer({ MASTER_KEYS: old })
  t.teardown(() => turned.close())
  const ben = personOf(turned, 'ben')
  const file = filePath(await ben.file(data))
  const restart = async (masterKeys: string) => {
    await turned.stop()
    await turned.start({ MASTER_KEYS: masterKeys })
  }
  const status = async () => {
    const { code, out, err } = await turned.command('keys', 'status', '--json')
    t.equal(code, 0, err)
    return (JSON.parse(out) as { master_keys: { id: string; safe: string[] }[] }).master_keys
  }
  const [first] = await status()
  const oldId = first?.id ?? ''
  t.match(first, { configured: 'first', user_keys: 1, deployment_keys: 2, nodes: 1, safe: [] })

  const early = await turned.command('keys', 'retire', oldId)
  t.match(early, { code: 1, out: '', err: /still needed/ })
  await restart(`${old},${next}`)
  t.match(await status(), [{ safe: [] }, { user_keys: 0, safe: ['move_first', 'retire'] }])
  await restart(`${next},${old}`)
  t.match(await status(), [{ safe: ['rotate'] }, { id: oldId, safe: ['move_first'] }])
  const plain = await turned.command('keys', 'status')
  t.match(plain.out, /1 node serves\n[0-9a-f]{16} {2}wraps here; .*safe now: rotate-master/)

  const rotated = await turned.command('keys', 'rotate-master')
  t.equal(rotated.code, 0, rotated.err)
  t.match(
    rotated.out,
    /1 user keys re-wrapped[^]*2 keys of the deployment re-wrapped\n1 user keys opened again/,
  )
  hasBytes(t, await ben.get(file), data)
  const retired = await turned.command('keys', 'retire', oldId)
  t.match(retired, { code: 0, out: /retired[^]*Take it out of MASTER_KEYS/ }, retired.err)
  await restart(next)
  hasBytes(t, await ben.get(file), data)
  const [only, ...others] = await status()
  t.match([only?.safe, others], [[], []])
  t.match(await turned.command('keys', 'retire', 'x'), { code: 2 })
  t.match(await turned.command('keys', 'retire', '0'.repeat(16)), { code: 1, err: /Not found/ })
  await turned.stop()
  await t.rejects(turned.start({ MASTER_KEYS: old }), /No master key given opens the check value/)
})
