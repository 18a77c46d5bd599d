import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { DatabasePlace } from '../compose.js'
import type { KeylessOptions, KeylessPlace } from '../compose-keyless.js'
import { isStrongroomError } from '../errors/strongroom-error.js'
import type { BackupOperations } from '../operations/backup-operations.js'
import { askService } from '../operations/control-client.js'
import { controlSocketIn } from '../operations/control-socket.js'
import type { DatabaseOperations } from '../operations/database-operations.js'
import type { Operation, OperationContext } from '../operations/operation.js'
import type { InputOf, ResultOf } from '../operations/operations.js'
import { CommandFailure } from './context.js'

type Name = keyof BackupOperations | keyof DatabaseOperations

/**
 * As `operate`, for what needs no keys and must work without: through the service that runs on the
 * embedded database, or else by itself.
 * @throws CommandFailure
 */
export async function operateKeyless<N extends Name>(
  place: KeylessPlace,
  name: N,
  input: InputOf<N>,
  watching: AbortSignal | OperationContext,
): Promise<ResultOf<N>> {
  const context =
    watching instanceof AbortSignal ? { signal: watching, progress: () => undefined } : watching
  return await asCommand(async () => {
    if (place.databaseUrl === undefined) {
      const socket = controlSocketIn(place.dataDir)
      const answer =
        socket === undefined ? undefined : await askService(socket, name, input, context)
      if (answer !== undefined) return answer.result as ResultOf<N>
    }
    return await onDatabase(place, name, input, context)
  })
}

/** Carries out an operation on the database there, by itself. */
export async function onDatabase<N extends Name>(
  place: KeylessPlace,
  name: N,
  input: InputOf<N>,
  context: OperationContext,
  options: KeylessOptions = {},
): Promise<ResultOf<N>> {
  await refuseEmpty(place)
  // What breaks while nothing is asked is the error of the next statement.
  // Loaded only where it is this process that opens the database.
  const { composeKeyless } = await import('../compose-keyless.js')
  const services = await composeKeyless(place, () => undefined, options)
  try {
    // The list is by name; that input and name belong together was seen to by the types above.
    const operation: Operation = services.operations[name]
    return (await operation.run(input, context)) as ResultOf<N>
  } finally {
    await services.close()
  }
}

/** What a use case throws, as the command says it. */
export async function asCommand<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (isStrongroomError(error)) throw new CommandFailure(`${error.message} (${error.code})`)
    throw error
  }
}

/** A wrong DATA_DIR must not become a new deployment. */
async function refuseEmpty({ databaseUrl, dataDir }: DatabasePlace): Promise<void> {
  if (databaseUrl !== undefined) return
  const folder = join(dataDir, 'database')
  const isThere = await stat(folder).then(
    (facts) => facts.isDirectory(),
    () => false,
  )
  if (!isThere) throw new CommandFailure(`There is no database in ${folder}: DATA_DIR says where`)
}
