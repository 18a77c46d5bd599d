import { randomBytes, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { readdir, readFile } from 'node:fs/promises'
import { get, type IncomingMessage } from 'node:http'
import { createServer } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { pdf } from '../acceptance/support/content.js'
import { eventually } from '../acceptance/support/eventually.js'
import {
  type Answer,
  type Call,
  call,
  closeConnections,
  listOf,
} from '../acceptance/support/http.js'
import { filePart } from '../acceptance/support/multipart.js'
import {
  assign,
  filePath,
  type Person,
  personOf,
  recordType,
  uploadPath,
} from '../acceptance/support/people.js'
import { roundRobin } from '../acceptance/support/round-robin.js'
import { type Server, type Settings, startServer } from '../acceptance/support/server.js'
import { randomOf } from '../helpers/random.js'

// Processes of one service behind a proxy that gives each connection to the next, while one of them is
// killed every few seconds. Clients that try again see no wrong answer. KILLS: how many; SEED: what is drawn.

if (process.env['TEST_DATABASE_URL'] === undefined) throw new Error('TEST_DATABASE_URL is needed')
const kills = Number(process.env['KILLS'] ?? 6)
const seed = Number(process.env['SEED'] ?? 8006)
const random = randomOf(seed)
const KiB = 1024

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const address = probe.address()
  probe.close()
  await once(probe, 'close')
  return typeof address === 'object' && address !== null ? address.port : 0
}

interface Book {
  readonly wrong: string[]
  tries: number
  done: number
}

/** Asks until there is an answer that is not "not now"; a connection that breaks is tried again as well. */
async function persist(
  book: Book,
  what: string,
  right: readonly number[],
  send: () => Promise<Answer>,
): Promise<Answer | undefined> {
  for (let tries = 0; tries < 200; tries++) {
    book.tries += 1
    const answer = await send().catch(() => undefined)
    const again =
      answer === undefined || answer.status === 503 || answer.body.code === 'in_progress'
    if (!again) {
      if (right.includes(answer.status)) book.done += 1
      else book.wrong.push(`${what}: ${answer.status} ${answer.text.slice(0, 200)}`)
      return answer
    }
    await wait(50 + random() * 100)
  }
  book.wrong.push(`${what}: no answer in all that time`)
  return undefined
}

interface Kept {
  readonly id: string
  readonly data: Buffer
}

interface Life {
  readonly who: Person
  readonly friend: Person
  readonly book: Book
  readonly files: Kept[]
  readonly gone: Set<string>
  isOver: boolean
}

async function upload({ who, book, files }: Life): Promise<void> {
  const data = pdf(randomUUID(), [300, 30 * KiB, 700 * KiB][Math.floor(random() * 3)] ?? 300)
  const headers = { 'idempotency-key': randomUUID() }
  const answer = await persist(book, 'upload', [201], () =>
    who.form(uploadPath, [filePart(data)], { headers }),
  )
  if (answer?.body.file_id !== undefined) files.push({ id: answer.body.file_id, data })
}

async function read({ who, book }: Life, { id, data }: Kept): Promise<void> {
  const answer = await persist(book, 'read', [200], () => who.get(filePath(id)))
  if (answer?.status === 200 && !answer.bytes.equals(data)) book.wrong.push(`wrong bytes of ${id}`)
}

async function remove({ who, book, gone, files }: Life, file: Kept): Promise<void> {
  files.splice(files.indexOf(file), 1)
  // A deletion whose answer was lost is done: the second one finds nothing.
  await persist(book, 'delete', [200, 404], () => who.delete(filePath(file.id)))
  gone.add(file.id)
  await persist(book, 'read what was deleted', [404], () => who.get(filePath(file.id)))
}

async function live(life: Life): Promise<void> {
  while (!life.isOver) {
    const file = life.files[Math.floor(random() * life.files.length)]
    const draw = random()
    if (file === undefined || draw < 0.3) await upload(life)
    else if (draw < 0.9) await read(life, file)
    else await remove(life, file)
    await wait(random() * 20)
  }
}

