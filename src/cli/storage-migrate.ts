import type { ResultOf } from '../operations/operations.js'
import { type ExitCode, type Terminal, UsageError } from './context.js'
import { operate } from './operate.js'

export interface MigrateCommandOptions {
  readonly to: string
  readonly removeSource?: boolean
  readonly verify?: boolean
  readonly json?: boolean
}

/** `strongroom storage migrate`: 1 where something is damaged. */
export async function migrateCommand(
  terminal: Terminal,
  { to, removeSource = false, verify = false, json = false }: MigrateCommandOptions,
): Promise<ExitCode> {
  if (to !== 's3' && to !== 'disk') throw new UsageError('--to: expected s3 or disk')
  const wish = { to, remove_source: removeSource, verify } as const
  const report = await operate(terminal, 'storage-migrate', wish)
  if (json) terminal.out(JSON.stringify(report))
  else for (const line of describe(report)) terminal.out(line)
  return report.damaged > 0 ? 1 : 0
}

function describe(report: ResultOf<'storage-migrate'>): string[] {
  const { from, to, copied, bytes, already, compared, removed, vanished, damaged } = report
  return [
    `${copied} sealed files (${bytes} bytes) copied from ${from} to ${to}, read back and the same`,
    `${already} were there already${compared > 0 ? `, ${compared} of them compared` : ''}`,
    ...(vanished > 0 ? [`${vanished} were deleted meanwhile`] : []),
    ...(removed > 0 ? [`${removed} removed from ${from}`] : []),
    `${damaged} damaged${damaged > 0 ? ': named in the log, left where they are' : ''}`,
  ]
}
