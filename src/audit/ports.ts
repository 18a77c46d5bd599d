import type { GrantBasis } from '../keys/wrapping.js'
import type { AuditEvent } from './audit-events.js'

/** Place in a list of events: time and id of the last one seen. */
export interface EventCursor {
  readonly at: Date
  readonly id: string
}

export interface EventQuery {
  readonly fileId?: string
  readonly patientId?: string
  readonly limit: number
  readonly after?: EventCursor | undefined
}

/** An event as readers of the log see it: ranges of one reading are one. */
export interface LoggedAccess extends AuditEvent {
  /** Requests that this entry stands for. */
  readonly requests: number
  /** Time of the last of them. */
  readonly lastAt: Date
  /** What that grant rests on. */
  readonly basis: GrantBasis | undefined
  /** Sealed purpose of the grant the access rested on. */
  readonly purpose: SealedNoteRow | undefined
}

/** A short text sealed under a person's key. */
export interface SealedNoteRow {
  readonly sealed: string
  readonly userKeyVersion: number
}

export interface AuditStore {
  /** Inserts the event. In a transaction it commits with the change it tells of. */
  append(event: AuditEvent): Promise<void>
  /** Newest first; requests of one reading (same read session) folded into one entry. */
  accesses(query: EventQuery): Promise<LoggedAccess[]>
}
