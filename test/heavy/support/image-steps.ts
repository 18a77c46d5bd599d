import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { cp, mkdir, mkdtemp, readFile, symlink, writeFile } from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import { dirname, join, posix } from 'node:path'
import { promisify } from 'node:util'
import { root } from './deploy-files.js'
import { environmentOf, lastOf, type Stage } from './dockerfile.js'

const run = promisify(execFile)

// No container engine is needed: each stage is a folder that is the root of what runs in it, with the
// programs of this machine in the place of the base image's, in mounts of its own.

const asRoot = process.getuid?.() === 0 ? [] : ['sudo', '-n']
const nodeFolder = dirname(dirname(process.execPath))
const path = `${dirname(process.execPath)}:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`

export async function asOwner(command: string, ...args: string[]): Promise<string> {
  const [program = command, ...rest] = [...asRoot, command, ...args]
  const { stdout } = await run(program, rest, { maxBuffer: 64 * 1024 * 1024 })
  return stdout
}

/** Users of the base image: as in node's own Dockerfile. */
const passwd = `root:x:0:0:root:/root:/bin/sh
node:x:1000:1000::/home/node:/bin/sh
`
const group = `root:x:0:
node:x:1000:
`

const shared = [
  'set -eu',
  'mount --make-rprivate /',
  'mount --bind "$ROOT" "$ROOT"',
  'mount --rbind /usr "$ROOT/usr"',
  'mount --bind /etc "$ROOT/etc"',
  'mount --bind "$USERS/passwd" "$ROOT/etc/passwd"',
  'mount --bind "$USERS/group" "$ROOT/etc/group"',
  'mount --rbind /dev "$ROOT/dev"',
  'mount -t proc proc "$ROOT/proc"',
]
const ownNode = nodeFolder.startsWith('/usr')
  ? []
  : [`mount --bind ${nodeFolder} "$ROOT${nodeFolder}"`]
const temporary = 'mount -t tmpfs -o mode=1777 tmpfs "$ROOT/tmp"'

/**
 * While an image is built: its root can be written, and the package client finds what it knows, in the home that
 * root has in every image. Neither is a path of the machine that runs this.
 */
const building = [
  ...shared,
  ...ownNode,
  temporary,
  '[ ! -d "$CACHE" ] || mount --bind "$CACHE" "$ROOT/root/.npm"',
  '[ ! -f "$SETTINGS" ] || mount --bind "$SETTINGS" "$ROOT/root/.npmrc"',
  'exec chroot "$ROOT" env -i "$@"',
].join('\n')

/** While it runs: as docker-compose.yml has it. */
const running = [
  ...shared,
  ...ownNode,
  'mount -o remount,bind,ro "$ROOT"',
  temporary,
  'mount --bind "$VOLUME" "$ROOT/app/storage"',
  'exec chroot "$ROOT" env -i "$@"',
].join('\n')

const inNamespaces = (script: string, args: readonly string[] = []) => [
  ...asRoot,
  ...['unshare', '--mount', '--pid', '--fork', '--kill-child'],
  ...['sh', '-c', script, 'sh', ...args],
]

const confined = (user: string) => [
  ...['setpriv', `--reuid=${user}`, `--regid=${user}`, '--clear-groups'],
  ...['--inh-caps=-all', '--bounding-set=-all', '--no-new-privs', '--'],
]

export interface Built {
  readonly folder: string
  /** The root of the last stage. */
  readonly rootOf: (alias: string) => string
}

async function emptyRoot(folder: string): Promise<void> {
  const folders = ['usr', 'etc', 'dev', 'proc', 'tmp', 'root/.npm', 'home/node', 'var', 'run']
  for (const each of folders) await mkdir(join(folder, each), { recursive: true })
  if (ownNode.length > 0) await mkdir(join(folder, nodeFolder), { recursive: true })
  await writeFile(join(folder, 'root/.npmrc'), '')
  for (const each of ['bin', 'sbin', 'lib', 'lib64']) {
    await symlink(`usr/${each}`, join(folder, each))
  }
}

/** The build context: what `.dockerignore`, which leaves all out but what it names, lets in. */
async function makeContext(folder: string): Promise<string> {
  const rules = (await readFile(join(root, '.dockerignore'), 'utf8')).split('\n').filter(Boolean)
  if (rules[0] !== '*') throw new Error('.dockerignore begins with *')
  const context = join(folder, 'context')
  for (const rule of rules.slice(1)) {
    const name = rule.slice(1)
    await cp(join(root, name), join(context, name), { recursive: true, preserveTimestamps: true })
  }
  return context
}

/** Carries out COPY and RUN of every stage as they stand. */
export async function buildStages(stages: readonly Stage[]): Promise<Built> {
  const folder = await mkdtemp(join(tmpdir(), 'strongroom-image-'))
  await asOwner('chmod', '755', folder)
  const users = join(folder, 'users')
  await mkdir(users)
  await writeFile(join(users, 'passwd'), passwd)
  await writeFile(join(users, 'group'), group)
  const context = await makeContext(folder)
  const rootOf = (alias: string) => join(folder, `stage-${alias}`)
  for (const stage of stages) await buildStage(stage, { users, context, rootOf })
  return { folder, rootOf }
}

interface Places {
  readonly users: string
  readonly context: string
  readonly rootOf: (alias: string) => string
}

