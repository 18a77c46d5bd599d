import type { AuditEvent } from './audit-events.js'

/** An event as reports and exports tell it; what is absent is null. */
export interface EventSummary {
  readonly event_id: string
  readonly at: string
  readonly actor_id: string
  readonly on_behalf_of: string | null
  readonly roles: string[]
  readonly action: string
  readonly outcome: string
  readonly reason: string | null
  readonly file_id: string | null
  readonly version: number | null
  readonly patient_id: string | null
  readonly subject_id: string | null
  readonly grant_id: string | null
  readonly emergency_id: string | null
  readonly bytes: number | null
  readonly read_session: string | null
  readonly ip: string
  readonly user_agent: string
  readonly request_id: string
}

export function summarizeEvent(event: AuditEvent): EventSummary {
  return {
    event_id: event.eventId,
    at: event.at.toISOString(),
    actor_id: event.actorId,
    on_behalf_of: event.onBehalfOf ?? null,
    roles: [...event.roles],
    action: event.action,
    outcome: event.outcome,
    reason: event.reason ?? null,
    file_id: event.fileId ?? null,
    version: event.version ?? null,
    patient_id: event.patientId ?? null,
    subject_id: event.subjectId ?? null,
    grant_id: event.grantId ?? null,
    emergency_id: event.emergencyId ?? null,
    bytes: event.bytes ?? null,
    read_session: event.readSession ?? null,
    ip: event.ip,
    user_agent: event.userAgent,
    request_id: event.requestId,
  }
}
