import type { ExitCode, Terminal } from './context.js'
import { operate } from './operate.js'

export interface PurgeOptions {
  readonly json?: boolean
}

/** `strongroom purge` */
export async function purgeCommand(terminal: Terminal, { json }: PurgeOptions): Promise<ExitCode> {
  const report = await operate(terminal, 'purge', {})
  if (json === true) {
    terminal.out(JSON.stringify(report))
    return 0
  }
  terminal.out(`${report.purged} deleted files destroyed: their time was over`)
  terminal.out(`${report.held} left: their time is over, and they are under legal hold`)
  return 0
}
