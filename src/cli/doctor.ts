import { isLoopback } from '../config/addresses.js'
import { checkDevelopmentSecrets } from '../config/development-secrets.js'
import { type Config, ConfigError, inspectConfig } from '../config.js'
import { readPostgresUrl } from '../db/postgres-url.js'
import { whyUnreachable } from '../db/why-unreachable.js'
import { type Finding, warning, well, wrong } from '../doctor/finding.js'
import { lookAtBucket } from '../doctor/look-at-bucket.js'
import { lookAtPostgres } from '../doctor/look-at-database.js'
import { lookAtFolder } from '../doctor/look-at-folder.js'
import { isStrongroomError } from '../errors/strongroom-error.js'
import { CommandFailure, type ExitCode, type Terminal } from './context.js'
import { operate } from './operate.js'

export interface DoctorOptions {
  readonly json?: boolean
}

/**
 * `strongroom doctor`: looks at the settings and at everything the service needs, and says what is wrong and how to
 * mend it. 1 where something is wrong. Changes nothing, but for a file and an object that it takes away again.
 */
export async function doctorCommand(
  terminal: Terminal,
  { json = false }: DoctorOptions,
): Promise<ExitCode> {
  const findings: Finding[] = []
  for await (const found of examine(terminal)) {
    findings.push(...found)
    if (!json) for (const each of found) terminal.out(lineOf(each))
  }
  const count = (state: Finding['state']) => findings.filter((each) => each.state === state).length
  if (json) terminal.out(JSON.stringify(findings))
  else terminal.out(`\n${count('wrong')} wrong, ${count('warning')} to better, ${count('ok')} well`)
  return count('wrong') > 0 ? 1 : 0
}

const marks = { ok: '  ok   ', warning: '  could', wrong: '  WRONG' } as const

function lineOf({ about, state, says, mend }: Finding): string {
  return `${marks[state]} ${about.padEnd(10)} ${says}${mend === undefined ? '' : `\n                     → ${mend}`}`
}

async function* examine(terminal: Terminal): AsyncGenerator<Finding[], void> {
  const { config, problems } = inspectConfig(terminal.loadEnvironment(), terminal.cwd)
  yield* [settingsOf(config, problems)]
  // What is wrong there would be looked at in the wrong place.
  if (problems.length > 0) return
  yield await secretsOf(config)
  yield await lookAtFolder('data', config.dataDir, 'DATA_DIR')
  if (config.storageDriver === 'disk' || config.storageFallback === 'disk') {
    yield await lookAtFolder('files', config.filesDir, 'FILE_STORAGE_PATH')
  }
  if (config.storageDriver === 's3' || config.storageFallback === 's3') yield await bucketOf(config)
  if (config.databaseUrl !== undefined) yield await postgresOf(config, config.databaseUrl)
  yield await keysOf(terminal)
  if (config.redisUrl !== undefined) yield await redisOf(config.redisUrl)
}

function settingsOf({ notices }: Pick<Config, 'notices'>, problems: readonly string[]): Finding[] {
  return [
    ...problems.map((says) => wrong('settings', says, 'strongroom config check says all of them')),
    ...notices.map((says) => warning('settings', says, 'where that is not meant')),
    ...(problems.length === 0 ? [well('settings', 'the service would start with them')] : []),
  ]
}

async function secretsOf(config: Config): Promise<Finding[]> {
  if (config.production) return []
  try {
    await checkDevelopmentSecrets(config)
    return [well('secrets', 'development secrets, where none are set, are as they were')]
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return error.problems.map((says) => wrong('secrets', says, 'the keys of the backup'))
  }
}

async function bucketOf({ s3 }: Pick<Config, 's3'>): Promise<Finding[]> {
  const { inspectBucket } = await import('../blobs/s3/s3-inspection.js')
  return lookAtBucket(await inspectBucket({ ...s3, bucket: s3.bucket ?? '' }))
}

async function postgresOf(config: Config, url: string): Promise<Finding[]> {
  const { openPostgresDatabase } = await import('../db/postgres-database.js')
  const { host, isSocket } = readPostgresUrl(url)
  try {
    const database = await openPostgresDatabase({ url, poolSize: 1 })
    try {
      return await lookAtPostgres(database, {
        connections: config.workers * config.databasePoolSize,
        isElsewhere: !isSocket && !isLoopback(host),
      })
    } finally {
      await database.close()
    }
  } catch (error) {
    if (!isStrongroomError(error)) throw error
    const why = error.detail ?? whyUnreachable(error)
    return [
      wrong(
        'database',
        why === undefined ? 'it cannot be reached' : `it cannot be reached: ${why}`,
        'DATABASE_URL: host, port, user, password, TLS; is it up?',
      ),
    ]
  }
}

/** Through the service, where it owns the database: migrations, check values, and whether the keys answer. */
async function keysOf(terminal: Terminal): Promise<Finding[]> {
  try {
    await operate(terminal, 'keys-status', {})
    return [
      well('schema', 'the database is of this version'),
      well('keys', 'the master keys open what was sealed under them'),
    ]
  } catch (error) {
    if (!(error instanceof CommandFailure)) throw error
    return [wrong('keys', error.message, 'MASTER_KEYS, KEY_PROVIDER; or start the service once')]
  }
}

async function redisOf(url: string): Promise<Finding[]> {
  const { askRedis } = await import('../redis/ask-redis.js')
  const facts = await askRedis(url)
  if (facts.isThere) return [well('redis', `Redis ${facts.version} answers in ${facts.ms} ms`)]
  return [
    warning(
      'redis',
      `Redis is away (${facts.reason}): each node goes on by itself`,
      'REDIS_URL: host, port, user, password; is it up?',
    ),
  ]
}
