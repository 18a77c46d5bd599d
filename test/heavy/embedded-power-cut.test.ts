import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { Duplex } from 'node:stream'
import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads'
import pg from 'pg'
import t from 'tap'
import { openEmbeddedDatabase } from '../../src/db/embedded-database.js'
import { createEmptyDatabase } from '../helpers/databases.js'
import { randomOf } from '../helpers/random.js'

/**
 * What a power cut leaves, computed. The worker's writes and fsyncs are recorded in order; then for
 * many instants a disk is laid out that holds what had been synced, and of everything after the
 * last fsync of a file only some writes, torn at 4 KiB, drawn at random. PostgreSQL must come up on
 * each with every answered commit. The model: fsync makes a file's content durable, and with it all
 * earlier changes of names (a journal in order, as ext4 and XFS keep it); of later changes of names
 * some first part survives.
 */
type Entry =
  | { op: 'create' | 'unlink' | 'mkdir' | 'rmdir' | 'sync'; path: string }
  | { op: 'write'; path: string; position: number; data: Uint8Array }
  | { op: 'size'; path: string; size: number }
  | { op: 'rename'; path: string; to: string }
  | { op: 'answer' }

type Change = { position: number; data: Uint8Array } | { size: number }
/** Content that is safe, and what came after it. */
interface Inode {
  safe: Buffer
  later: Change[]
}
type Names = Map<string, Inode | 'folder'>

const cuts = Number(process.env['CUTS'] ?? 6)
const seed = Number(process.env['SEED'] ?? 8006)
const SECTOR = 4096

await t.test(`${cuts} power cuts, seed ${seed}`, { timeout: 60_000 + cuts * 15_000 }, async (t) => {
  const place = await createEmptyDatabase('embedded')
  t.teardown(() => place.drop())
  const db = await place.open()
  await db.script('CREATE TABLE left_half (n int8 PRIMARY KEY, pad text)')
  await db.script('CREATE TABLE right_half (n int8 PRIMARY KEY)')
  await db.close()
  const cluster = join(place.place, 'cluster')
  const start = join(await mkdtemp(join(tmpdir(), 'strongroom-cut-')), 'cluster')
  t.teardown(() => rm(dirname(start), { recursive: true, force: true }))
  await cp(cluster, start, { recursive: true })
  const log = await record(cluster)
  const answers = log.filter(({ op }) => op === 'answer').length
  t.ok(answers >= 600, `${log.length} steps with ${answers} commits recorded`)

  const random = randomOf(seed)
  for (let cut = 1; cut <= cuts; cut++) {
    const at = Math.floor(random() * log.length)
    const result = await powerCut(start, log.slice(0, at), random)
    t.match(result, { lost: [], halved: [] }, `cut at step ${at}: ${result.answered} were answered`)
  }
  const unsynced = log.filter(({ op }) => op !== 'sync')
  const control = await powerCut(start, unsynced, random).catch(() => undefined)
  t.ok(control === undefined || control.lost.length > 0, 'without fsync the same test finds losses')
})

/** Runs the load on a recording worker: growing files, new log segments, checkpoints, vacuums. */
async function record(cluster: string): Promise<Entry[]> {
  const { port1, port2 } = new MessageChannel()
  const worker = new Worker(new URL('./recording-worker.js', import.meta.url), {
    workerData: { cluster, task: 'serve', recorder: { root: cluster, port: port2 } },
    transferList: [port2],
    execArgv: [],
    env: {},
  })
  const client = new pg.Client({
    user: 'postgres',
    database: 'postgres',
    stream: () => wire(worker),
  })
  client.on('error', () => undefined)
  await client.connect()
  for (let n = 1; n <= 600; n++) {
    await client.query('BEGIN')
    const pad = String(Math.sin(n)).repeat(n % 300)
    await client.query('INSERT INTO left_half VALUES ($1, $2)', [n, pad])
    await client.query('INSERT INTO right_half VALUES ($1)', [n])
    await client.query('COMMIT')
    if (n % 150 === 0) await client.query('CHECKPOINT')
    if (n % 200 === 0) await client.query('VACUUM (ANALYZE) left_half')
    if (n % 110 === 0) await client.query('SELECT pg_switch_wal()')
  }
  const log = await receive(port1)
  await worker.terminate()
  return log
}

function wire(worker: Worker): Duplex {
  const stream = new Duplex({
    read: () => undefined,
    write(chunk: Buffer, _encoding, done) {
      worker.postMessage(new Uint8Array(chunk))
      done()
    },
    writev(chunks, done) {
      worker.postMessage(new Uint8Array(Buffer.concat(chunks.map(({ chunk }) => chunk as Buffer))))
      done()
    },
  })
  worker.on('message', (message: Uint8Array | 'ready') => {
    if (message === 'ready') stream.emit('connect')
    else if (message.length > 0) stream.push(message)
  })
  return Object.assign(stream, { connect: () => stream, setNoDelay: () => stream })
}

