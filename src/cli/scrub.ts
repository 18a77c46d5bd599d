import type { ScrubReport } from '../files/scrub.js'
import { type ExitCode, type Terminal, UsageError } from './context.js'
import { operate } from './operate.js'

export interface ScrubCommandOptions {
  readonly rate?: string
  readonly force?: boolean
  readonly json?: boolean
}

/** `strongroom scrub`: 1 where anything is damaged, or everything missing. */
export async function scrubCommand(
  terminal: Terminal,
  { rate, force = false, json }: ScrubCommandOptions,
): Promise<ExitCode> {
  const pace = rate === undefined ? {} : { mb_per_second: rateOf(rate) }
  const report = await operate(terminal, 'scrub', { ...pace, force })
  if (json === true) terminal.out(JSON.stringify(report))
  else for (const line of describe(report)) terminal.out(line)
  return report.damaged_files > 0 || report.refused ? 1 : 0
}

function rateOf(text: string): number {
  const rate = /^\d{1,5}$/.test(text) ? Number(text) : 0
  if (rate < 1 || rate > 10_000) {
    throw new UsageError('--rate: expected a whole number of MiB a second from 1 to 10000')
  }
  return rate
}

function describe({ refused, checked, bytes, damaged, damaged_files }: ScrubReport): string[] {
  return [
    ...(refused
      ? ['File after file is missing. Is this the right storage, and mounted? --force goes on']
      : []),
    `${checked} sealed files opened from end to end, ${bytes} bytes of content`,
    `${damaged_files} damaged${damaged_files > 0 ? ': bring their bytes back from a backup' : ''}`,
    ...damaged.map(({ file_id, version, sealed_id, segment, reason }) => {
      const where = typeof segment === 'number' ? `segment ${segment}` : (segment ?? 'whole')
      return `  file ${file_id} version ${version}, sealed ${sealed_id}, ${where}: ${reason}`
    }),
  ]
}
