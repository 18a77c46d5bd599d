import type { GrantBasis } from '../keys/wrapping.js'
import type { AuditEvent } from './audit-events.js'
import type { AuditMonth } from './audit-month.js'
import { type CodedEvent } from './coded-events.js'

/** Place in a list of events: time and id of the last one seen. */
export interface EventCursor {
  readonly at: Date
  readonly id: string
}

/** Whose accesses: those of a file, of all records of a patient, or of one of them. */
export interface AccessSubject {
  readonly fileId?: string | undefined
  readonly patientId?: string | undefined
}

export interface EventQuery extends AccessSubject {
  readonly limit: number
  readonly after?: EventCursor | undefined
  /** From this time on; requests of one reading before it are not folded into it. */
  readonly from?: Date | undefined
  /** Before this time. */
  readonly to?: Date | undefined
  /** Only these. */
  readonly actions?: readonly AuditEvent['action'][] | undefined
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
  /** When the first and the last of its events were written. */
  accessSpan(
    subject: AccessSubject,
  ): Promise<{ readonly first: Date; readonly last: Date } | undefined>
}

/**
 * What one process wrote since its last seal, closed by those who hold the keys. Seals of all processes
 * are one chain: each has the digest of the one before it.
 */
export interface Seal {
  /** From 1, without gaps. */
  readonly number: number
  /** Digest of the seal before it; 32 zero bytes before the first. */
  readonly previous: Uint8Array
  readonly writerId: string
  /** The lowest number it tells of. */
  readonly firstNumber: number
  /** Numbers of the events in it: `1-5,7`. */
  readonly included: string
  /** Numbers that no event has: their transactions came to nothing. */
  readonly unused: string
  /** Numbers whose events were committed and were gone when another process sealed for a dead one. */
  readonly missing: string
  /** Events in it. */
  readonly events: number
  /** Events in this and all earlier ones. */
  readonly total: number
  /** Of the tree over their codes, in the order of their numbers. */
  readonly root: Uint8Array
  /** Earliest and latest time of its events; of an empty one, when it was made. */
  readonly firstAt: Date
  readonly lastAt: Date
  readonly sealedAt: Date
  /** Made by another process, for a writer that is gone. */
  readonly isAdopted: boolean
}

export interface CodedSeal extends Seal {
  /** HMAC-SHA-256. */
  readonly code: Uint8Array
}

/** How far a writer is sealed. */
export interface WriterPlace {
  readonly writerId: string
  /** Every number up to this one is told of in a seal. */
  readonly sealedTo: number
  /** Ranges of numbers past it that are, too. */
  readonly sealedBeyond: string
}

/** Events of a day that are alike. */
export interface DayCount {
  /** `2026-11-26`, UTC. */
  readonly day: string
  readonly actorId: string
  readonly action: AuditEvent['action']
  readonly outcome: AuditEvent['outcome']
  readonly events: number
}

export interface SealStore {
  /** Waits until nobody else seals; held until the transaction ends. */
  lock(): Promise<void>
  last(): Promise<CodedSeal | undefined>
  find(number: number): Promise<CodedSeal | undefined>
  /** In their order, those with a higher number than `after`. */
  after(number: number, limit: number): Promise<CodedSeal[]>
  insert(seal: CodedSeal): Promise<void>
  /** Adds to the sums. */
  count(days: readonly DayCount[]): Promise<void>
  /** The writer lives, and is sealed so far. */
  saw(place: WriterPlace): Promise<void>
  /** The writer will write no more; false where that was known. */
  end(writerId: string): Promise<boolean>
  /** Removes a writer that never wrote. */
  forget(writerId: string): Promise<void>
  /** Those that did not end and are not heard of for so many milliseconds; never `except`. */
  silent(ms: number, except: string): Promise<WriterPlace[]>
  /** Asks all that did not end, but `except`, to seal what they wrote before; how many these are. */
  ask(except: string): Promise<number>
  /** What the writer was asked and has not answered. */
  question(writerId: string): Promise<number | undefined>
  /** All it wrote before that question is sealed. */
  answer(writerId: string, question: number): Promise<void>
  /** How many but `except` did not end and have left a question open, for less than `withinMs` so far. */
  unanswered(except: string, withinMs: number): Promise<number>
  /** Events of a writer past a number, ascending. Without a code: only those as old as `minAgeMs`. */
  eventsOf(writerId: string, after: number, limit: number, minAgeMs: number): Promise<CodedEvent[]>
  /** Which of these numbers of the writer the log has. */
  present(writerId: string, numbers: readonly number[]): Promise<number[]>
  /** Up to where the events of no writer are sealed. */
  unsignedTo(): Promise<number>
  /** Makes the parts of the log for this month and the next two. */
  makeMonths(): Promise<void>
}

