import { readFile } from 'node:fs/promises'
import type { AuditReport } from '../audit/audit-report.js'
import { CommandFailure, type ExitCode, type Terminal } from './context.js'
import { operate } from './operate.js'
import { operatorName } from './operator-name.js'

export interface AuditVerifyOptions {
  readonly anchor?: string
  readonly by?: string
  readonly json?: boolean
}

/** Of a long file: the newest heads, and as many spread over the rest. A chain vouches for those between. */
const MOST_HEADS = 50

/** `strongroom audit verify`: 1 where anything is found. */
export async function auditVerifyCommand(
  terminal: Terminal,
  { anchor, by, json }: AuditVerifyOptions,
): Promise<ExitCode> {
  const heads = anchor === undefined ? {} : { heads: await headsIn(anchor) }
  const report = await operate(terminal, 'audit-verify', { ...heads, by: operatorName(by) })
  if (json === true) terminal.out(JSON.stringify(report))
  else for (const line of describe(report)) terminal.out(line)
  return report.clean ? 0 : 1
}

async function headsIn(path: string): Promise<string[]> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown'
    throw new CommandFailure(`--anchor: the file cannot be read (${code})`)
  })
  const lines = text.split('\n').filter((line) => line !== '')
  if (lines.length === 0) throw new CommandFailure('--anchor: there is no head in the file')
  const older = lines.slice(0, -MOST_HEADS)
  const every = Math.ceil(older.length / MOST_HEADS)
  return [...older.filter((_line, n) => n % every === 0), ...lines.slice(-MOST_HEADS)]
}

const meaning: Readonly<Record<string, string>> = {
  event_changed: 'an event was changed',
  event_removed: 'events were removed',
  event_inserted: 'an event was inserted',
  event_unsealed: 'an event of a process that ended is in no seal',
  seal_changed: 'a seal was changed',
  seal_removed: 'seals were removed',
  seal_misplaced: 'a seal does not follow the one before it',
  anchor_differs: 'a head kept outside is not this log’s',
  anchor_unsigned: 'a head kept outside was not signed by this deployment',
  row_put_back: 'a row stands that the log says was ended or replaced',
}

function describe(report: AuditReport): string[] {
  const { events, seals, unsealed, unsigned, anchors, head, counts, findings, clean } = report
  const until = head.sealed_at === null ? 'nothing is sealed' : `sealed until ${head.sealed_at}`
  return [
    `${events} events, ${unsealed} of them not sealed yet, ${unsigned} without a code`,
    `${seals} seals, ${until}; ${anchors} signed heads compared`,
    ...(clean ? ['The log is what was written.'] : []),
    ...Object.entries(counts).map(([kind, count]) => `${kind}: ${count}, ${meaning[kind] ?? kind}`),
    ...findings.map((finding) => `  ${placeOf(finding)}`),
  ]
}

function placeOf({ kind, row, ...place }: AuditReport['findings'][number]): string {
  const words = { ...place, ...(typeof row === 'object' ? row : {}) }
  const facts = Object.entries(words).map(([name, value]) => `${name} ${String(value)}`)
  return `${String(kind)}: ${facts.join(', ')}`
}