async function receive(port: MessagePort): Promise<Entry[]> {
  const log = new Promise<Entry[]>((resolve) => port.once('message', resolve))
  port.postMessage('log')
  const entries = await log
  port.close()
  return entries
}

async function powerCut(start: string, log: readonly Entry[], random: () => number) {
  const parent = await mkdtemp(join(tmpdir(), 'strongroom-cut-'))
  try {
    await layOut(join(parent, 'cluster'), survivors(await load(start), log, random), random)
    const answered = log.filter(({ op }) => op === 'answer').length
    return { answered, ...(await examine(parent, answered)) }
  } finally {
    await rm(parent, { recursive: true, force: true })
  }
}

async function load(folder: string): Promise<Names> {
  const names: Names = new Map()
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name)
    const inode = entry.isDirectory() ? 'folder' : { safe: await readFile(path), later: [] }
    names.set(relative(folder, path), inode)
  }
  return names
}

/** The names on the disk after the cut; their files still hold what is unsafe apart. */
function survivors(names: Names, log: readonly Entry[], random: () => number): Names {
  /** What the process saw, and what the disk has; changes of names between them, in order. */
  const seen: Names = new Map(names)
  const onDisk: Names = new Map(names)
  let pending: ((names: Names) => void)[] = []
  for (const entry of log) {
    if (entry.op === 'answer') continue
    if (entry.op === 'sync') {
      for (const change of pending) change(onDisk)
      pending = []
      settle(seen.get(entry.path))
    } else if (entry.op === 'write' || entry.op === 'size') {
      const inode = seen.get(entry.path)
      if (inode === undefined || inode === 'folder') throw new Error(`no file ${entry.path}`)
      inode.later.push(entry)
    } else {
      const change = nameChange(entry)
      change(seen)
      pending.push(change)
    }
  }
  const kept = Math.floor(random() * (pending.length + 1))
  for (const change of pending.slice(0, kept)) change(onDisk)
  return onDisk
}

function nameChange(entry: Exclude<Entry, { op: 'answer' | 'sync' | 'write' | 'size' }>) {
  const fresh: Inode | 'folder' =
    entry.op === 'mkdir' ? 'folder' : { safe: Buffer.alloc(0), later: [] }
  return (names: Names): void => {
    if (entry.op === 'create' || entry.op === 'mkdir') names.set(entry.path, fresh)
    else if (entry.op === 'rename') {
      const inode = names.get(entry.path)
      if (inode !== undefined) names.set(entry.to, inode)
      names.delete(entry.path)
    } else names.delete(entry.path)
  }
}

function settle(inode: Inode | 'folder' | undefined): void {
  if (inode === undefined || inode === 'folder') return
  for (const change of inode.later) inode.safe = applied(inode.safe, change)
  inode.later = []
}

function applied(content: Buffer, change: Change): Buffer {
  if ('size' in change) {
    const sized = Buffer.alloc(change.size)
    content.copy(sized, 0, 0, change.size)
    return sized
  }
  const end = change.position + change.data.length
  const whole = end > content.length ? Buffer.concat([content], end) : content
  whole.set(change.data, change.position)
  return whole
}

/** Of what was never synced some sectors reach the disk and some do not. */
async function layOut(folder: string, names: Names, random: () => number): Promise<void> {
  await mkdir(folder, { mode: 0o700 })
  for (const [path, inode] of [...names].sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (inode === 'folder') {
      await mkdir(join(folder, path), { recursive: true })
      continue
    }
    let content: Buffer = Buffer.from(inode.safe)
    for (const change of inode.later) {
      for (const part of sectors(change)) if (random() < 0.5) content = applied(content, part)
    }
    await mkdir(dirname(join(folder, path)), { recursive: true })
    await writeFile(join(folder, path), content, { mode: 0o600 })
  }
}

function sectors(change: Change): Change[] {
  if ('size' in change) return [change]
  const parts: Change[] = []
  for (let at = 0; at < change.data.length; at += SECTOR) {
    parts.push({ position: change.position + at, data: change.data.subarray(at, at + SECTOR) })
  }
  return parts
}

async function examine(parent: string, answered: number) {
  const db = await openEmbeddedDatabase({ folder: parent })
  try {
    await db.script('SET enable_seqscan = off; SELECT count(pad) FROM left_half WHERE n > 0')
    const [row] = await db.rows<{ left_half: number[]; right_half: number[] }>({
      name: 'numbers',
      text: `SELECT coalesce(array_agg(n), '{}') AS left_half,
        (SELECT coalesce(array_agg(n), '{}') FROM right_half) AS right_half FROM left_half`,
    })
    const left = new Set(row?.left_half)
    const right = new Set(row?.right_half)
    const expected = Array.from({ length: answered }, (_, index) => index + 1)
    const lost = expected.filter((n) => !left.has(n) || !right.has(n))
    const halved = [...left, ...right].filter((n) => left.has(n) !== right.has(n))
    return { lost, halved }
  } finally {
    await db.close()
  }
}
