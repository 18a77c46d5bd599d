import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { setTimeout as wait } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { copyCluster } from '../../helpers/kept-clusters.js'
import { type Answer, type Call, call, closeConnections } from './http.js'
import { createDatabase, type TestDatabase } from './postgres.js'
import type { Address } from './raw.js'
import { type RoundRobin, roundRobin } from './round-robin.js'
import { type SealedPlace, sealedPlace } from './sealed-place.js'
import { type Claims, claimsOf, mintToken } from './tokens.js'

const root = fileURLToPath(new URL('../../../', import.meta.url))

const redisUrl = process.env['TEST_REDIS_URL']
/** Processes of one service, behind a proxy that gives each connection to the next. */
const nodes = process.env['TEST_NODES'] === '2' ? 2 : 1
const startLimit = 60_000
const stopLimit = 20_000

export type Settings = Readonly<Record<string, string>>

export interface CommandResult {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

/** A command that may still be running. */
export interface RunningCommand {
  /** Code null: it was killed. */
  readonly result: Promise<CommandResult>
  isOver(): boolean
  /** SIGKILL. */
  kill(): void
}

/** A running service of its own: own folder, own port, own keys, own database. */
export interface Server {
  readonly address: Address
  readonly origin: string
  readonly dataDir: string
  /** The folder of sealed bytes, where they are kept in one. */
  readonly filesDir: string
  /** The shared secret of its tokens. */
  readonly secret: string
  /** Where `TEST_DATABASE_URL` is set: the PostgreSQL database of this server. */
  readonly database: TestDatabase | undefined
  /** Everything the service has written to its standard output and error. */
  logs(): string
  tokenOf(user: string, claims?: Claims): string
  call(path: string, options?: Call): Promise<Answer>
  /** Where sealed bytes lie, read past the service. */
  readonly sealed: SealedPlace
  /** Names of everything that is there. */
  blobs(): Promise<string[]>
  /** Runs a command of `strongroom` with the settings this service was started with. */
  command(...args: string[]): Promise<CommandResult>
  /** The same, not waited for, with other settings where given. */
  beginCommand(args: readonly string[], settings?: Settings): RunningCommand
  /** SIGTERM; the exit code. */
  stop(): Promise<number | null>
  /** SIGKILL: no chance to tidy up. */
  kill(): Promise<void>
  /** Starts again on the same data, with other settings where given. */
  start(settings?: Settings): Promise<void>
  /** Ends it and removes all it had. */
  close(): Promise<void>
}

async function freePort(): Promise<number> {
  const probe = createServer()
  probe.listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const address = probe.address()
  probe.close()
  await once(probe, 'close')
  if (address === null || typeof address === 'string') throw new Error('No port to be had')
  return address.port
}

const fernetKey = () => randomBytes(32).toString('base64').replaceAll('+', '-').replaceAll('/', '_')

/** Only what a program needs to run: a developer's own settings are not the test's. */
function bareEnvironment(): Record<string, string> {
  const kept = ['PATH', 'HOME', 'TMPDIR', 'LANG']
  return Object.fromEntries(
    kept.flatMap((name) => {
      const value = process.env[name]
      return value === undefined ? [] : [[name, value]]
    }),
  )
}

function launch(settings: Settings, log: string[]): ChildProcess {
  const child = spawn(process.execPath, [join(root, 'dist/main.js')], {
    cwd: root,
    env: { ...bareEnvironment(), ...settings },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8')
    stream.on('data', (piece: string) => log.push(piece))
  }
  return child
}

function beginCommand(settings: Settings, args: readonly string[]): RunningCommand {
  const child = spawn(process.execPath, [join(root, 'dist/cli/strongroom.js'), ...args], {
    cwd: root,
    env: { ...bareEnvironment(), ...settings },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const ended = Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')])
  return {
    result: ended.then(([out, err]) => ({ code: child.exitCode, out, err })),
    isOver: () => isOver(child),
    kill: () => {
      child.kill('SIGKILL')
    },
  }
}

const isOver = (child: ChildProcess) => child.exitCode !== null || child.signalCode !== null

async function isReady(origin: string): Promise<boolean> {
  try {
    return (await call(origin, '/health/ready')).status === 200
  } catch {
    return false
  }
}

async function untilReady(
  children: readonly ChildProcess[],
  origin: string,
  log: string[],
): Promise<void> {
  const deadline = Date.now() + startLimit
  while (Date.now() < deadline) {
    if (children.some(isOver)) break
    if (await isReady(origin)) return
    await wait(50)
  }
  for (const child of children) child.kill('SIGKILL')
  throw new Error(`The service did not become ready:\n${log.join('').slice(-4000)}`)
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  if (isOver(child)) return child.exitCode
  const exited = once(child, 'exit')
  child.kill(signal)
  const timer = setTimeout(() => child.kill('SIGKILL'), stopLimit)
  await exited
  clearTimeout(timer)
  if (child.signalCode === 'SIGKILL' && signal !== 'SIGKILL') {
    throw new Error('The service did not stop in time')
  }
  return child.exitCode
}

/**
 * Starts the built service (`npm run build` makes it) and waits until it says it is ready. Its database has the
 * tables and no row; where `asNew`, the service makes it, which takes seconds. With a `DATABASE_URL` of the test's
 * own (empty: the embedded one), the PostgreSQL database made here is not the service's and has nothing in it.
 */
export async function startServer(
  extra: Settings = {},
  { asNew = false }: { readonly asNew?: boolean } = {},
): Promise<Server> {
  if (!existsSync(join(root, 'dist/main.js'))) throw new Error('Build first: npm run build')
  const folder = await mkdtemp(join(tmpdir(), 'strongroom-'))
  const dataDir = join(folder, 'data')
  const filesDir = join(dataDir, 'files')
  const ownUrl = extra['DATABASE_URL']
  const database = await createDatabase(asNew || ownUrl !== undefined ? 'empty' : 'migrated')
  const sealed = sealedPlace(filesDir)
  const isEmbedded = ownUrl === '' || (ownUrl === undefined && database === undefined)
  if (isEmbedded && extra['DATA_DIR'] === undefined && !asNew) {
    await mkdir(dataDir, { mode: 0o700 })
    await copyCluster('migrated', join(dataDir, 'database'))
  }
  const address = { host: '127.0.0.1', port: await freePort() }
  const origin = `http://${address.host}:${address.port}`
  const secret = randomBytes(32).toString('hex')
  const log: string[] = []
  const base: Settings = {
    HOST: address.host,
    PORT: String(address.port),
    DATA_DIR: dataDir,
    MASTER_KEYS: fernetKey(),
    JWT_SECRET_KEY: secret,
    // Tests ask more often than people do; one of them sets limits.
    RATE_LIMIT_PER_PERSON: '0',
    RATE_LIMIT_PER_ADDRESS: '0',
    ...(database === undefined ? {} : { DATABASE_URL: database.url }),
    ...sealed.settings,
    ...(redisUrl === undefined ? {} : { REDIS_URL: redisUrl }),
    ...extra,
  }
  let children: ChildProcess[] = []
  let proxy: RoundRobin | undefined
  const orphan = () => {
    for (const child of children) child.kill('SIGKILL')
  }
  process.on('exit', orphan)

  let current = base
  const start = async (settings: Settings = {}) => {
    current = { ...base, ...settings }
    if (nodes === 1) {
      children = [launch(current, log)]
      await untilReady(children, origin, log)
      return
    }
    const ports = [await freePort(), await freePort()]
    children = []
    for (const port of ports) {
      children.push(launch({ ...current, PORT: String(port) }, log))
      await untilReady(children, `http://${address.host}:${port}`, log)
    }
    proxy ??= await roundRobin(address.port, ports)
  }
  const endAll = async (signal: NodeJS.Signals) => {
    await proxy?.close()
    proxy = undefined
    const codes = await Promise.all(children.map((child) => end(child, signal)))
    return codes.reduce((worst, code) => (worst === 0 ? code : worst), 0)
  }
  const server: Server = {
    address,
    origin,
    dataDir,
    filesDir,
    secret,
    database,
    logs: () => log.join(''),
    tokenOf: (user, claims = {}) => mintToken(claimsOf(user, claims), secret),
    call: (path, options) => call(origin, path, options),
    sealed,
    blobs: () => sealed.list(),
    command: (...args) => beginCommand(current, args).result,
    beginCommand: (args, settings = {}) => beginCommand({ ...current, ...settings }, args),
    start,
    stop: async () => (children.length === 0 ? null : await endAll('SIGTERM')),
    kill: async () => {
      await endAll('SIGKILL')
    },
    close: async () => {
      await endAll('SIGTERM')
      process.off('exit', orphan)
      await closeConnections(origin)
      await database?.drop()
      await sealed.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
  try {
    await start()
  } catch (error) {
    await server.close()
    throw error
  }
  return server
}
