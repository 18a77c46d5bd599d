import { mkdir, readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Config } from '../config.js'
import { ConfigError } from './config-error.js'
import { WrongValue } from './kinds.js'
import { type JwtSecret, masterKeys, newMasterKey, newSecret, weaknessOf } from './secrets.js'
import { hasCode, writePrivateFile } from './write-private-file.js'

/** The secrets to run with, and what to say about them at start. */
export interface Secrets {
  /** Fernet keys in url-safe base64, the first of which wraps; none where others hold the master key. */
  readonly masterKeys: readonly string[]
  readonly jwtSecrets: readonly JwtSecret[]
  readonly notices: readonly string[]
}

type Settings = Pick<
  Config,
  'production' | 'dataDir' | 'filesDir' | 'keys' | 'jwt' | 'knowsCallers'
>

interface SecretFile {
  readonly name: string
  /** What the secret is called in messages. */
  readonly title: string
  readonly variable: string
  make: () => string
  /** Throws WrongValue where the file does not hold what it should. */
  check: (content: string) => void
}

const masterKeyFile: SecretFile = {
  name: 'master.key',
  title: 'master key',
  variable: 'MASTER_KEYS',
  make: newMasterKey,
  check: masterKeys,
}

const jwtSecretFile: SecretFile = {
  name: 'jwt.secret',
  title: 'JWT secret',
  variable: 'JWT_SECRET_KEY',
  make: newSecret,
  check: (content) => {
    if (weaknessOf(content) !== undefined) throw new WrongValue('at least 32 random bytes')
  },
}

/** Folder of the development secrets. */
export function keysDir({ dataDir }: Pick<Config, 'dataDir'>): string {
  return join(dataDir, 'keys')
}

/**
 * The secrets of the settings and, for those that are absent outside production, development ones:
 * read from `keys/` in the data folder, made there at the first start (0600 in a 0700 folder).
 * To be called before anything else is made in the data folder.
 *
 * @throws ConfigError where sealed data exist but the key file is gone: a new key would open none of
 *   them; where a key file does not hold a key; in production
 */
export async function provideSecrets(settings: Settings): Promise<Secrets> {
  const notices: string[] = []
  const keys =
    settings.keys.masterKeys ??
    (needsMasterKey(settings) ? [await developmentMasterKey(settings, notices)] : [])
  const jwtSecrets = await jwtSecretsOf(settings, notices)
  return { masterKeys: keys, jwtSecrets, notices }
}

/** The secrets tokens are verified with: configured, or the development one as in provideSecrets. */
export async function provideJwtSecrets(
  settings: Settings,
): Promise<Pick<Secrets, 'jwtSecrets' | 'notices'>> {
  const notices: string[] = []
  return { jwtSecrets: await jwtSecretsOf(settings, notices), notices }
}

/** None is made where callers are known otherwise: it would be a second way in that nobody asked for. */
async function jwtSecretsOf(settings: Settings, notices: string[]): Promise<readonly JwtSecret[]> {
  if (settings.jwt.secrets !== undefined) return settings.jwt.secrets
  if (settings.knowsCallers) return []
  return [{ kid: undefined, secret: await provide(jwtSecretFile, settings, notices) }]
}

/**
 * Whether development secrets can be had, without making any.
 *
 * @throws ConfigError as provideSecrets
 */
export async function checkDevelopmentSecrets(settings: Settings): Promise<void> {
  if (!settings.knowsCallers) {
    await readSecret(jwtSecretFile, keysDir(settings))
  }
  if (settings.keys.masterKeys !== undefined || !needsMasterKey(settings)) return
  if ((await readDevelopmentMasterKey(settings)) !== undefined) return
  const path = join(keysDir(settings), masterKeyFile.name)
  for (const folder of [join(settings.dataDir, 'database'), settings.filesDir]) {
    if (await holdsAnything(folder)) {
      throw new ConfigError([
        `MASTER_KEYS is absent and so is ${path}, but ${folder} is not empty: a new master key would open nothing in it. Expected the key these data were sealed under, in MASTER_KEYS or in that file`,
      ])
    }
  }
}

/** Where KMS or Vault holds the master key none is made here. */
function needsMasterKey({ keys }: Settings): boolean {
  return keys.provider === 'local'
}

/** The development master key, or undefined where there is none yet. */
export function readDevelopmentMasterKey(settings: Settings): Promise<string | undefined> {
  return readSecret(masterKeyFile, keysDir(settings))
}

async function developmentMasterKey(settings: Settings, notices: string[]): Promise<string> {
  await checkDevelopmentSecrets(settings)
  return provide(masterKeyFile, settings, notices)
}

async function provide(file: SecretFile, settings: Settings, notices: string[]): Promise<string> {
  if (settings.production) throw new ConfigError([`${file.variable}: expected in production`])
  const folder = keysDir(settings)
  const existing = await readSecret(file, folder)
  const secret = existing ?? (await makeSecret(file, folder))
  const path = join(folder, file.name)
  notices.push(
    `${file.variable} is absent: a development ${file.title} is used, ${existing === undefined ? 'made just now' : 'read'} in ${path}. Not for real data, loopback only`,
  )
  if (((await stat(path)).mode & 0o077) !== 0) {
    notices.push(`${path} can be read by others: expected mode 0600`)
  }
  return secret
}

async function readSecret(file: SecretFile, folder: string): Promise<string | undefined> {
  const path = join(folder, file.name)
  try {
    const content = (await readFile(path, 'utf8')).trim()
    file.check(content)
    if (content === '') throw new WrongValue('a secret')
    return content
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined
    if (!(error instanceof WrongValue)) throw unreadable(path, error)
    throw new ConfigError([`${path}: expected a ${file.title}, ${error.message}`])
  }
}

function unreadable(path: string, error: unknown): ConfigError {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error'
  return new ConfigError([`${path} cannot be read (${code})`])
}

/** Makes the file, or reads the one another process made in the meantime. */
async function makeSecret(file: SecretFile, folder: string): Promise<string> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const made = file.make()
  if (await writePrivateFile(join(folder, file.name), `${made}\n`)) return made
  const others = await readSecret(file, folder)
  if (others === undefined) {
    throw new ConfigError([`${join(folder, file.name)} disappeared while it was being made`])
  }
  return others
}

// What a freshly made file system holds by itself.
const ownOfFileSystem = ['lost+found']

async function holdsAnything(folder: string): Promise<boolean> {
  try {
    return (await readdir(folder)).some((name) => !ownOfFileSystem.includes(name))
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return false
    throw error
  }
}