async function buildStage(stage: Stage, { users, context, rootOf }: Places): Promise<void> {
  const place = rootOf(stage.alias)
  await mkdir(place)
  await emptyRoot(place)
  let folder = '/'
  for (const { name, flags, rest } of stage.instructions) {
    if (name === 'WORKDIR') {
      folder = posix.resolve(folder, rest)
      await asOwner('mkdir', '-p', join(place, folder))
    } else if (name === 'COPY') {
      const from = flags['from'] === undefined ? context : rootOf(flags['from'])
      await copy(from, rest.split(/\s+/), join(place, '/'), folder)
    } else if (name === 'RUN') {
      await inBuild({ place, users, folder, environment: environmentOf(stage), command: rest })
    }
  }
}

/** As COPY does: a file into a folder, of a folder what is in it, all of it root's. */
async function copy(from: string, names: string[], place: string, folder: string): Promise<void> {
  const last = names.at(-1) ?? ''
  const target = join(place, posix.resolve(folder, last))
  for (const name of names.slice(0, -1)) {
    const source = join(from, name)
    const isFolder = (await asOwner('stat', '-c', '%F', source)).trim() === 'directory'
    const to = isFolder || !last.endsWith('/') ? target : join(target, posix.basename(name))
    await asOwner('mkdir', '-p', isFolder ? to : dirname(to))
    await asOwner('cp', '-r', '--preserve=mode,timestamps', '-P', '-T', source, to)
    await asOwner('chown', '-R', 'root:root', to)
  }
}

interface Step {
  readonly place: string
  readonly users: string
  readonly folder: string
  readonly environment: Readonly<Record<string, string>>
  readonly command: string
}

/** Runs one RUN. `env -i`: nothing of this process's own environment goes along. */
async function inBuild({ place, users, folder, environment, command }: Step): Promise<void> {
  const passed = Object.entries(process.env).filter(([name]) =>
    /^(?:NODE_EXTRA_CA_CERTS|(?:https?|no)_proxy)$/i.test(name),
  )
  const variables = { ...Object.fromEntries(passed), ...environment, PATH: path, HOME: '/root' }
  const assigned = Object.entries(variables).map(([name, value]) => `${name}=${value}`)
  const inside = [`--chdir=${folder}`, ...assigned, '/bin/sh', '-c', command]
  const [program = '', ...args] = inNamespaces(building, inside)
  const [cache, settings] = [join(homedir(), '.npm'), join(homedir(), '.npmrc')]
  const env = { PATH: path, ROOT: place, USERS: users, CACHE: cache, SETTINGS: settings }
  await run(program, args, { env, maxBuffer: 64 * 1024 * 1024 })
}

/** What runs of an image, process 1 among its own. */
export interface Container {
  readonly child: ChildProcess
  /** All it has written. */
  log(): string
  /** Process 1 by its number out here. */
  pid(): Promise<number>
  /** Runs a command in it as its user; the exit code. */
  exec(command: readonly string[]): Promise<number>
  /** Runs a command in it as root, and gives what it prints. */
  look(command: readonly string[]): Promise<string>
}

export interface RunOptions {
  readonly stage: Stage
  readonly command: readonly string[]
  readonly place: string
  readonly users: string
  /** The volume at /app/storage. */
  readonly volume: string
  readonly environment: Readonly<Record<string, string>>
}

/** Starts a command on a root that cannot be written, without any capability, as the image's user. */
export function startContainer(options: RunOptions): Container {
  const { stage, place, users, volume, command } = options
  const user = lastOf(stage, 'USER').rest
  const folder = lastOf(stage, 'WORKDIR').rest
  const variables = {
    PATH: path,
    HOME: '/home/node',
    ...environmentOf(stage),
    ...options.environment,
  }
  const assigned = Object.entries(variables).map(([name, value]) => `${name}=${value}`)
  const inside = [`--chdir=${folder}`, ...assigned, ...confined(user)]
  const [program = '', ...args] = inNamespaces(running, [...inside, ...command])
  const child = spawn(program, args, {
    env: { PATH: process.env['PATH'], ROOT: place, USERS: users, VOLUME: volume },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const log: string[] = []
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8')
    stream.on('data', (piece: string) => log.push(piece))
  }
  const pid = async () => {
    const children = `/proc/${child.pid}/task/${child.pid}/children`
    const known = existsSync(children) ? (await readFile(children, 'utf8')).trim() : ''
    if (known === '') throw new Error(`It is over:\n${log.join('').slice(-3000)}`)
    return Number(known.split(' ')[0])
  }
  const enter = async (command: readonly string[]) => {
    const into = ['nsenter', '-t', String(await pid()), '--mount', '--pid', '--root']
    return [...asRoot, ...into, 'env', '-i', `--chdir=${folder}`, ...assigned, ...command]
  }
  return {
    child,
    log: () => log.join(''),
    pid,
    exec: async (command) => {
      const [program = '', ...args] = await enter([...confined(user), ...command])
      const over = spawn(program, args, { stdio: 'ignore' })
      return await new Promise((resolve) =>
        over.once('exit', (code) => {
          resolve(code ?? -1)
        }),
      )
    },
    look: async (command) => {
      const [program = '', ...args] = await enter(command)
      return (await run(program, args)).stdout
    },
  }
}
