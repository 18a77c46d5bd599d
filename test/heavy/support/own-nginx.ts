import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdir, mkdtemp, readdir, readFile, readlink, rm, writeFile } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { promisify } from 'node:util'
import { root } from './deploy-files.js'

const run = promisify(execFile)
const program = '/usr/sbin/nginx'
export const siteName = 'files.portal.example'

/** A running nginx with the configuration that users are given, on ports and in a folder of its own. */
export interface OwnNginx {
  readonly port: number
  readonly plainPort: number
  /** What clients have to trust. */
  readonly certificate: string
  /** What `nginx -t` said of the configuration. */
  readonly verdict: string
  log(name: 'access' | 'error'): Promise<string>
  /** Names of files that hold, or held, bytes on their way through. */
  temporaryFiles(): Promise<string[]>
  /** The most memory its worker ever had, in bytes. */
  peakMemory(): Promise<number>
  close(): Promise<void>
}

export async function freePort(): Promise<number> {
  const probe = createServer()
  probe.listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const address = probe.address()
  probe.close()
  await once(probe, 'close')
  if (address === null || typeof address === 'string') throw new Error('No port to be had')
  return address.port
}

/** The most memory a process ever had, in bytes. */
export async function peakMemoryOf(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024
}

interface Places {
  readonly folder: string
  readonly servicePort: number
  readonly port: number
  readonly plainPort: number
}

/** The users' file with the lines they are to change changed, and each of them exactly as often as it stands. */
async function configuration({ folder, servicePort, port, plainPort }: Places): Promise<string> {
  let text = await readFile(join(root, 'deploy/nginx/strongroom.conf'), 'utf8')
  const put = (from: string, to: string) => {
    if (text.split(from).length !== 2) throw new Error(`Expected once: ${from}`)
    text = text.replace(from, to)
  }
  put('server 127.0.0.1:8006 ', `server 127.0.0.1:${servicePort} `)
  put('listen [::]:80; # »', '')
  put('listen [::]:443 ssl http2; # »', '')
  put('listen 80; # »', `listen 127.0.0.1:${plainPort};`)
  put('listen 443 ssl http2; # »', `listen 127.0.0.1:${port} ssl http2;`)
  put('/etc/ssl/strongroom/fullchain.pem', `${folder}/certificate.pem`)
  put('/etc/ssl/strongroom/private.key', `${folder}/private.key`)
  put('/var/log/nginx/strongroom.log', `${folder}/access.log`)
  put('/var/log/nginx/strongroom-error.log', `${folder}/error.log`)
  return text
}

const temporary = ['body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']

const main = (folder: string) => `
daemon off;
worker_processes 1;
pid ${folder}/pid;
error_log ${folder}/main.log warn;
events { worker_connections 512; }
http {
${temporary.map((name) => `  ${name === 'body' ? 'client_body' : name}_temp_path ${folder}/temporary/${name};`).join('\n')}
  include ${folder}/strongroom.conf;
}
`

async function makeCertificate(folder: string): Promise<void> {
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
  const names = ['-subj', `/CN=${siteName}`, '-addext', `subjectAltName=DNS:${siteName}`]
  const files = ['-keyout', join(folder, 'private.key'), '-out', join(folder, 'certificate.pem')]
  await run('openssl', ['req', '-x509', '-days', '2', ...key, ...names, ...files])
}

async function untilListening(child: ChildProcess, port: number): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt += 1) {
    const socket = connect({ host: '127.0.0.1', port })
    const isThere = await Promise.race([
      once(socket, 'connect').then(
        () => true,
        () => false,
      ),
      wait(1000, false),
    ])
    socket.destroy()
    if (isThere) return
    if (child.exitCode !== null) break
    await wait(50)
  }
  throw new Error('nginx does not listen')
}

async function workerOf(pid: number): Promise<number> {
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')
  return Number(children.trim().split(' ')[0])
}

/** Files of a process that lie in a folder, deleted ones too. */
async function openIn(pid: number, folder: string): Promise<string[]> {
  const fds = await readdir(`/proc/${pid}/fd`)
  const links = await Promise.all(
    fds.map((fd) => readlink(`/proc/${pid}/fd/${fd}`).catch(() => 'closed meanwhile')),
  )
  return links.filter((link) => link.startsWith(folder))
}

export async function ownNginx(servicePort: number): Promise<OwnNginx> {
  const folder = await mkdtemp(join(tmpdir(), 'strongroom-nginx-'))
  const held = join(folder, 'temporary')
  await mkdir(held)
  // Its workers have a user of their own.
  await Promise.all([chmod(folder, 0o711), chmod(held, 0o711)])
  const [port, plainPort] = [await freePort(), await freePort()]
  await makeCertificate(folder)
  const text = await configuration({ folder, servicePort, port, plainPort })
  await writeFile(join(folder, 'strongroom.conf'), text)
  await writeFile(join(folder, 'nginx.conf'), main(folder))
  const options = ['-p', folder, '-c', join(folder, 'nginx.conf'), '-e', join(folder, 'main.log')]
  const { stderr: verdict } = await run(program, ['-t', ...options])
  const child = spawn(program, options, { stdio: 'ignore' })
  const orphan = () => child.kill('SIGKILL')
  process.on('exit', orphan)
  await untilListening(child, port)
  const worker = await workerOf(child.pid ?? 0)
  return {
    port,
    plainPort,
    verdict,
    certificate: await readFile(join(folder, 'certificate.pem'), 'utf8'),
    log: (name) => readFile(join(folder, `${name}.log`), 'utf8'),
    temporaryFiles: async () => {
      const entries = await readdir(held, { recursive: true, withFileTypes: true })
      const files = entries.filter((entry) => entry.isFile()).map(({ name }) => name)
      return [...files, ...(await openIn(worker, held))]
    },
    peakMemory: () => peakMemoryOf(worker),
    close: async () => {
      process.off('exit', orphan)
      if (child.exitCode === null) {
        const over = once(child, 'exit')
        child.kill('SIGTERM')
        await over
      }
      await rm(folder, { recursive: true, force: true })
    },
  }
}
