import type { ExitCode, Terminal } from './context.js'
import { operate } from './operate.js'

export interface AuditStatusOptions {
  readonly json?: boolean
}

/** `strongroom audit status` */
export async function auditStatusCommand(
  terminal: Terminal,
  { json }: AuditStatusOptions,
): Promise<ExitCode> {
  const status = await operate(terminal, 'audit-status', {})
  if (json === true) {
    terminal.out(JSON.stringify(status))
    return 0
  }
  const { waiting, lag_ms, head } = status
  terminal.out(`seal ${head.seal}, ${head.events} events, digest ${head.digest}`)
  terminal.out(`${waiting} events wait for the next one, the oldest for ${lag_ms} ms`)
  return 0
}
