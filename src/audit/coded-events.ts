import type { AuditEvent } from './audit-events.js'

/** The writer of events that had no key to code them with: before there were codes, or keys were lost. */
export const UNSIGNED_WRITER = '00000000-0000-0000-0000-000000000000'

/** Where an event stands in the log. */
export interface EventPlace {
  /** The process that wrote it: a random UUID for each start. */
  readonly writerId: string
  /** That writer's number for it, from 1. */
  readonly number: number
  /** Every number up to this one was certain to the writer when it wrote this. */
  readonly settled: number
}

export type PlacedEvent = AuditEvent & EventPlace

/** An event with its place, and the code over both; empty where nobody had the key. */
export type CodedEvent = PlacedEvent & { readonly code: Uint8Array }

/** The events of one transaction. One of its four ends **must** be told. */
export interface WritingScope {
  /** Gives an event its number and code. Throws once an end was told. */
  readonly place: (event: AuditEvent) => CodedEvent
  /** What was placed so far was rolled back: the work begins anew. */
  again(): void
  committed(): void
  rolledBack(): void
  /** Nobody knows whether it was committed. */
  unknown(): void
}

/** Numbers the events of this process, so that none can be taken away without a gap. */
export interface AuditWriter {
  begin(): WritingScope
}
