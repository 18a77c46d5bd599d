import type { SealedNoteRow } from '../audit/ports.js'
import type { EmergencyReads, FileStores } from '../files/ports.js'
import type { RecordTypeStore } from '../records/ports.js'

/** Why a record cannot wait for a grant. */
export const reasonCodes = [
  'life_threatening',
  'urgent_treatment',
  'patient_unable_to_consent',
  'other',
] as const

export type ReasonCode = (typeof reasonCodes)[number]

export type Finding = 'justified' | 'unjustified'

export interface EmergencyRow {
  readonly emergencyId: string
  readonly clinicianId: string
  readonly patientId: string
  readonly reasonCode: ReasonCode
  /** Ids of the sensitive record types it opens, sorted. */
  readonly sensitiveTypes: readonly string[]
  readonly requestedAt: Date
  readonly endsAt: Date
  readonly endedAt: Date | null
  readonly endedBy: string | null
  readonly reviewedAt: Date | null
  readonly reviewedBy: string | null
  readonly finding: Finding | null
}

/** A text about an emergency access, sealed under its patient's key about its own id. */
export interface EmergencyNote extends SealedNoteRow {
  readonly noteId: string
}

/** With what was sealed of it; nothing of that is left once the patient's keys were destroyed. */
export interface NotedEmergency extends EmergencyRow {
  readonly terms: EmergencyNote | null
  readonly review: EmergencyNote | null
  /** Records that it opened. */
  readonly records: number
}

export interface EmergencyQuery {
  /** 'pending': open, or not reviewed yet. */
  readonly status: 'pending' | 'open' | 'to_review' | 'reviewed' | 'all'
  /** Only those this person asked for, or is the patient of. */
  readonly concerning?: string | undefined
  readonly patientId?: string | undefined
  readonly now: Date
  readonly limit: number
  readonly after?: { readonly at: Date; readonly id: string } | undefined
}

export interface EmergencyStore extends EmergencyReads {
  /** False where the clinician has one that did not end. */
  insert(row: EmergencyRow): Promise<boolean>
  /** @throws StrongroomError `person_erased`; `keys_unavailable` where that key was turned meanwhile */
  insertNote(
    emergency: Pick<EmergencyRow, 'emergencyId' | 'patientId'>,
    kind: 'terms' | 'review',
    note: EmergencyNote,
  ): Promise<void>
  find(emergencyId: string): Promise<NotedEmergency | undefined>
  /** Locked until the transaction ends. */
  lock(emergencyId: string): Promise<EmergencyRow | undefined>
  /** The last one this clinician asked for on this patient. */
  latest(clinicianId: string, patientId: string): Promise<NotedEmergency | undefined>
  /** The one of this clinician that did not end. */
  going(clinicianId: string): Promise<EmergencyRow | undefined>
  /** Newest first. */
  list(query: EmergencyQuery): Promise<NotedEmergency[]>
  /** Ids of those past their end that did not end yet. */
  lapsed(now: Date, limit: number): Promise<string[]>
  end(emergencyId: string, by: string, at: Date): Promise<void>
  review(emergencyId: string, by: string, at: Date, finding: Finding): Promise<void>
  /** Whether there is a record of this person. */
  hasRecords(patientId: string): Promise<boolean>
}

export interface EmergencyStores extends FileStores {
  readonly emergencies: EmergencyStore
  readonly types: Pick<RecordTypeStore, 'all' | 'find'>
}
