import type { SweepReport } from '../files/sweep.js'
import { type ExitCode, type Terminal, UsageError } from './context.js'
import { operate } from './operate.js'

export interface SweepCommandOptions {
  readonly dryRun?: boolean
  readonly graceHours?: string
  readonly force?: boolean
  readonly json?: boolean
}

/** `strongroom sweep`: 1 where damage was found, or so much debris that nothing was removed. */
export async function sweepCommand(
  terminal: Terminal,
  options: SweepCommandOptions,
): Promise<ExitCode> {
  const report = await operate(terminal, 'sweep', {
    dry_run: options.dryRun === true,
    force: options.force === true,
    ...(options.graceHours === undefined ? {} : { grace_hours: hoursOf(options.graceHours) }),
  })
  if (options.json === true) terminal.out(JSON.stringify(report))
  else for (const line of describe(report)) terminal.out(line)
  return report.damaged > 0 || report.refused ? 1 : 0
}

function hoursOf(text: string): number {
  const hours = /^\d{1,4}$/.test(text) ? Number(text) : 0
  if (hours < 1 || hours > 8_760) {
    throw new UsageError('--grace-hours: expected a whole number of hours from 1 to 8760')
  }
  return hours
}

function describe(report: SweepReport): string[] {
  const { dry_run: isDry, refused, sound, orphans, orphan_bytes, young, intents } = report
  const does = isDry || refused ? 'not touched' : 'removed'
  return [
    `${sound} sealed files are where the database says`,
    `${orphans} without a row (${orphan_bytes} bytes): ${isDry || refused ? 'not touched' : 'set aside'}`,
    `${report.destroyed} set aside long ago: ${isDry || refused ? 'not touched' : 'destroyed'}`,
    `${young} without a row, too young to tell: left alone`,
    `${intents} intents of uploads that came to nothing, ${report.half_written} half-written files: ${does}`,
    `${report.damaged} rows without their bytes${report.damaged > 0 ? ': DAMAGE, named in the log' : ''}`,
    ...(refused
      ? [
          'Too much to be debris. Is this the right database? Nothing was touched; --force sets it aside',
        ]
      : []),
  ]
}
