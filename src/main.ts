import cluster from 'node:cluster'
import { setTimeout as pause } from 'node:timers/promises'
import type { Logger } from 'pino'
import { buildApp } from './app.js'
import { runPrimary } from './cluster/primary.js'
import { compose, type Services } from './compose.js'
import { provideSecrets, type Secrets } from './config/development-secrets.js'
import { type Config, ConfigError, loadEnvironment, readConfig } from './config.js'
import { whyUnreachable } from './db/why-unreachable.js'
import { isStrongroomError } from './errors/strongroom-error.js'
import type { App } from './http/app-type.js'
import { WrongKeysError } from './keys/deployment-keys.js'
import { KeysUnavailableError } from './keys/keys-unavailable.js'
import { makeLogger, serializeError } from './log.js'
import { answerForWorkers } from './metrics/cluster-metrics.js'
import { type ControlServer, serveControl } from './operations/control-server.js'
import { controlSocketIn } from './operations/control-socket.js'

/** Time for closing after the transfers are over, before the process ends all the same. */
const closingSeconds = 10
/** Of these, time to put on record what is broken off. */
const auditSeconds = 3

async function main(): Promise<void> {
  const config = readConfig(loadEnvironment())
  const log = loggerOf(config)
  exitOnUnexpected(log)
  const secrets = await provideSecrets(config)
  if (cluster.isPrimary) {
    for (const notice of [...config.notices, ...secrets.notices]) log.warn(notice)
  }
  if (cluster.isPrimary && config.workers > 1) {
    answerForWorkers(cluster)
    const stopMs = (config.shutdownSeconds + 2 * closingSeconds) * 1_000
    process.exit(await runPrimary({ workers: config.workers, stopMs, log }))
  }
  await serve(config, secrets, log)
}

/** Several processes write to one log: each line says whose it is. */
function loggerOf(config: Config): Logger {
  const log = makeLogger(config)
  const { worker } = cluster
  return worker === undefined ? log : log.child({ worker: worker.id })
}

async function serve(config: Config, secrets: Secrets, log: Logger): Promise<void> {
  const services = await compose(config, secrets, log)
  const app = await buildApp({ config, log, services })
  const control = await openControl(config, services, log)
  stopOnSignals(async () => {
    log.info({ seconds: config.shutdownSeconds }, 'stopping: transfers may finish')
    try {
      await stop(app, services, config, control)
    } catch (err) {
      log.fatal({ err }, 'the stop failed')
      process.exit(1)
    }
    log.info('stopped')
  }, config.shutdownSeconds)
  await listen(app, config)
}

/** For commands beside the embedded database, which has one owner: this process. */
async function openControl(
  { databaseUrl, dataDir }: Config,
  { operations }: Pick<Services, 'operations'>,
  log: Logger,
): Promise<ControlServer | undefined> {
  if (databaseUrl !== undefined) return undefined
  const path = controlSocketIn(dataDir)
  if (path === undefined) {
    log.warn('DATA_DIR is too long for a control socket: commands need the service stopped')
    return undefined
  }
  try {
    return await serveControl({ path, operations, log })
  } catch (err) {
    log.warn({ err }, 'no control socket: commands can only be given while the service is stopped')
    return undefined
  }
}

async function listen(app: App, { http }: Config): Promise<void> {
  // A name with several addresses would make several servers, of which the plugins know one.
  const host = http.host === 'localhost' ? '127.0.0.1' : http.host
  const listenTextResolver = (address: string) => `Strongroom listens at ${address}`
  await app.listen({ host, port: http.port, listenTextResolver })
}

async function stop(
  app: App,
  services: Pick<Services, 'breakOff' | 'close'>,
  { shutdownSeconds }: Config,
  control: ControlServer | undefined,
): Promise<void> {
  const controlClosed = control?.close()
  const breakOff = setTimeout(() => {
    // Where the audit log is away as well, uploads still have to tidy up in what is left of the time.
    void Promise.race([services.breakOff(), pause(auditSeconds * 1_000)]).finally(() => {
      app.server.closeAllConnections()
    })
  }, shutdownSeconds * 1_000)
  await app.close()
  clearTimeout(breakOff)
  await controlClosed
  await services.close()
}

/**
 * The first signal lets transfers finish; the second, or a close that hangs, ends the process at once. A worker
 * may be told twice, by its primary and by whoever tells the whole group: there the primary decides.
 */
function stopOnSignals(stopService: () => Promise<void>, shutdownSeconds: number): void {
  let stopping = false
  const onSignal = () => {
    if (stopping && cluster.isWorker) return
    if (stopping) process.exit(1)
    stopping = true
    setTimeout(() => process.exit(1), (shutdownSeconds + closingSeconds) * 1_000).unref()
    void stopService().then(() => process.exit(0))
  }
  process.on('SIGTERM', onSignal).on('SIGINT', onSignal)
}

function exitOnUnexpected(log: Logger): void {
  for (const event of ['uncaughtException', 'unhandledRejection']) {
    process.on(event, (error: unknown) => {
      // The logger serializes it: what is serialized before says nothing any more.
      log.fatal({ err: error }, event)
      process.exit(1)
    })
  }
}

function fail(error: unknown): void {
  for (const line of reasons(error)) process.stderr.write(`${line}\n`)
  process.exit(1)
}

/** What an operator looks at, by the code of an error. */
const advice = new Map<unknown, string>([
  ['EADDRINUSE', 'The port is in use by another process; PORT names another.'],
  ['EADDRNOTAVAIL', 'HOST is not an address of this machine.'],
  ['ENOTFOUND', 'HOST is not a name of this machine.'],
  [
    'database_unavailable',
    'The database cannot be used. DATABASE_URL names it; absent: the embedded one in DATA_DIR.',
  ],
  [
    'storage_unavailable',
    'The place of sealed files cannot be used. FILE_STORAGE_PATH names the folder (absent: files/ in DATA_DIR), S3_BUCKET the bucket.',
  ],
])

/** What an operator can act on; of anything else what it is and where it came from. */
function reasons(error: unknown): readonly string[] {
  if (error instanceof ConfigError) return error.problems
  if (error instanceof WrongKeysError) return [error.message]
  if (error instanceof KeysUnavailableError) {
    return [`The master keys cannot be used. KEY_PROVIDER says who holds them. ${error.message}`]
  }
  if (isStrongroomError(error) && error.detail !== undefined) return [error.detail]
  const known = advice.get(codeOf(error))
  if (known === undefined) {
    return [`Strongroom could not start: ${JSON.stringify(serializeError(error))}`]
  }
  const cause = whyUnreachable(error) ?? (error instanceof Error ? codeOf(error.cause) : undefined)
  return [cause === undefined ? known : `${known} (${cause})`]
}

function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined
  return typeof error.code === 'string' ? error.code : undefined
}

main().catch(fail)
