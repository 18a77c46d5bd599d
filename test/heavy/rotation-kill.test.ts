import { request } from 'node:http'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as wait } from 'node:timers/promises'
import pg from 'pg'
import t, { type Test } from 'tap'
import { pdf } from '../acceptance/support/content.js'
import { filePath, type Person, personOf } from '../acceptance/support/people.js'
import { type Server, startServer } from '../acceptance/support/server.js'
import { randomOf } from '../helpers/random.js'

// A person's key is turned while fifty readers a second read what it opens. Five times the one who turns
// it is killed between a tenth and nine tenths of the way: on PostgreSQL the command, on the embedded
// database the service. A node goes on with it by itself, and it ends complete.
// GRANTS=10000 for the full figure; SEED repeats what is drawn, not its timing.

const grants = Number(process.env['GRANTS'] ?? 1_200)
const seed = Number(process.env['SEED'] ?? 8006)
const random = randomOf(seed)
const kills = 5
/** A kill that fell elsewhere, because it was told of too late, is none of the five. */
const mostTurns = 15
const readsASecond = 50
const uploadsAtOnce = 16

interface File {
  readonly path: string
  readonly bytes: Buffer
}

const isBetween = (share: number) => share >= 0.1 && share <= 0.9
const percent = (share: number) => `${Math.round(share * 100)} %`

async function makeFiles(person: Person): Promise<File[]> {
  const files: File[] = []
  let next = 0
  const client = async () => {
    while (next < grants) {
      const bytes = pdf(`grant ${next++}`, 1_000)
      files.push({ path: filePath(await person.file(bytes)), bytes })
    }
  }
  await Promise.all(Array.from({ length: uploadsAtOnce }, client))
  return files
}

/** Readers at a steady rate, whatever becomes of the ones before. */
function startReading(person: Person, files: readonly File[]) {
  const wrong: string[] = []
  const counts = { reads: 0, unanswered: 0 }
  const is = { down: false, over: false }
  const under = new Set<Promise<void>>()
  const readOne = async ({ path, bytes }: File) => {
    const wasDown = is.down
    try {
      const answer = await person.get(path)
      counts.reads += 1
      if (answer.status !== 200) wrong.push(`${answer.status} ${answer.body.code ?? ''}`)
      else if (!answer.bytes.equals(bytes)) wrong.push('other bytes')
    } catch (error) {
      // Nobody listens while the service is down: that is no answer, and no wrong one.
      if (wasDown || is.down) counts.unanswered += 1
      else wrong.push(String(error))
    }
  }
  const reading = (async () => {
    const start = performance.now()
    for (let n = 0; !is.over; n++) {
      await wait(Math.max(start + (n * 1_000) / readsASecond - performance.now(), 0))
      const file = files[Math.floor(random() * files.length)]
      if (file === undefined) throw new Error('There is nothing to read')
      const read = readOne(file)
      under.add(read)
      void read.then(() => under.delete(read))
    }
    await Promise.all(under)
    return (performance.now() - start) / 1_000
  })()
  return {
    wrong,
    counts,
    setDown: (down: boolean) => {
      is.down = down
    },
    stop: async () => {
      is.over = true
      return await reading
    },
  }
}

/** Between a tenth and nine tenths: the embedded database is told of it when its batch ends. */
const drawShare = (most: number) => 0.1 + (most - 0.1) * random()

/**
 * Has the service on the embedded database turn the key, and kills it where so much is wrapped anew: the
 * share at which it was killed, by the last it said of itself. 1 where it was over before it was told of.
 */
async function killService(
  server: Server,
  { user, share, beforeKill }: { user: string; share: number; beforeKill: () => void },
): Promise<number> {
  const socketPath = join(server.dataDir, 'control.sock')
  const call = request({ socketPath, method: 'POST', path: '/operations/keys-rotate-user' })
  call.end(JSON.stringify({ user_id: user }))
  const answer = await new Promise<NodeJS.ReadableStream>((resolve, reject) => {
    call.once('response', resolve).once('error', reject)
  })
  // It ends with the service that is killed, and says so at each of its stages, after it was read.
  const lines = createInterface({ input: answer })
  const asExpected = () => undefined
  call.on('error', asExpected)
  answer.on('error', asExpected)
  lines.on('error', asExpected)
  const wrapped = await shareReached(lines, share)
  beforeKill()
  await server.kill()
  return Math.min(wrapped, 1)
}

/** The share that is wrapped anew where it is told to be `share` or more; 1 where it was over before. */
async function shareReached(lines: AsyncIterable<string>, share: number): Promise<number> {
  for await (const text of lines) {
    const { progress } = JSON.parse(text) as { progress?: { done: number; total: number } }
    // Of three rounds the second one wraps.
    const wrapped = progress === undefined ? 1 : (3 * progress.done) / progress.total - 1
    if (wrapped >= share) return wrapped
  }
  throw new Error('It ended before it was killed')
}

/**
 * Has a command turn the key, and kills it while it waits for the row at `share`, which is held: what is
 * wrapped anew then cannot change while it is looked at.
 */
