import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { eventually } from '../acceptance/support/eventually.js'

/** A real Redis of the test's own, which keeps nothing. */
export interface RedisServer {
  readonly url: string
  /** Nobody listens; what it held is gone. */
  stop(): Promise<void>
  start(): Promise<void>
  /** It takes connections and answers nothing. */
  hang(): void
  goOn(): void
  /** Ends it and removes its folder. */
  close(): Promise<void>
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const address = probe.address()
  probe.close()
  await once(probe, 'close')
  if (address === null || typeof address === 'string') throw new Error('No port to be had')
  return address.port
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    const say = (answer: boolean) => () => {
      socket.destroy()
      resolve(answer)
    }
    socket.on('connect', say(true)).on('error', say(false))
  })
}

/** @throws where `redis-server` is not installed: what is not tested must not seem to be */
export async function startRedis(): Promise<RedisServer> {
  const folder = await mkdtemp(join(tmpdir(), 'strongroom-redis-'))
  const port = await freePort()
  let child: ChildProcess | undefined
  const orphan = () => child?.kill('SIGKILL')
  process.on('exit', orphan)
  const start = async () => {
    const place = ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder]
    const keeping = ['--save', '', '--appendonly', 'no', '--daemonize', 'no']
    child = spawn('redis-server', [...place, ...keeping], { stdio: 'ignore' })
    await once(child, 'spawn')
    await eventually('redis-server', () => accepts(port))
  }
  const stop = async () => {
    if (child === undefined) return
    const over = once(child, 'exit')
    child.kill('SIGKILL')
    await over
    child = undefined
  }
  await start()
  return {
    url: `redis://127.0.0.1:${port}/0`,
    start,
    stop,
    hang: () => {
      child?.kill('SIGSTOP')
    },
    goOn: () => {
      child?.kill('SIGCONT')
    },
    close: async () => {
      await stop()
      process.off('exit', orphan)
      await rm(folder, { recursive: true, force: true })
    },
  }
}
