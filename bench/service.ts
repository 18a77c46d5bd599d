import { type ChildProcess, spawn } from 'node:child_process'
import { createHmac, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { type IncomingMessage, request } from 'node:http'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { setTimeout as wait } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../../../', import.meta.url))
const startLimitMs = 60_000
const stopLimitMs = 20_000

/** A built service of its own, as an operator would start it: own folder, port and keys. */
export interface Service {
  readonly origin: { readonly host: string; readonly port: number }
  tokenOf(user: string): string
  /** Asks what a command would ask, over the control socket. */
  ask(operation: string): Promise<Readonly<Record<string, unknown>>>
  /** Peak of resident memory since the last reset, in bytes, of the process and of all below it. */
  peakMemory(): Promise<number>
  /** Begins a new peak from what is resident now. */
  resetPeak(): Promise<void>
  /** Bytes the process has asked of read(2) and its kin so far, from files and sockets alike. */
  bytesRead(): Promise<number>
  /** Processor time so far, in seconds: of the thread with the event loop, and of all threads. */
  cpu(): Promise<{ readonly loop: number; readonly all: number }>
  /** Processor time so far, in seconds, of the process and of all below it. */
  cpuOfAll(): Promise<number>
  /** Delay of the event loop since it was last asked, in milliseconds. */
  eventLoop(): Promise<LoopDelay>
  stop(): Promise<void>
}

export interface LoopDelay {
  /** 99th percentile of its ticks. */
  readonly p99: number
  readonly longest: number
}

export interface ServiceOptions {
  /** Flags for node, beside those of `npm start`. */
  readonly flags?: readonly string[]
  readonly settings?: Readonly<Record<string, string>>
  /** False: `eventLoop` is not asked, and nothing in its processes watches for it. */
  readonly isProbed?: boolean
  /** Gets each line of its log, which is shown otherwise. */
  readonly onLog?: (line: string) => void
}

export async function startService({
  flags = [],
  settings = {},
  isProbed = true,
  onLog,
}: ServiceOptions = {}): Promise<Service> {
  const folder = await mkdtemp(join(tmpdir(), 'strongroom-bench-'))
  const origin = { host: '127.0.0.1', port: await freePort() }
  const secret = randomBytes(32).toString('hex')
  const child = spawn(
    process.execPath,
    [...(await startFlags()), ...flags, ...(isProbed ? probe : []), 'dist/main.js'],
    {
      cwd: root,
      env: {
        PATH: process.env['PATH'],
        DATA_DIR: folder,
        HOST: origin.host,
        PORT: String(origin.port),
        JWT_SECRET_KEY: secret,
        MASTER_KEYS: `${randomBytes(32).toString('base64url')}=`,
        LOG_LEVEL: 'warn',
        RATE_LIMIT_PER_PERSON: '0',
        RATE_LIMIT_PER_ADDRESS: '0',
        MAX_FILE_SIZE_MB: '3000',
        ...settings,
      },
      stdio: ['ignore', onLog === undefined ? 'inherit' : 'pipe', 'inherit', 'ipc'],
    },
  )
  if (child.stdout !== null && onLog !== undefined) {
    createInterface({ input: child.stdout }).on('line', onLog)
  }
  const killed = () => child.kill('SIGKILL')
  process.once('exit', killed)
  const stop = async () => {
    await end(child)
    process.off('exit', killed)
    await rm(folder, { recursive: true, force: true })
  }
  try {
    await untilReady(child, origin)
  } catch (error) {
    await stop()
    throw error
  }
  return {
    origin,
    tokenOf: (user) => sign(secret, user),
    ask: asking(folder),
    ...measuring(child),
    stop,
  }
}

function asking(folder: string) {
  return async (operation: string) => {
    const socketPath = join(folder, 'control.sock')
    const call = request({ socketPath, method: 'POST', path: `/operations/${operation}` }).end('{}')
    const [answer] = (await once(call, 'response')) as [IncomingMessage]
    const lines = (await text(answer)).trim().split('\n')
    const { result } = JSON.parse(lines.at(-1) ?? '{}') as { result?: Record<string, unknown> }
    if (result === undefined) throw new Error(`${operation} was not answered`)
    return result
  }
}

const probe = ['--import', new URL('./event-loop-probe.js', import.meta.url).href]

/** What `npm start` gives to node: measured is what is run. */
async function startFlags(): Promise<string[]> {
  const { scripts } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as {
    scripts: { start: string }
  }
  return scripts.start.split(' ').filter((word) => word.startsWith('--'))
}

function measuring(child: ChildProcess) {
  const pid = child.pid ?? 0
  return {
    peakMemory: async () => {
      const peaks = (await familyOf(pid)).map((each) => statusOf(each, 'VmHWM'))
      return (await Promise.all(peaks)).reduce((sum, peak) => sum + peak, 0)
    },
    // proc(5), clear_refs: 5 resets the peak resident set size.
    resetPeak: async () => {
      for (const each of await familyOf(pid)) await writeFile(`/proc/${each}/clear_refs`, '5')
    },
    bytesRead: async () => {
      const io = await readFile(`/proc/${pid}/io`, 'utf8')
      return Number(/^rchar: (\d+)$/m.exec(io)?.[1])
    },
    cpu: async () => ({
      loop: await cpuSeconds(`/proc/${pid}/task/${pid}/stat`),
      all: await cpuSeconds(`/proc/${pid}/stat`),
    }),
    cpuOfAll: async () => {
      const each = (await familyOf(pid)).map((one) => cpuSeconds(`/proc/${one}/stat`))
      return (await Promise.all(each)).reduce((sum, seconds) => sum + seconds, 0)
    },
    eventLoop: async () => {
      const answer = once(child, 'message')
      child.send('event-loop')
      return (await answer)[0] as LoopDelay
    },
  }
}

/** The process and all below it. */
async function familyOf(pid: number): Promise<number[]> {
  const threads = await readdir(`/proc/${pid}/task`)
  const children = await Promise.all(
    threads.map((thread) => readFile(`/proc/${pid}/task/${thread}/children`, 'utf8')),
  )
  const below = children.flatMap((list) => list.split(' ').filter(Boolean).map(Number))
  return [pid, ...(await Promise.all(below.map(familyOf))).flat()]
}

/** User and system time of a stat file of proc(5), whose clock ticks 100 times a second. */
async function cpuSeconds(path: string): Promise<number> {
  const stat = await readFile(path, 'utf8')
  // The name in brackets may hold spaces.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / 100
}

/** A line of /proc/pid/status that is in kB, in bytes. */
async function statusOf(pid: number, name: string): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  return Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]) * 1024
}

function sign(secret: string, user: string): string {
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const claims = { sub: user, roles: ['patient'], exp: Math.floor(Date.now() / 1000) + 3600 }
  const signed = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode(claims)}`
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('No port to be had')
  return address.port
}

async function untilReady(
  child: ChildProcess,
  { host, port }: { host: string; port: number },
): Promise<void> {
  const deadline = performance.now() + startLimitMs
  while (performance.now() < deadline && child.exitCode === null && child.signalCode === null) {
    const ready = await fetch(`http://${host}:${port}/health/ready`).then(
      async (response) => {
        await response.arrayBuffer()
        return response.ok
      },
      () => false,
    )
    if (ready) return
    await wait(50)
  }
  throw new Error('The service did not become ready')
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const over = once(child, 'exit')
  child.kill('SIGTERM')
  const timer = setTimeout(() => child.kill('SIGKILL'), stopLimitMs)
  await over
  clearTimeout(timer)
}
