import type { NotedEmergency } from './ports.js'

/** An emergency access as its calls answer it. */
export interface EmergencySummary {
  readonly emergency_id: string
  readonly clinician_id: string
  readonly patient_id: string
  readonly reason_code: string
  /** Null for those who may not know it, and once the patient's keys were destroyed. */
  readonly reason: string | null
  /** False where the row is not what was sealed: somebody wrote to the database. Null once that is destroyed. */
  readonly intact: boolean | null
  readonly sensitive_types: string[]
  readonly status: 'open' | 'to_review' | 'reviewed'
  readonly requested_at: string
  readonly ends_at: string
  readonly ended_at: string | null
  readonly ended_by: string | null
  /** Records it opened. */
  readonly records: number
  readonly reviewed_at: string | null
  readonly reviewed_by: string | null
  readonly finding: string | null
  readonly review_note: string | null
}

export interface EmergencyTexts {
  readonly intact: boolean | null
  readonly reason: string | null
  readonly reviewNote: string | null
}

/** One past its end is over, whether that was noticed or not. */
export function isOver(row: Pick<NotedEmergency, 'endedAt' | 'endsAt'>, now: Date): boolean {
  return row.endedAt !== null || row.endsAt <= now
}

export function summarizeEmergency(
  row: NotedEmergency,
  { intact, reason, reviewNote }: EmergencyTexts,
  now: Date,
): EmergencySummary {
  const endedAt = row.endedAt ?? (row.endsAt <= now ? row.endsAt : null)
  return {
    emergency_id: row.emergencyId,
    clinician_id: row.clinicianId,
    patient_id: row.patientId,
    reason_code: row.reasonCode,
    reason,
    intact,
    sensitive_types: [...row.sensitiveTypes],
    status: row.reviewedAt !== null ? 'reviewed' : endedAt === null ? 'open' : 'to_review',
    requested_at: row.requestedAt.toISOString(),
    ends_at: row.endsAt.toISOString(),
    ended_at: endedAt?.toISOString() ?? null,
    ended_by: row.endedBy,
    records: row.records,
    reviewed_at: row.reviewedAt?.toISOString() ?? null,
    reviewed_by: row.reviewedBy,
    finding: row.finding,
    review_note: reviewNote,
  }
}
