import type { AuditEvent } from '../../audit/audit-events.js'
import { type EventSummary, summarizeEvent } from '../../audit/event-summary.js'
import { fhirAuditEvent } from '../../audit/fhir-audit-event.js'
import { csvTable } from './csv.js'

const columns = [
  ...['event_id', 'at', 'actor_id', 'on_behalf_of', 'roles', 'action', 'outcome', 'reason'],
  ...['file_id', 'version', 'patient_id', 'subject_id', 'grant_id', 'emergency_id', 'bytes'],
  ...['read_session', 'ip', 'user_agent', 'request_id'],
] as readonly (keyof EventSummary)[]

/** CSV as of RFC 4180, with a line of names; roles are parted by blanks. */
export function csvLines(events: AsyncIterable<AuditEvent>): AsyncGenerator<string> {
  return csvTable(columns, summaries(events))
}

async function* summaries(events: AsyncIterable<AuditEvent>): AsyncGenerator<EventSummary> {
  for await (const event of events) yield summarizeEvent(event)
}

/** One JSON object a line. */
export async function* jsonLines(events: AsyncIterable<AuditEvent>): AsyncGenerator<string> {
  for await (const entry of summaries(events)) yield `${JSON.stringify(entry)}\n`
}

/** One FHIR AuditEvent a line. */
export async function* fhirLines(events: AsyncIterable<AuditEvent>): AsyncGenerator<string> {
  for await (const event of events) yield `${JSON.stringify(fhirAuditEvent(event))}\n`
}