async function killCommand(server: Server, user: string, share: number): Promise<number> {
  const version = await activeVersion(server, user)
  const held = new pg.Client({ connectionString: urlOf(server) })
  await held.connect()
  try {
    await held.query('begin')
    await held.query(
      // Chosen inside: rows that an offset leaves out are locked too.
      `select from wrapped_file_keys where (grant_id, sealed_id) in (
         select w.grant_id, w.sealed_id from wrapped_file_keys w join grants g using (grant_id)
         where g.user_id = $1 order by 1, 2 offset $2 limit 1) for update`,
      [user, Math.floor(share * grants)],
    )
    const command = server.beginCommand(['keys', 'rotate-user', user])
    while (!(await isWaitedFor(server))) {
      if (command.isOver()) throw new Error(`It ended first: ${(await command.result).err}`)
      await wait(20)
    }
    command.kill()
    await command.result
  } finally {
    await held.end()
  }
  const [row] = await query(
    server,
    `select count(*)::int as n from wrapped_file_keys w join grants g using (grant_id)
     where g.user_id = '${user}' and w.user_key_version > ${version}`,
  )
  return Number(row?.['n']) / grants
}

async function isWaitedFor(server: Server): Promise<boolean> {
  const waiting = await query(
    server,
    `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'
     and query like 'update wrapped_file_keys%'`,
  )
  return waiting.length > 0
}

function urlOf({ database }: Server): string {
  if (database === undefined) throw new Error('There is no PostgreSQL')
  return database.url
}

async function query({ database }: Server, text: string) {
  if (database === undefined) throw new Error('There is no PostgreSQL')
  return await database.query(text)
}

async function activeVersion(server: Server, user: string): Promise<number> {
  const text = `select version from user_keys where user_id = '${user}' and active`
  return Number((await query(server, text))[0]?.['version'])
}

interface Job {
  readonly kind: string
  readonly failures: number
}

/** Until no turn of a key is under way or waiting. */
async function untilTurned(t: Test, server: Server): Promise<void> {
  const deadline = Date.now() + 120_000
  for (;;) {
    const { code, out, err } = await server.command('jobs', '--json')
    if (code !== 0) throw new Error(`jobs: ${code} ${err} ${out}`)
    const jobs = JSON.parse(out) as readonly Job[]
    if (!jobs.some(({ kind }) => kind === 'rotate-user')) return
    if (Date.now() > deadline) return void t.fail('nobody went on with it')
    await wait(250)
  }
}

await t.test(`${grants} grants, seed ${seed}`, { timeout: 1_200_000 }, async (t) => {
  const server = await startServer({ LOG_LEVEL: 'warn' })
  t.teardown(() => server.close())
  const user = 'ann'
  const ann = personOf(server, user, { exp: Math.floor(Date.now() / 1000) + 86_400 })
  const files = await makeFiles(ann)
  t.equal(files.length, grants)
  const readers = startReading(ann, files)
  const shares: number[] = []
  let turns = 0
  const isDone = () => shares.filter(isBetween).length === kills
  while (!isDone() && turns < mostTurns) {
    let at: number
    if (server.database === undefined) {
      const beforeKill = () => {
        readers.setDown(true)
      }
      at = await killService(server, { user, share: drawShare(0.7), beforeKill })
      await server.start({ LOG_LEVEL: 'warn' })
      readers.setDown(false)
    } else {
      // The batch before ends at a tenth or later, whatever its size.
      at = await killCommand(server, user, 0.1 + drawShare(0.8))
      // Once by the clock; after that its lease is ended for it, to save the time.
      const ends = `update jobs set lease_until = now() where kind = 'rotate-user'`
      if (turns > 0) await query(server, ends)
    }
    turns += 1
    t.comment(`killed at ${percent(at)}`)
    shares.push(at)
    await untilTurned(t, server)
    if (server.database !== undefined) {
      t.equal(await activeVersion(server, user), turns + 1, 'one new version, gone on with')
      const text = `select distinct w.user_key_version::int as v from wrapped_file_keys w
        join grants g using (grant_id) where g.user_id = '${user}'`
      t.same(await query(server, text), [{ v: turns + 1 }], 'everything is under it')
    }
  }
  t.equal(shares.filter(isBetween).length, kills, `killed at ${shares.map(percent).join(', ')}`)
  const { code, out, err } = await server.command('keys', 'rotate-user', user, '--json')
  t.equal(code, 0, err)
  const report = JSON.parse(out) as Record<string, unknown>
  t.match(report, { version: turns + 2, rewrapped: grants, verified: grants })
  const seconds = await readers.stop()
  t.same(readers.wrong, [], 'no reader saw a failure')
  const { reads, unanswered } = readers.counts
  if (server.database !== undefined) t.equal(unanswered, 0, 'the service was there all the time')
  const rate = (reads + unanswered) / seconds
  t.ok(rate > readsASecond * 0.8, `${rate.toFixed(0)} reads a second`)
  for (const { path, bytes } of files) {
    const answer = await ann.get(path)
    if (answer.status !== 200 || !answer.bytes.equals(bytes)) t.fail(`${answer.status} ${path}`)
  }
  t.comment(
    `total: ${JSON.stringify({ grants, kills: shares.map(percent), reads, unanswered, seconds })}`,
  )
})
