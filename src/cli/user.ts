import { randomBytes } from 'node:crypto'
import { roles as knownRoles, type Role } from '../people/roles.js'
import { type ExitCode, type Terminal, UsageError } from './context.js'
import { operate } from './operate.js'
import { operatorName } from './operator-name.js'
import { secretOf } from './secret-file.js'

export interface UserCreateOptions {
  readonly email: string
  readonly name?: string
  readonly admin?: boolean
  readonly role?: readonly string[]
  readonly passwordFile?: string
  readonly generate?: boolean
  readonly by?: string
  readonly json?: boolean
}

/** `strongroom user create` */
export async function userCreateCommand(
  terminal: Terminal,
  options: UserCreateOptions,
): Promise<ExitCode> {
  const { email, name, admin = false, role = [], generate = false, passwordFile: file } = options
  if (generate && file !== undefined) {
    throw new UsageError('expected --generate or --password-file, not both')
  }
  const roles = [...new Set([...role.map(roleOf), ...(admin ? (['admin'] as const) : [])])]
  const password = generate
    ? randomBytes(15).toString('base64url')
    : await secretOf(
        terminal,
        { what: 'password', option: '--password-file', file },
        { twice: true },
      )
  const made = await operate(terminal, 'user-create', {
    ...{ email, roles, by: operatorName(options.by) },
    ...(name === undefined ? {} : { full_name: name }),
    ...(/^\$(?:2[aby]|argon2id)\$/.test(password) ? { password_hash: password } : { password }),
  })
  if (options.json === true) {
    terminal.out(JSON.stringify({ ...made, ...(generate ? { password } : {}) }))
  } else {
    terminal.out(made.id)
    if (generate) terminal.out(password)
  }
  return 0
}

function roleOf(word: string): Role {
  const role = knownRoles.find((each) => each === word)
  if (role === undefined) {
    throw new UsageError(`--role: expected one of ${knownRoles.join(', ')}`)
  }
  return role
}