/** Reading all of the log, in the order in which it is verified. */
export interface VerifyStore {
  /** The next writer that wrote an event or has a seal; the first one without `last`. */
  writerAfter(last: string | undefined): Promise<string | undefined>
  /** By number, and events of one number by their ids. */
  eventsAfter(
    writerId: string,
    place: Pick<CodedEvent, 'number' | 'eventId'> | undefined,
    limit: number,
  ): Promise<CodedEvent[]>
  /** By the lowest number they tell of. */
  sealsOf(
    writerId: string,
    place: Pick<CodedSeal, 'firstNumber' | 'number'> | undefined,
    limit: number,
  ): Promise<CodedSeal[]>
  /** Writers that ended. */
  ended(): Promise<string[]>
  /** The first seal over events that carry codes; nothing where there is none. */
  firstSigned(): Promise<number | undefined>
  /** Rows that the log says were ended or replaced. */
  putBack(limit: number): Promise<PutBackRow[]>
  /** Events that say a month was dropped. */
  drops(): Promise<CodedEvent[]>
}

/** An export of a month, as it was put on record. */
export interface MonthExport {
  readonly month: string
  readonly events: number
  /** SHA-256 of its lines. */
  readonly digest: Uint8Array
  readonly exportedAt: Date
}

/** What speaks against dropping a month. */
export interface MonthFacts {
  /** Events dated in it. */
  readonly events: number
  /** Events of the seals that tell of nothing else. */
  readonly sealed: number
  /** Seals over events of this month and another one. */
  readonly straddling: number
  /** A hold on a file or a person stands, of which there is an event in it. */
  readonly isHeld: boolean
  /** Some of it is still to be told elsewhere. */
  readonly isInOutbox: boolean
}

export interface MonthSum {
  readonly month: string
  /** Sealed events, whether they are still here or not. */
  readonly events: number
}

export interface AuditMonthStore {
  /** Months that have a part of the log of their own, oldest first: `2026-11`. */
  parts(): Promise<string[]>
  sums(): Promise<MonthSum[]>
  exports(): Promise<MonthExport[]>
  /** The last one of that month. */
  exported(month: string): Promise<MonthExport | undefined>
  recordExport(row: MonthExport): Promise<void>
  facts(month: Pick<AuditMonth, 'start' | 'end'>): Promise<MonthFacts>
  /** In the order of time and id. */
  eventsIn(
    month: Pick<AuditMonth, 'start' | 'end'>,
    after: EventCursor | undefined,
    limit: number,
  ): Promise<CodedEvent[]>
}

/** The parts of the log, as only the owner of the tables can change them. */
export interface MonthParts {
  /** Before anything is said to be dropped. @throws StrongroomError `conflict` where it is not the owner */
  assertOwner(): Promise<void>
  /** Removes it for good. @throws StrongroomError `conflict` while others are in the way */
  drop(month: AuditMonth): Promise<void>
}

/** Files that months are exported to. */
export interface MonthFiles {
  /** Whole and durable, or not at all. @throws StrongroomError `conflict` where there is one already */
  write(path: string, lines: AsyncIterable<string>): Promise<void>
  /** Its lines. @throws StrongroomError `invalid_field` where it cannot be read as one */
  read(path: string): AsyncIterable<string>
}

export interface PutBackRow {
  readonly table: string
  readonly ids: Readonly<Record<string, string | number>>
  /** The event that says so. */
  readonly eventId: string
  readonly at: Date
}

/** Where heads are put that whoever rewrites the database cannot take back. */
export interface Anchor {
  /** Resolves once the line is kept there. */
  put(line: string): Promise<void>
}

/** Which events are meant: all that is given has to fit. */
export interface EventFilter {
  /** Who acted. */
  readonly userId?: string | undefined
  readonly patientId?: string | undefined
  readonly fileId?: string | undefined
  readonly action?: AuditEvent['action'] | undefined
  readonly outcome?: AuditEvent['outcome'] | undefined
  /** From this time on. */
  readonly from?: Date | undefined
  /** Before this time. */
  readonly to?: Date | undefined
}

/** How many events of a day are alike. */
export interface DaySum {
  readonly day: string
  readonly action: string
  readonly outcome: string
  readonly events: number
}

export interface ReportStore {
  /**
   * Newest first. What hardly anything goes with is looked for no further than `lookedTo`: where that is
   * given, fewer than `limit` does not mean that there are no more.
   */
  events(
    filter: EventFilter,
    page: { readonly limit: number; readonly after?: EventCursor | undefined },
  ): Promise<{ readonly events: AuditEvent[]; readonly lookedTo?: EventCursor | undefined }>
  /** Sums of sealed events, by day, action and outcome. */
  sums(span: {
    readonly from: string
    readonly to: string
    readonly userId?: string | undefined
  }): Promise<DaySum[]>
}
