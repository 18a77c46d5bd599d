import { readConfig } from '../config.js'
import type { Progress } from '../operations/operation.js'
import { untilBrokenOff } from './broken-off.js'
import { CommandFailure, type ExitCode, type Terminal } from './context.js'
import { operateKeyless } from './operate-keyless.js'
import { progressLine } from './progress-line.js'

export interface DatabaseMoveCommandOptions {
  readonly abandon?: boolean
  readonly json?: boolean
}

/** `strongroom database move`: through the service that runs, or by itself where none does. */
export async function databaseMoveCommand(
  terminal: Terminal,
  { abandon = false, json = false }: DatabaseMoveCommandOptions,
): Promise<ExitCode> {
  const config = readConfig(terminal.loadEnvironment(), terminal.cwd)
  const { databaseUrl, databaseMoveUrl: target } = config
  if (databaseUrl !== undefined) {
    throw new CommandFailure('DATABASE_URL is set: the service is on PostgreSQL already')
  }
  if (target === undefined) {
    throw new CommandFailure('DATABASE_MOVE_URL: expected the database to move to')
  }
  const tell = (report: object, lines: readonly string[]) => {
    for (const line of json ? [JSON.stringify(report)] : lines) terminal.out(line)
  }
  await untilBrokenOff(async (signal) => {
    if (abandon) {
      const report = await operateKeyless(config, 'database-abandon', { target }, signal)
      tell(report, [report.abandoned ? GIVEN_UP : 'There is no move: nothing was changed'])
      return
    }
    const context = { signal, progress: showing(terminal) }
    const report = await operateKeyless(config, 'database-move', { target }, context)
    tell(report, [
      `${report.rows} rows of ${report.tables} tables are in the new database, compared and the same`,
      `writing stood still for ${report.stopped_ms} ms, and the embedded database takes no change any more:`,
      'set DATABASE_URL and start the service again',
    ])
  }).finally(() => terminal.status?.(''))
  return 0
}

const GIVEN_UP =
  'The move was given up: the embedded database serves, and what is in the other one can be served by nobody'

function showing({ status }: Terminal): (progress: Progress) => void {
  const begun = performance.now()
  return (progress) => {
    status?.(progressLine('database move', progress, performance.now() - begun))
  }
}
