import type { AuditEvent } from '../../audit/audit-events.js'
import { type EventSummary, summarizeEvent } from '../../audit/event-summary.js'

const columns = [
  ...['event_id', 'at', 'actor_id', 'on_behalf_of', 'roles', 'action', 'outcome', 'reason'],
  ...['file_id', 'version', 'patient_id', 'subject_id', 'grant_id', 'emergency_id', 'bytes'],
  ...['read_session', 'ip', 'user_agent', 'request_id'],
] as readonly (keyof EventSummary)[]

/** CSV as of RFC 4180, with a line of names; roles are parted by blanks. */
export async function* csvLines(events: AsyncIterable<AuditEvent>): AsyncGenerator<string> {
  yield `${columns.join(',')}\r\n`
  for await (const event of events) {
    const entry = summarizeEvent(event)
    yield `${columns.map((name) => cell(entry[name])).join(',')}\r\n`
  }
}

/** One JSON object a line. */
export async function* jsonLines(events: AsyncIterable<AuditEvent>): AsyncGenerator<string> {
  for await (const event of events) yield `${JSON.stringify(summarizeEvent(event))}\n`
}

/** Begins a formula for a spreadsheet: an apostrophe before it makes it text (OWASP, CSV injection). */
const formula = /^[=+\-@\t\r]/

function cell(value: EventSummary[keyof EventSummary]): string {
  if (value === null) return ''
  const text = Array.isArray(value) ? value.join(' ') : String(value)
  const safe = typeof value !== 'number' && formula.test(text) ? `'${text}` : text
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}
