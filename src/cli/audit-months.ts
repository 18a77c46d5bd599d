import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { checkMonth, type MonthStatement } from '../audit/month-export.js'
import { isStrongroomError } from '../errors/strongroom-error.js'
import { monthFiles } from '../integrations/month-files.js'
import { CommandFailure, type ExitCode, type Terminal, UsageError } from './context.js'
import { operate } from './operate.js'
import { operatorName } from './operator-name.js'

export interface AuditMonthsOptions {
  readonly json?: boolean
}

export interface AuditExportOptions {
  readonly out: string
  readonly by?: string
  readonly json?: boolean
}

export interface CheckExportOptions {
  readonly key: string
  readonly json?: boolean
}

export interface AuditDropOptions {
  readonly export: string
  readonly yes?: boolean
  readonly by?: string
  readonly json?: boolean
}

/** `strongroom audit months` */
export async function auditMonthsCommand(
  terminal: Terminal,
  { json }: AuditMonthsOptions,
): Promise<ExitCode> {
  const months = await operate(terminal, 'audit-months', {})
  if (json === true) {
    terminal.out(JSON.stringify(months))
    return 0
  }
  for (const { month, events, here, past_retention, exported_at } of months) {
    const words = [
      `${events} events`,
      here ? 'here' : 'dropped, or in no part of its own',
      exported_at === null ? 'never exported' : `exported at ${exported_at}`,
      ...(past_retention && here ? ['may be dropped'] : []),
    ]
    terminal.out(`${month}: ${words.join(', ')}`)
  }
  return 0
}

/** `strongroom audit export` */
export async function auditExportCommand(
  terminal: Terminal,
  { month, out, by, json }: AuditExportOptions & { readonly month: string },
): Promise<ExitCode> {
  const path = resolve(terminal.cwd, out)
  const input = { month: checked(month), path, by: operatorName(by) }
  tell(terminal, await operate(terminal, 'audit-export', input), json, `written to ${path}`)
  return 0
}

/** `strongroom audit check-export`: 1 where it is not genuine. Touches nothing but the two files. */
export async function checkExportCommand(
  terminal: Terminal,
  { file, key, json }: CheckExportOptions & { readonly file: string },
): Promise<ExitCode> {
  const publicKey = await readFile(resolve(terminal.cwd, key), 'utf8').catch(() => {
    throw new CommandFailure(`${key} cannot be read`)
  })
  try {
    const lines = monthFiles().read(resolve(terminal.cwd, file))
    tell(terminal, await checkMonth(publicKey, lines), json, 'genuine, whole, and as it was signed')
    return 0
  } catch (error) {
    if (isStrongroomError(error)) {
      throw new CommandFailure(`not genuine: ${error.message}`)
    }
    throw error
  }
}

/** `strongroom audit drop` */
export async function auditDropCommand(
  terminal: Terminal,
  { month, yes, by, json, export: file }: AuditDropOptions & { readonly month: string },
): Promise<ExitCode> {
  if (yes !== true) throw new UsageError('--yes: a month that was dropped is gone from here')
  const input = { month: checked(month), path: resolve(terminal.cwd, file), by: operatorName(by) }
  tell(
    terminal,
    await operate(terminal, 'audit-drop', input),
    json,
    'dropped; the export is what is left',
  )
  return 0
}

function checked(month: string): string {
  if (/^\d{4}-(?:0[1-9]|1[0-2])$/.test(month)) return month
  throw new UsageError('expected a month like 2020-01')
}

function tell(
  { out }: Terminal,
  statement: MonthStatement,
  json: boolean | undefined,
  what: string,
): void {
  if (json === true) {
    out(JSON.stringify(statement))
    return
  }
  const { month, events, sha256, exported_at } = statement
  out(`${month}: ${events} events, ${what}`)
  out(`exported at ${exported_at}, SHA-256 of its lines ${sha256}`)
}
