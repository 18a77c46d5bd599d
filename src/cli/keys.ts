import type { KeyStatus, MasterKeyStatus } from '../rotation/key-status.js'
import { type ExitCode, type Terminal, UsageError } from './context.js'
import { operate } from './operate.js'

export interface KeysCommandOptions {
  readonly json?: boolean
}

/** `strongroom keys status` */
export async function keysStatusCommand(
  terminal: Terminal,
  { json }: KeysCommandOptions,
): Promise<ExitCode> {
  const status = await operate(terminal, 'keys-status', {})
  if (json === true) terminal.out(JSON.stringify(status))
  else for (const line of describe(status)) terminal.out(line)
  return 0
}

/** `strongroom keys rotate-master` */
export async function rotateMasterCommand(
  terminal: Terminal,
  { json }: KeysCommandOptions,
): Promise<ExitCode> {
  const report = await operate(terminal, 'keys-rotate-master', {})
  if (json === true) {
    terminal.out(JSON.stringify(report))
    return 0
  }
  const { master_key, rewrapped, already, deployment_keys, verified } = report
  terminal.out(`${rewrapped} user keys re-wrapped, ${already} were under ${master_key} before`)
  terminal.out(`${deployment_keys} keys of the deployment re-wrapped`)
  terminal.out(`${verified} user keys opened again under ${master_key}`)
  return 0
}

/** `strongroom keys rotate-user <user>` */
export async function rotateUserCommand(
  terminal: Terminal,
  { json, user }: KeysCommandOptions & { readonly user: string },
): Promise<ExitCode> {
  const report = await operate(terminal, 'keys-rotate-user', { user_id: personOf(user) })
  if (json === true) {
    terminal.out(JSON.stringify(report))
    return 0
  }
  const { version, rewrapped, purposes, verified } = report
  terminal.out(`${rewrapped} file keys and ${purposes} purposes put under version ${version}`)
  terminal.out(`${verified} file keys opened again under it`)
  terminal.out('Versions before it are removed once nothing under way needs them.')
  return 0
}

export interface ResealCommandOptions extends KeysCommandOptions {
  readonly user?: string
  readonly file?: string
}

/** `strongroom keys reseal --user <id> | --file <id>` */
export async function resealCommand(
  terminal: Terminal,
  { json, user, file }: ResealCommandOptions,
): Promise<ExitCode> {
  if ((user === undefined) === (file === undefined)) {
    throw new UsageError('expected either --user or --file')
  }
  const input = user === undefined ? { file_id: fileIdOf(file) } : { user_id: personOf(user) }
  const report = await operate(terminal, 'keys-reseal', input)
  if (json === true) terminal.out(JSON.stringify(report))
  else {
    terminal.out(`${report.versions} versions sealed anew, ${report.bytes} bytes of content`)
    terminal.out('The sealed bytes before are destroyed in a quarter of an hour.')
  }
  return 0
}

function personOf(user: string): string {
  if (user !== '' && user.length <= 128) return user
  throw new UsageError('expected the id of a person: 1 to 128 characters')
}

function fileIdOf(text = ''): string {
  if (/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(text.toLowerCase())) {
    return text.toLowerCase()
  }
  throw new UsageError('--file: expected the id of a file')
}

/** `strongroom keys retire <id>` */
export async function retireMasterCommand(
  terminal: Terminal,
  { json, id }: KeysCommandOptions & { readonly id: string },
): Promise<ExitCode> {
  if (!/^[0-9a-f]{16}$/.test(id)) {
    throw new UsageError('expected the id of a master key: `strongroom keys status` lists them')
  }
  const retired = await operate(terminal, 'keys-retire', { master_key: id })
  if (json === true) {
    terminal.out(JSON.stringify(retired))
    return 0
  }
  terminal.out(`Master key ${id} is retired: nothing needs it.`)
  terminal.out(
    retired.nodes > 0
      ? 'Take it out of MASTER_KEYS of every node now, before the next restart of any.'
      : 'No node runs with it.',
  )
  terminal.out('Keep it for as long as a backup is kept that was made while it was in use.')
  return 0
}

function describe({ master_keys, nodes, unknown }: KeyStatus): string[] {
  const lines = master_keys.map(lineOf)
  return [
    `${nodes} ${nodes === 1 ? 'node serves' : 'nodes serve'}`,
    ...lines,
    ...(unknown > 0 ? [`${unknown} user keys not looked at yet: rotate-master does`] : []),
  ]
}

const steps = {
  move_first: 'may be moved to the front of MASTER_KEYS, on every node',
  rotate: 'rotate-master moves everything under it',
  retire: 'may be retired',
} as const

function lineOf(key: MasterKeyStatus): string {
  const facts = [
    key.configured === 'first'
      ? 'wraps here'
      : key.configured === 'yes'
        ? 'opens here'
        : 'not here',
    `on ${key.nodes} nodes, first on ${key.nodes_first}`,
    `${key.user_keys} user keys`,
    ...(key.deployment_keys > 0 ? [`${key.deployment_keys} keys of the deployment`] : []),
    ...(key.check_value ? [] : ['retired']),
    ...key.safe.map((step) => `safe now: ${steps[step]}`),
  ]
  return `${key.id}  ${facts.join('; ')}`
}
