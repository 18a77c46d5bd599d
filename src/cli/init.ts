import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseEnv } from 'node:util'
import { readDevelopmentMasterKey } from '../config/development-secrets.js'
import { quote } from '../config/example.js'
import { newMasterKey, newSecret } from '../config/secrets.js'
import type { composeSecrets } from '../config/variables-compose.js'
import { hasCode, writePrivateFile } from '../config/write-private-file.js'
import { ConfigError, inspectConfig } from '../config.js'
import type { ExitCode, Terminal } from './context.js'

/** What was in a `.env` before. */
type Earlier = Readonly<Record<string, string>>

/**
 * `strongroom init`: writes `.env` with fresh secrets, readable by its owner alone. A master key that
 * files may be sealed under is never lost: `--force` keeps that of the file it replaces, and one made
 * for development is taken over.
 */
export async function init(terminal: Terminal, options: { force?: boolean }): Promise<ExitCode> {
  const { cwd, out } = terminal
  const path = join(cwd, '.env')
  const earlier = await readEarlier(path)
  if (earlier !== undefined && options.force !== true) throw alreadyThere(path)
  const development = await readDevelopmentMasterKey(
    inspectConfig(terminal.loadEnvironment(), cwd).config,
  )
  const replace = options.force === true
  if (!(await writePrivateFile(path, renderEnv(earlier ?? {}, development), { replace }))) {
    throw alreadyThere(path)
  }
  out(`Wrote ${path}, readable by you alone.`)
  if (!keepsMasterKeys(earlier) && development !== undefined) {
    out('MASTER_KEYS is the key made for development, as files may be sealed under it.')
  }
  out('Keep a copy of MASTER_KEYS apart from the data: files cannot be opened without it.')
  return 0
}

function alreadyThere(path: string): ConfigError {
  return new ConfigError([`${path} is there already: --force replaces it, keeping its master keys`])
}

async function readEarlier(path: string): Promise<Earlier | undefined> {
  try {
    return parseEnv(await readFile(path, 'utf8')) as Earlier
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined
    throw new ConfigError([`${path} cannot be read`])
  }
}

// Made anew by init: neither they nor their other spellings are carried over.
const freshNames = ['JWT_SECRET_KEY', 'JWT_SECRET', 'METRICS_TOKEN'].flatMap((name) => [
  name,
  `${name}_FILE`,
])

const has = (earlier: Earlier | undefined, name: string): boolean =>
  (earlier?.[name] ?? '') !== '' || (earlier?.[`${name}_FILE`] ?? '') !== ''

const keepsMasterKeys = (earlier: Earlier | undefined) => has(earlier, 'MASTER_KEYS')

function renderEnv(earlier: Earlier, developmentKey: string | undefined): string {
  const masterKeys = keepsMasterKeys(earlier)
    ? []
    : [
        '# Files are sealed under this key: lose it and they are lost. Keep a copy apart from the data.',
        `MASTER_KEYS=${developmentKey ?? newMasterKey()}`,
        '',
      ]
  const kept = Object.entries(earlier)
    .filter(([name, value]) => value !== '' && !freshNames.includes(name))
    .map(([name, value]) => `${name}=${quote(value)}`)
  return [
    '# Settings of Strongroom, written by `strongroom init`. Private: it holds secrets.',
    '# .env.example names everything that can be set; `strongroom config check` says what is wrong.',
    '',
    ...masterKeys,
    '# What callers’ tokens are signed with (HS256): the portal needs the same.',
    `JWT_SECRET_KEY=${newSecret()}`,
    '',
    ...renderComposeSecrets(earlier),
    '# Bearer token for /metrics and the details of /health/ready.',
    `METRICS_TOKEN=${newSecret(24)}`,
    ...(kept.length === 0 ? [] : ['', '# Kept from the file before.', ...kept]),
    '',
  ].join('\n')
}

/** What the servers of docker-compose.yml ask for. Their volumes remember it, so it is never changed. */
function renderComposeSecrets(earlier: Earlier): string[] {
  const fresh: Record<keyof typeof composeSecrets, () => string> = {
    POSTGRES_PASSWORD: () => newSecret(24),
    REDIS_PASSWORD: () => newSecret(24),
    GARAGE_ACCESS_KEY: () => `GK${randomBytes(12).toString('hex')}`,
    GARAGE_SECRET_KEY: () => randomBytes(32).toString('hex'),
    GARAGE_RPC_SECRET: () => randomBytes(32).toString('hex'),
  }
  const lines = Object.entries(fresh)
    .filter(([name]) => !has(earlier, name))
    .map(([name, make]) => `${name}=${make()}`)
  return lines.length === 0 ? [] : ['# For the servers of docker-compose.yml.', ...lines, '']
}
