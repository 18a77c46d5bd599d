import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import t from 'tap'
import { parse as parseYaml } from 'yaml'
import { newMasterKey, newSecret } from '../../src/config/secrets.js'
import { pdf, sha256 } from '../acceptance/support/content.js'
import { eventually } from '../acceptance/support/eventually.js'
import { call } from '../acceptance/support/http.js'
import { filePart, multipart } from '../acceptance/support/multipart.js'
import { filePath, uploadPath } from '../acceptance/support/people.js'
import { claimsOf, mintToken } from '../acceptance/support/tokens.js'
import { at, root } from './support/deploy-files.js'
import { execForm, lastOf, parseDockerfile } from './support/dockerfile.js'
import { asOwner, buildStages, startContainer } from './support/image-steps.js'
import { freePort } from './support/own-nginx.js'

// The image's own steps, in an empty folder; then what it runs, as docker-compose.yml has it run.

const stages = parseDockerfile(await readFile(join(root, 'Dockerfile'), 'utf8'))
const compose = parseYaml(await readFile(join(root, 'docker-compose.yml'), 'utf8')) as unknown
const grace = Number.parseInt(String(at(compose, 'services', 'strongroom', 'stop_grace_period')))
const image = stages.at(-1)
if (image === undefined) throw new Error('The Dockerfile has no stage')

const built = await buildStages(stages)
t.teardown(() => asOwner('rm', '-rf', built.folder))
const place = built.rootOf(image.alias)
const inside = async (...args: string[]) =>
  (await asOwner('find', join(place, 'app'), ...args)).trim()

await t.test('the base images are pinned', (t) => {
  for (const { base } of stages) t.match(base, /^node:\d+\.\d+\.\d+-[\w-]+$/)
  t.end()
})

await t.test('the image holds what runs, and nothing else', async (t) => {
  const names = await inside('-mindepth', '1', '-maxdepth', '1', '-printf', '%f\n')
  t.same(names.split('\n').sort(), ['dist', 'node_modules', 'package.json', 'storage'])
  const hidden = await inside(
    '-maxdepth',
    '2',
    '(',
    '-name',
    '.env*',
    '-o',
    '-name',
    '.git',
    '-o',
    '-name',
    'test',
    ')',
  )
  t.equal(hidden, '')
  const modules = await inside('-path', '*/app/node_modules/*', '-maxdepth', '2', '-printf', '%f\n')
  for (const name of ['tap', 'typescript', 'playwright-core']) {
    t.notOk(modules.split('\n').includes(name), `${name} is for developers`)
  }
  t.ok(modules.split('\n').includes('fastify'))
})

await t.test('its user owns the data, and none of the code', async (t) => {
  t.equal(lastOf(image, 'USER').rest, 'node')
  const theirs = await inside('-uid', '1000', '-printf', '%p %m\n')
  t.equal(theirs, `${join(place, 'app/storage')} 700`)
  const open = await inside('-perm', '/022', '-not', '-type', 'l')
  t.equal(open, '', 'nobody else may write')
})

await t.test(
  'it becomes healthy, keeps a file, stops in time, and writes to its volume alone',
  async (t) => {
    const volume = join(built.folder, 'volume')
    // As an engine fills an empty volume: from what the image has there.
    await asOwner('cp', '-a', join(place, 'app/storage'), volume)
    const [port, secret] = [await freePort(), newSecret()]
    const container = startContainer({
      stage: image,
      command: execForm(lastOf(image, 'CMD').rest),
      place,
      users: join(built.folder, 'users'),
      volume,
      environment: {
        PORT: String(port),
        DATA_DIR: '/app/storage',
        ALLOW_EMBEDDED: 'true',
        MASTER_KEYS: newMasterKey(),
        JWT_SECRET_KEY: secret,
      },
    })
    const exited = once(container.child, 'exit')
    t.teardown(() => container.child.kill('SIGKILL'))
    const state = () => asOwner('find', place, '-printf', '%p %s %T@ %C@\n')
    const before = await state()

    const check = lastOf(image, 'HEALTHCHECK')
    // As an engine does, not without a pause: each check is a process that takes time from what starts.
    const start = Number.parseInt(check.flags['start-period'] ?? '') * 1000
    const isHealthy = async () => {
      if ((await container.exec(execForm(check.rest))) === 0) return true
      await wait(1000)
      return false
    }
    try {
      t.comment(`healthy after ${Math.round(await eventually('healthy', isHealthy, start))} ms`)
    } catch (error) {
      t.fail(String(error), { said: container.log().slice(-3000) })
      return
    }
    const origin = `http://127.0.0.1:${port}`
    await eventually(
      'it is ready',
      async () => (await call(origin, '/health/ready')).status === 200,
    )

    const token = mintToken(claimsOf('anna'), secret)
    const data = pdf('image', 3_000_000)
    const { headers, body } = multipart([filePart(data)])
    const uploaded = await call(origin, uploadPath, { method: 'POST', token, headers, body })
    t.match(uploaded, { status: 201, body: { sha256: sha256(data) } })
    const read = await call(origin, filePath(String(uploaded.body.file_id)), { token })
    t.ok(read.bytes.equals(data))

    t.equal(await container.look(['id', '-u']), '0\n')
    const status = await readFile(`/proc/${await container.pid()}/status`, 'utf8')
    t.match(status, /^Uid:\t1000\t1000\t1000\t1000$/m, 'an ordinary user')
    t.match(status, /^CapEff:\t0+$/m, 'without capabilities')
    t.match(status, /^NSpid:\t\d+\t1$/m, 'process 1: signals reach it')
    for (const path of [
      '/app/dist/main.js',
      '/app/new',
      '/etc/new',
      '/usr/new',
      '/home/node/new',
    ]) {
      t.not(await container.exec(['sh', '-c', `echo x >> ${path}`]), 0, `${path} cannot be written`)
    }
    t.equal(await container.look(['find', '/tmp', '-type', 'f']), '', 'nor is anything in /tmp')

    const asked = performance.now()
    await asOwner('kill', '-TERM', String(await container.pid()))
    const [code] = (await Promise.race([exited, wait(grace * 1000, ['too late'])])) as [number]
    t.equal(code, 0, `stopped after ${Math.round(performance.now() - asked)} ms of ${grace} s`)
    t.match(container.log(), /stopp/i)
    t.equal(await state(), before, 'the image is as it was')
    const kept = await asOwner('find', volume, '-type', 'f', '-not', '-user', '1000')
    t.equal(kept, '', 'what is in the volume is its user’s')
  },
)

await t.test('its health check fails where nothing answers', async (t) => {
  const container = startContainer({
    stage: image,
    command: ['sleep', '60'],
    place,
    users: join(built.folder, 'users'),
    volume: join(built.folder, 'volume'),
    environment: { PORT: String(await freePort()) },
  })
  t.teardown(() => container.child.kill('SIGKILL'))
  await eventually('it runs', async () => (await container.exec(['true'])) === 0)
  t.equal(await container.exec(execForm(lastOf(image, 'HEALTHCHECK').rest)), 1)
})