async function allIsWell(t: Test, lives: readonly Life[]): Promise<void> {
  for (const life of lives) {
    const { who, book, files, gone } = life
    for (const file of files) await read(life, file)
    const list = new Set(
      listOf(await who.get('/api/files/user?limit=200')).map(({ file_id: id }) => id),
    )
    const missing = files.filter(({ id }) => !list.has(id)).length
    t.equal(missing, 0, `${files.length} files of ${who.id} are listed and read`)
    t.notOk(
      [...gone].some((id) => list.has(id)),
      'and none that was deleted',
    )
    t.equal(list.size, files.length, 'none twice, after all the tries')
    t.strictSame(book.wrong, [], `${book.done} done in ${book.tries} tries, none wrong`)
  }
}

const livesOf = (server: Server, name: string): Life[] =>
  Array.from({ length: 4 }, (_, n) => ({
    who: personOf(server, `${name}-${n}`),
    friend: personOf(server, `${name}-friend-${n}`),
    book: { wrong: [], tries: 0, done: 0 },
    ...{ files: [], gone: new Set<string>(), isOver: false },
  }))

async function underLoad(lives: readonly Life[], work: () => Promise<void>): Promise<void> {
  const living = lives.map(live)
  try {
    await work()
  } finally {
    for (const life of lives) life.isOver = true
    await Promise.all(living)
  }
}

const key = randomBytes(32).toString('base64').replaceAll('+', '-').replaceAll('/', '_')

await t.test(`one of two processes is killed ${kills} times, seed ${seed}`, async (t) => {
  const settings: Settings = { MASTER_KEYS: key, LOG_LEVEL: 'warn', SCRUB_MB_PER_SECOND: '1' }
  const first = await startServer(settings)
  t.teardown(() => first.close())
  const second = await startServer({
    ...settings,
    ...{ DATABASE_URL: first.database?.url ?? '', JWT_SECRET_KEY: first.secret },
    ...{ FILE_STORAGE_PATH: first.filesDir, ...first.sealed.settings },
  })
  t.teardown(() => second.close())
  const port = await freePort()
  const proxy = await roundRobin(port, [first.address.port, second.address.port])
  const origin = `http://127.0.0.1:${port}`
  t.teardown(async () => {
    await closeConnections(origin)
    await proxy.close()
  })
  const both: Server = {
    ...first,
    ...{ origin, address: { host: '127.0.0.1', port } },
    call: (path: string, options?: Call) => call(origin, path, options),
  }
  const lives = livesOf(both, 'nodes')
  await underLoad(lives, async () => {
    for (let n = 0; n < kills; n++) {
      const node = n % 2 === 0 ? first : second
      await wait(1_000 + random() * 2_000)
      await node.kill()
      await wait(500 + random() * 1_500)
      await node.start()
    }
  })
  await allIsWell(t, lives)
  for (const [each, count] of proxy.given) t.ok(count > 3, `${count} connections to ${each}`)

  // A job that is under way on a node that dies is gone on with by the other.
  const admin = personOf(both, 'admin', { role: 'admin' })
  const [doctor, late] = [personOf(both, 'doctor'), personOf(both, 'late')]
  const patient = personOf(both, 'patient')
  await assign(admin, doctor, patient)
  const record = { patient_id: patient.id, medical_record_type_id: await recordType(admin) }
  const ids: string[] = []
  for (let n = 0; n < 120; n++) ids.push(await doctor.record(pdf(`record ${n}`), record))
  await second.stop()
  await assign(personOf(first, 'admin', { role: 'admin' }), late, patient)
  const lateThere = personOf({ ...second, tokenOf: (who) => first.tokenOf(who) }, 'late')
  const opened = async () => {
    const answer = await lateThere.get('/api/files/medical-records?limit=200')
    return answer.status === 200 ? listOf(answer).length : 0
  }
  await first.kill()
  await second.start()
  const ms = await eventually(
    'the job is done',
    async () => (await opened()) === ids.length,
    90_000,
  )
  t.comment(`the job of the dead node was done ${Math.round(ms)} ms after the other began`)
  await first.start()
  const verified = await first.command('audit', 'verify')
  t.equal(verified.code, 0, `the log of all these processes is whole: ${verified.out}`)
})

