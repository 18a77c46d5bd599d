import { execFile } from 'node:child_process'
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)
const bin = '/usr/lib/postgresql/15/bin'

/** A PostgreSQL 15 that a test has to itself, to be stopped and started. */
export interface OwnCluster {
  readonly url: string
  start(): Promise<void>
  /** `fast` ends every connection and writes all out; `immediate` just ends, as a crash. */
  stop(mode: 'fast' | 'immediate'): Promise<void>
  /** Makes of a standby the one that writes. */
  promote(): Promise<void>
  /** A file in its folder, in place of what is there. */
  put(name: string, content: string): Promise<void>
  close(): Promise<void>
}

/** As the user that a server wants to run as. */
async function asPostgres(command: string, args: readonly string[]): Promise<void> {
  const isRoot = process.getuid?.() === 0
  if (isRoot) await run('runuser', ['-u', 'postgres', '--', command, ...args])
  else await run(command, args)
}

async function freePort(): Promise<number> {
  const probe = createServer()
  await new Promise<void>((resolve) => {
    probe.listen(0, '127.0.0.1', resolve)
  })
  const address = probe.address()
  await new Promise((resolve) => {
    probe.close(resolve)
  })
  if (address === null || typeof address === 'string') throw new Error('No port to be had')
  return address.port
}

export async function ownCluster(): Promise<OwnCluster> {
  const folder = await mkdtemp(join(tmpdir(), 'strongroom-cluster-'))
  // Its owner must be able to get there.
  await chmod(folder, 0o711)
  const data = join(folder, 'data')
  if (process.getuid?.() === 0) {
    await run('install', ['-d', '-m', '700', '-o', 'postgres', '-g', 'postgres', data])
  } else await mkdir(data, { mode: 0o700 })
  const initial = ['-A', 'trust', '-U', 'postgres', '--no-sync', '-E', 'UTF8', '--locale=C.UTF-8']
  await asPostgres(join(bin, 'initdb'), ['-D', data, ...initial])
  const port = await freePort()
  const settings = `-p ${port} -c listen_addresses=127.0.0.1 -c unix_socket_directories=`
  const control = (...args: string[]) =>
    asPostgres(join(bin, 'pg_ctl'), ['-D', data, '-w', '-t', '60', ...args])
  let running = false
  const cluster: OwnCluster = {
    url: `postgres://postgres@127.0.0.1:${port}/postgres`,
    start: async () => {
      await control('-l', join(data, 'log'), '-o', settings, 'start')
      running = true
    },
    stop: async (mode) => {
      running = false
      await control('-m', mode, 'stop')
    },
    promote: () => control('promote'),
    put: async (name, content) => {
      const path = join(data, name)
      await writeFile(path, content)
      await chmod(path, 0o600)
      if (process.getuid?.() === 0) await run('chown', ['postgres:postgres', path])
    },
    close: async () => {
      if (running) await cluster.stop('immediate')
      await rm(folder, { recursive: true, force: true })
    },
  }
  await cluster.start()
  return cluster
}
