import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { provideSecrets } from '../config/development-secrets.js'
import { type Config, readConfig } from '../config.js'
import { isStrongroomError } from '../errors/strongroom-error.js'
import { WrongKeysError } from '../keys/deployment-keys.js'
import { makeLogger } from '../log.js'
import { askService } from '../operations/control-client.js'
import { controlSocketIn } from '../operations/control-socket.js'
import type { Operation, OperationContext, Progress } from '../operations/operation.js'
import type { InputOf, OperationName, ResultOf } from '../operations/operations.js'
import { CommandFailure, type Terminal } from './context.js'
import { progressLine } from './progress-line.js'

/**
 * Carries out an operation: through the service that runs on the embedded database, or else by
 * itself, with PostgreSQL also beside a running service. Ctrl-C breaks it off.
 * @throws ConfigError, CommandFailure
 */
export async function operate<Name extends OperationName>(
  terminal: Terminal,
  name: Name,
  input: InputOf<Name>,
): Promise<ResultOf<Name>> {
  const config = readConfig(terminal.loadEnvironment(), terminal.cwd)
  const interrupted = new AbortController()
  const onSignal = () => {
    interrupted.abort(new CommandFailure('broken off'))
  }
  process.once('SIGINT', onSignal)
  const begun = performance.now()
  const context = {
    signal: interrupted.signal,
    progress: (progress: Progress) => {
      terminal.status?.(progressLine(name, progress, performance.now() - begun))
    },
  }
  try {
    if (config.databaseUrl === undefined) {
      const socket = controlSocketIn(config.dataDir)
      const answer =
        socket === undefined ? undefined : await askService(socket, name, input, context)
      if (answer !== undefined) return answer.result as ResultOf<Name>
    }
    return await byItself(config, terminal, name, input, context)
  } catch (error) {
    if (interrupted.signal.aborted) throw interrupted.signal.reason
    if (isStrongroomError(error)) throw new CommandFailure(`${error.message} (${error.code})`)
    if (error instanceof WrongKeysError) throw new CommandFailure(error.message)
    throw error
  } finally {
    process.off('SIGINT', onSignal)
    terminal.status?.('')
  }
}

async function byItself<Name extends OperationName>(
  config: Config,
  { err }: Terminal,
  name: Name,
  input: InputOf<Name>,
  context: OperationContext,
): Promise<ResultOf<Name>> {
  await refuseEmpty(config)
  const secrets = await provideSecrets(config)
  const write = (line: string) => {
    err(line.trimEnd())
  }
  const log = makeLogger({ logLevel: 'error' }, { write })
  // Beside a running service it is that one's: loading all of it here would be half a second for nothing.
  const { compose } = await import('../compose.js')
  const services = await compose(config, secrets, log, { background: false })
  try {
    // The list is by name; that input and name belong together was seen to by the types above.
    const operation: Operation = services.operations[name]
    return (await operation.run(input, context)) as ResultOf<Name>
  } finally {
    await services.close()
  }
}

/** A wrong DATA_DIR must not become a new deployment. */
async function refuseEmpty({ databaseUrl, dataDir }: Config): Promise<void> {
  if (databaseUrl !== undefined) return
  const folder = join(dataDir, 'database')
  const isThere = await stat(folder).then(
    (facts) => facts.isDirectory(),
    () => false,
  )
  if (!isThere) throw new CommandFailure(`There is no database in ${folder}: DATA_DIR says where`)
}
