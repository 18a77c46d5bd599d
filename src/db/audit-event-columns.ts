import type { AuditEvent } from '../audit/audit-events.js'
import { type CodedEvent } from '../audit/coded-events.js'

type Optional =
  | 'onBehalfOf'
  | 'reason'
  | 'fileId'
  | 'subjectId'
  | 'patientId'
  | 'grantId'
  | 'version'
  | 'bytes'
  | 'readSession'
  | 'emergencyId'

/** The fields that may be absent, as their columns are. */
export type OptionalColumns = { readonly [K in Optional]: NonNullable<AuditEvent[K]> | null }

export type CodedEventColumns = Omit<CodedEvent, Optional> & OptionalColumns

/** All of an event, its place and its code. */
export const codedColumns = `event_id as "eventId", at, actor_id as "actorId",
  on_behalf_of as "onBehalfOf", roles, action, outcome, reason, file_id as "fileId",
  subject_id as "subjectId", patient_id as "patientId", grant_id as "grantId", version, bytes, ip,
  user_agent as "userAgent", request_id as "requestId", read_session as "readSession",
  emergency_id as "emergencyId", writer_id as "writerId", writer_number as "number", settled,
  mac as code`

export function toCodedEvent(row: CodedEventColumns): CodedEvent {
  return { ...row, ...withoutNulls(row) }
}

/** The fields that may be absent, absent where they are null. */
export function withoutNulls(row: OptionalColumns): {
  readonly [K in Optional]-?: AuditEvent[K] | undefined
} {
  return {
    onBehalfOf: row.onBehalfOf ?? undefined,
    reason: row.reason ?? undefined,
    fileId: row.fileId ?? undefined,
    subjectId: row.subjectId ?? undefined,
    patientId: row.patientId ?? undefined,
    grantId: row.grantId ?? undefined,
    version: row.version ?? undefined,
    bytes: row.bytes ?? undefined,
    readSession: row.readSession ?? undefined,
    emergencyId: row.emergencyId ?? undefined,
  }
}
