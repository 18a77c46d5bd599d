import { constants, fsyncSync } from 'node:fs'
import { access, mkdir, open, readdir, rename, rm, statfs } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { parentPort, workerData } from 'node:worker_threads'
import { PGlite } from '@electric-sql/pglite'
import { NodeFS } from '@electric-sql/pglite/nodefs'
import type { EmbeddedWorkerData, FromWorker, ToWorker } from './embedded-protocol.js'

/**
 * PostgreSQL compiled to WebAssembly, in a thread of its own, speaking its wire protocol over
 * messages. docs/decisions/0002-embedded-database-durability.md says why `fsync` is wired here.
 */

/** What is used of the WebAssembly module beyond its published types. */
interface PostgresModule {
  readonly NODEFS: {
    readonly stream_ops: { fsync?: (stream: { readonly nfd?: number }) => number }
  }
  readonly FS: { readonly ErrnoError: new (errno: number) => Error }
  _PostgresMainLoopOnce: () => void
}

/** EIO in WASI's numbering, which the module uses. */
const EIO = 29
/** Thrown by the module where PostgreSQL longjmps out of a failed statement: business as usual. */
const STATEMENT_FAILED = 100
const WAL_SEGMENT_MB = 4
const MIB = 1_048_576
/** A quarter of the default: 150 MB less of resident memory, and no slower here. */
const SHARED_BUFFERS_MB = 32

/** The file system of the engine, with the fsync it leaves out. */
class DurableNodeFS extends NodeFS {
  override async init(...[pg, options]: Parameters<NodeFS['init']>) {
    const { emscriptenOpts } = await super.init(pg, options)
    const preRun = [...(emscriptenOpts.preRun ?? []), wireFsync]
    return { emscriptenOpts: { ...emscriptenOpts, preRun } }
  }
}

/** A failed fsync is told to PostgreSQL, which then stops (data_sync_retry is off) and recovers. */
function wireFsync(module: unknown): void {
  const { NODEFS, FS } = module as PostgresModule
  NODEFS.stream_ops.fsync = ({ nfd }) => {
    try {
      if (nfd === undefined) throw new Error('not a file of the disk')
      fsyncSync(nfd)
      return 0
    } catch {
      throw new FS.ErrnoError(EIO)
    }
  }
}

async function openCluster(cluster: string): Promise<PGlite> {
  const pg = await PGlite.create({
    fs: new DurableNodeFS(cluster),
    initDbStartParams: [`--wal-segsize=${WAL_SEGMENT_MB}`],
    startParams: [
      ...PGlite.defaultStartParams.filter((param) => param !== '-F'),
      ...['-c', `shared_buffers=${SHARED_BUFFERS_MB}MB`],
      ...['-c', 'fsync=on', '-c', 'wal_sync_method=fsync', '-c', 'synchronous_commit=on'],
    ],
  })
  stopOnTrap(pg.Module)
  return pg
}

/**
 * The engine swallows every exception of its main loop. One that is not a failed statement (a trap,
 * a PANIC) leaves the memory in an unknown state: the thread ends, and the next one recovers.
 */
function stopOnTrap(module: PostgresModule): void {
  const loop = module._PostgresMainLoopOnce
  module._PostgresMainLoopOnce = () => {
    try {
      loop()
    } catch (error) {
      if ((error as { status?: unknown }).status !== STATEMENT_FAILED) process.exit(1)
      throw error
    }
  }
}

/** Made beside its place and renamed into it: a cluster is there whole or not at all. */
async function createCluster(cluster: string): Promise<void> {
  const draft = `${cluster}.new`
  await rm(draft, { recursive: true, force: true })
  await mkdir(draft, { mode: 0o700 })
  const pg = await openCluster(draft)
  await pg.close()
  await syncTree(draft)
  await rename(draft, cluster)
  await syncPath(dirname(cluster))
}

async function syncTree(folder: string): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name)
    await (entry.isDirectory() ? syncTree(path) : syncPath(path))
  }
  await syncPath(folder)
}

async function syncPath(path: string): Promise<void> {
  const handle = await open(path, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Of its own failure to start the engine says nothing: what an operator can mend is looked for. */
async function openOrSayWhy(cluster: string): Promise<PGlite> {
  try {
    return await openCluster(cluster)
  } catch (cause) {
    const reason = await diskTrouble(cluster)
    if (reason === undefined) throw cause
    throw new Error(`The embedded database does not start: ${reason}`, { cause })
  }
}

async function diskTrouble(cluster: string): Promise<string | undefined> {
  try {
    await access(cluster, constants.W_OK)
    const { bavail, bsize } = await statfs(cluster)
    const free = Math.floor((bavail * bsize) / MIB)
    // Recovery begins by making room for its log.
    return free < WAL_SEGMENT_MB ? `its disk is full, with ${free} MiB left` : undefined
  } catch (error) {
    return `its folder cannot be written: ${error instanceof Error ? error.message : 'unknown'}`
  }
}

async function serve(cluster: string, port: NonNullable<typeof parentPort>): Promise<void> {
  const pg = await openOrSayWhy(cluster)

  async function answer(bytes: Uint8Array): Promise<void> {
    const chunks: Uint8Array[] = []
    await pg.execProtocolRawStream(bytes, {
      syncToFs: false,
      // A view of the engine's memory: copied before the next byte is written there.
      onRawData: (chunk) => chunks.push(chunk.slice()),
    })
    const whole = concat(chunks)
    port.postMessage(whole satisfies FromWorker, [whole.buffer])
  }

  async function stop(): Promise<void> {
    await pg.close()
    port.close()
  }

  port.on('message', (message: ToWorker) => {
    const done = message === 'stop' ? stop() : answer(message)
    done.catch(() => process.exit(1))
  })
  port.postMessage('ready' satisfies FromWorker)
}

function concat(chunks: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(chunks.reduce((length, chunk) => length + chunk.length, 0))
  let at = 0
  for (const chunk of chunks) {
    whole.set(chunk, at)
    at += chunk.length
  }
  return whole
}

const { cluster, task } = workerData as EmbeddedWorkerData
if (task === 'create') await createCluster(cluster)
else if (parentPort !== null) await serve(cluster, parentPort)
