import type { FileStores, StandingEmergency } from '../files/ports.js'
import type { JobStore } from '../jobs/ports.js'

export interface RecordType {
  readonly id: string
  readonly name: string
  /** Media types; empty: those of the service. */
  readonly allowedTypes: readonly string[]
  /** Bytes; null: the service's limit. */
  readonly maxBytes: number | null
  readonly retentionDays: number | null
  /** Not opened by team grants. */
  readonly sensitive: boolean
}

export interface RecordTypeStore {
  all(): Promise<RecordType[]>
  find(id: string): Promise<RecordType | undefined>
  insert(type: RecordType): Promise<boolean>
  update(type: RecordType): Promise<boolean>
  /** 'used': there are records of this type. */
  remove(id: string): Promise<'removed' | 'used' | 'unknown'>
}

export interface AssignmentRow {
  readonly assignmentId: string
  readonly clinicianId: string
  readonly patientId: string
  readonly startsAt: Date
  readonly endsAt: Date | null
  readonly createdBy: string
}

export interface AssignmentQuery {
  readonly clinicianId?: string | undefined
  readonly patientId?: string | undefined
  readonly limit: number
  readonly after?: { readonly at: Date; readonly id: string } | undefined
}

export interface AssignmentStore {
  isAssigned(clinicianId: string, patientId: string, at: Date): Promise<boolean>
  list(query: AssignmentQuery): Promise<AssignmentRow[]>
  insert(row: AssignmentRow): Promise<void>
  /** Ends all that stand between the two at `at`; how many. */
  end(clinicianId: string, patientId: string, at: Date): Promise<number>
}

/** Whether a clinician is assigned to a patient: our own table, or the portal. */
export interface Assignments {
  /** @throws StrongroomError `assignments_unavailable` while the portal is away */
  isAssigned(clinicianId: string, patientId: string): Promise<boolean>
}

/** An emergency access, past its end or not. */
export interface KnownEmergency extends StandingEmergency {
  readonly isOver: boolean
  /** Ids of the sensitive record types that were named. */
  readonly sensitiveTypes: readonly string[]
}

/** Emergency access as far as opening records asks for it. */
export interface Emergencies {
  /**
   * The last one this person had on this patient. @throws StrongroomError `damaged` where its row is not what
   * was sealed
   */
  between(clinicianId: string, patientId: string): Promise<KnownEmergency | undefined>
  isOpen(emergencyId: string): Promise<boolean>
  /** Ids of all record types that are sensitive. */
  sensitiveTypes(): Promise<string[]>
}

/** Work of the team-grant job: a record of the patient on which the clinician holds no grant. */
export interface TeamGrantStore {
  /** Live record file ids of the patient, sensitive types excepted, without a grant of the clinician's. */
  missingTeamGrants(clinicianId: string, patientId: string, limit: number): Promise<string[]>
  /** Clinicians assigned to the patient at `at`, by our own table. */
  assignedClinicians(patientId: string, at: Date): Promise<string[]>
}

export interface RecordStores extends FileStores {
  readonly types: RecordTypeStore
  readonly assignments: AssignmentStore
  readonly team: TeamGrantStore
  readonly jobs: JobStore
}