await t.test('a worker of one service is killed, and replaced', async (t) => {
  const server = await startServer({ WORKERS: '2', LOG_LEVEL: 'info' })
  t.teardown(() => server.close())
  const workers = async () => {
    const lines = server.logs().matchAll(/"worker":(\d+),"pid":(\d+),"msg":"a worker serves"/g)
    const pids = [...lines].map(([, , pid]) => Number(pid))
    const alive = new Set((await readdir('/proc')).map(Number))
    return pids.filter((pid) => alive.has(pid))
  }
  await eventually('two workers', async () => (await workers()).length === 2, 30_000)
  const lives = livesOf(server, 'workers')
  await underLoad(lives, async () => {
    for (let n = 0; n < 3; n++) {
      await wait(700 + random() * 700)
      const alive = await workers()
      process.kill(alive[Math.floor(random() * alive.length)] ?? 0, 'SIGKILL')
      await eventually('two again', async () => (await workers()).length === 2, 30_000)
    }
  })
  await allIsWell(t, lives)
  const served = new Map<string, number>()
  for (const [, id = ''] of server.logs().matchAll(/"worker":(\d+),"request_id"/g)) {
    served.set(id, (served.get(id) ?? 0) + 1)
  }
  t.ok(served.size >= 3, `${served.size} workers have served: ${JSON.stringify([...served])}`)
  const pids = await workers()
  t.equal(await server.stop(), 0, 'all of it stops')
  t.same(await workers(), [], `no worker goes on serving: ${pids.length} did`)
})

/** A request on a connection of its own. */
async function onItsOwn({ address }: Server, { token }: Person): Promise<void> {
  const headers = { authorization: `Bearer ${token}` }
  const asking = get({ ...address, path: '/api/files/user', headers, agent: false })
  const [answer] = (await once(asking, 'response')) as [IncomingMessage]
  await once(answer.resume(), 'end')
}

await t.test('each of two workers serves its share', async (t) => {
  const server = await startServer({ WORKERS: '2', LOG_LEVEL: 'info' })
  t.teardown(() => server.close())
  const served = () => {
    const counts = new Map<string, number>()
    for (const [, id = ''] of server.logs().matchAll(/"worker":(\d+),"request_id"/g)) {
      counts.set(id, (counts.get(id) ?? 0) + 1)
    }
    return counts
  }
  await eventually('both serve', () => /"worker":2,.*"a worker serves"/.test(server.logs()), 30_000)
  const before = [...served().values()].reduce((sum, count) => sum + count, 0)
  const anna = personOf(server, 'anna')
  await Promise.all(
    Array.from({ length: 32 }, async () => {
      for (let n = 0; n < 25; n++) await onItsOwn(server, anna)
    }),
  )
  await eventually('all in the log', () => {
    return [...served().values()].reduce((sum, count) => sum + count, 0) - before >= 800
  })
  const counts = [...served().values()]
  const all = counts.reduce((sum, count) => sum + count, 0)
  t.equal(counts.length, 2)
  for (const count of counts) t.ok(count >= 0.4 * all, `${count} of ${all}`)
})

await t.test('a service of workers that is killed leaves none behind', async (t) => {
  const server = await startServer({ WORKERS: '2' })
  t.teardown(() => server.close())
  await eventually('both serve', () => /"worker":2,.*"a worker serves"/.test(server.logs()), 30_000)
  const pids = [...server.logs().matchAll(/"pid":(\d+),"msg":"a worker serves"/g)].map(
    ([, pid]) => pid ?? '',
  )
  await server.kill()
  const alive = async () => {
    const states = await Promise.all(
      pids.map((pid) => readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')),
    )
    return states.filter((state) => state !== '' && !/\) Z /.test(state)).length
  }
  await eventually('no orphans', async () => (await alive()) === 0, 5_000)
  t.equal(pids.length, 2)
  await t.rejects(server.start({ WORKERS: '2', MASTER_KEYS: key }), /did not become ready/)
  t.equal(await server.stop(), 1, 'where the first cannot start, all of it ends')
  t.match(server.logs(), /No master key given opens/)
  t.notMatch(server.logs().split('No master key')[1], 'a worker serves', 'and no other was tried')
})
